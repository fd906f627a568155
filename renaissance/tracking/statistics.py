"""What a few runs, and what their predictions, can and cannot show.

Comes in: one figure a run, or one a test example. Goes out: means with their intervals, differences with theirs and
with p-values, and the smallest difference that could have been shown. All intervals are of 95 %, all tests have two
sides. scipy.stats is imported where it is needed: a listing does without it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
# Of Student's t with 1, 2, … degrees of freedom, the quantile 0.975, as `scipy.special.stdtrit` has it.
STUDENT = (
    12.706204736174694,
    4.302652729749462,
    3.1824463052837078,
    2.7764451051977934,
    2.5705818356363146,
    2.4469118511449786,
    2.364624251592784,
    2.306004135204166,
    2.262157162798205,
    2.228138851986274,
    2.200985160091639,
    2.1788128296672284,
    2.1603686564627913,
    2.144786687917804,
    2.131449545559776,
    2.1199052992212546,
    2.1098155778333156,
    2.1009220402410382,
    2.0930240544083087,
    2.085963447265864,
)
POWER = 0.8  # of the smallest difference that could be shown
RESAMPLES, RESAMPLES_OF_MANY, MANY = 9_999, 1_999, 20_000  # resamples; fewer above so many examples
BATCH_CELLS = 10_000_000  # resampled values in memory at once
FEWEST_EXAMPLES = 20  # with an interval: of fewer the bootstrap's is far too narrow
EXPERIMENTS = 10_000  # simulated, for the smallest difference over runs
ROUNDING = 1e-12  # figures that are nearer to each other, for their size, are the same


@dataclass(frozen=True)
class Estimate:
    """A mean over runs.

    Attributes:
        mean: of the values.
        deviation: their standard deviation, with n - 1; None of a single value.
        low: lower end of the mean's interval; None of a single value.
        high: its upper end.
        count: n, the values.
    """

    mean: float
    deviation: float | None
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True)
class Difference:
    """How much one mean is above another, and what is known of that.

    Attributes:
        difference: the first mean minus the second.
        low: lower end of its interval; None where it has none, as of single runs.
        high: its upper end.
        p_value: how often chance alone would make a difference at least as large; None where that cannot be told.
        detectable: the smallest true difference that would be found with 80 % probability; None where none can be told.
        test: what gave the p-value, in words.
    """

    difference: float
    low: float | None
    high: float | None
    p_value: float | None
    detectable: float | None
    test: str


def estimate(values: Sequence[float]) -> Estimate:
    """The mean with Student's interval, mean ± t·s/√n; without one where a value, or s, is no finite number.

    Args:
        values: one or more, each of a run of its own.
    """
    count = len(values)
    if not all(map(math.isfinite, values)):
        return Estimate(sum(values) / count, None, None, None, count)
    # A power of two that the values are divided by, which rounds nothing: no sum or square is too large or too small.
    exponent = math.frexp(max(map(abs, values)))[1]
    scaled = [math.ldexp(value, -exponent) for value in values]
    middle = math.fsum(scaled) / count
    mean = math.ldexp(middle, exponent)
    if count < 2:
        return Estimate(mean, None, None, None, count)
    try:
        deviation = math.ldexp(math.hypot(*(value - middle for value in scaled)) / math.sqrt(count - 1), exponent)
    except OverflowError:
        return Estimate(mean, None, None, None, count)
    if max(scaled) - min(scaled) <= ROUNDING:
        deviation = 0.0
    half = _student(count - 1) * deviation / math.sqrt(count)
    return Estimate(mean, deviation, mean - half, mean + half, count)


def _student(freedom: int) -> float:
    """The quantile of Student's t that `CONFIDENCE` of it lies within; SciPy takes a while to be imported."""
    if freedom <= len(STUDENT):
        return STUDENT[freedom - 1]
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))


def welch(first: Sequence[float], second: Sequence[float]) -> Difference:
    """The difference of two means of runs, whose spreads may differ.

    Welch's t-test and interval (Welch 1947, Biometrika 34, 28-35). The smallest detectable difference is the one that
    this test finds in four of five simulated experiments, with as many runs of normally distributed figures whose
    spreads are those of the given ones.

    Args:
        first: one value a run, each of a seed of its own.
        second: those of the other configuration.
    """
    from scipy.special import stdtr, stdtrit

    name = "Welch's t-test over runs"
    one, other = estimate(first), estimate(second)
    difference = one.mean - other.mean
    if one.deviation is None or other.deviation is None or not math.isfinite(difference):
        finite = all(map(math.isfinite, (*first, *second)))
        single = min(one.count, other.count) < 2
        why = "a figure is no number" if not finite else "single runs" if single else "the figures are too large"
        return Difference(difference, None, None, None, None, f"{why}: no interval")
    errors = one.deviation / math.sqrt(one.count), other.deviation / math.sqrt(other.count)
    error = math.hypot(*errors)
    if error == 0:  # each gives the same figure with every seed
        return Difference(difference, difference, difference, None, None, name)
    shares = (errors[0] / error) ** 2, (errors[1] / error) ** 2
    freedom = 1 / (shares[0] ** 2 / (one.count - 1) + shares[1] ** 2 / (other.count - 1))
    half = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error
    p_value = 2 * float(stdtr(freedom, -abs(difference) / error))
    detectable = _found_with_power(shares, (one.count, other.count)) * error
    return Difference(difference, difference - half, difference + half, p_value, detectable, name)


def _found_with_power(shares: tuple[float, float], counts: tuple[int, int]) -> float:
    """The smallest difference, in standard errors, that Welch's test finds with 80 % probability.

    Args:
        shares: of the difference's variance, that of either mean; they sum to 1.
        counts: the runs of either.
    """
    from scipy.special import stdtrit

    normal, *spreads = _experiments(counts)
    first, second = (share * spread for share, spread in zip(shares, spreads, strict=True))
    freedom = (first + second) ** 2 / (first**2 / (counts[0] - 1) + second**2 / (counts[1] - 1))
    needed = stdtrit(freedom, (1 + CONFIDENCE) / 2) * np.sqrt(first + second)  # of a difference that is found
    return float(np.quantile(needed - normal, POWER))


@cache
def _experiments(counts: tuple[int, int]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Simulated experiments, always the same ones.

    Returns:
        (E,) how far each one's difference is from the true one, in standard errors; (E,), (E,) its estimates of the
        two variances, over the true ones.
    """
    rng = np.random.default_rng(0)
    first, second = (rng.chisquare(count - 1, EXPERIMENTS) / (count - 1) for count in counts)
    return rng.standard_normal(EXPERIMENTS), first, second


def paired(first: NDArray[np.float64], second: NDArray[np.float64], exact: bool) -> Difference:
    """The difference of two means over the same examples, by what each example has in both.

    The interval is a paired bootstrap's, of percentiles (Efron and Tibshirani 1993, An introduction to the bootstrap,
    chapter 13). Where all values are right or wrong, the p-value is of McNemar's exact test: of the examples that only
    one of the two has right, are as many the one's as the other's? (McNemar 1947, Psychometrika 12, 153-157.) Otherwise
    it is of a sign-flip test. The smallest detectable difference is (z(0.975) + z(0.8)) times the standard deviation
    of the paired differences over √n (Connor 1987, Sample size for testing differences in proportions for the
    paired-sample design, Biometrics 43, 207-211). Fewer than 20 examples, and those that all differ by the same, have
    a p-value alone: what they spread is not known.

    Args:
        first: (N,) one value an example.
        second: (N,) of the same examples, in the same order.
        exact: take McNemar's test, as of two runs whose values are all 0 or 1.
    """
    from scipy.special import ndtri

    size = np.maximum(np.abs(first), np.abs(second))
    differences = np.where(np.abs(first - second) <= ROUNDING * size, 0.0, first - second)
    count, mean = len(differences), float(differences.mean())
    name = "McNemar's exact test over examples" if exact else "sign-flip test over examples"
    if count < 2:
        return Difference(mean, None, None, None, None, name)
    p_value = mcnemar(first > 0.5, second > 0.5) if exact else sign_flip(differences)
    if count < FEWEST_EXAMPLES:
        return Difference(mean, None, None, p_value, None, f"{name}, too few for an interval")
    if np.ptp(differences) <= ROUNDING * size.max():
        return Difference(mean, None, None, p_value, None, f"{name}, which all differ by the same")
    low, high = _bootstrap(differences)
    error = float(differences.std(ddof=1)) / math.sqrt(count)
    detectable = float(ndtri((1 + CONFIDENCE) / 2) + ndtri(POWER)) * error
    return Difference(mean, low, high, p_value, detectable, name)


def mcnemar(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """The p-value of McNemar's exact test, a binomial test of the examples that only one of the two has right.

    Args:
        first: (N,) whether it has each example right.
        second: (N,) of the same examples.
    """
    from scipy.stats import binomtest

    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)


def sign_flip(differences: NDArray[np.float64]) -> float:
    """The p-value of a sign-flip test of paired differences: if neither is better, each could have the other sign.

    It is how many of all ways to give them signs have a mean at least as far from 0 (Fisher 1935, The design of
    experiments, section 21), so never below 2 / 2ⁿ. Of more than 13 differences, signs are drawn, always the same ones.

    Args:
        differences: (N,) of each example, one or more.
    """
    from scipy.stats import permutation_test

    count = len(differences)
    if 2**count <= RESAMPLES:
        # One sample's "samples" are its signs; all of them are taken where there are no more than `n_resamples`.
        found = permutation_test((differences,), np.sum, permutation_type="samples", n_resamples=RESAMPLES)
        return float(found.pvalue)
    # scipy draws signs too, at thirty times the cost.
    rng, resamples = np.random.default_rng(0), RESAMPLES if count <= MANY else RESAMPLES_OF_MANY
    total = float(differences.sum())
    least = abs(total) - ROUNDING * float(np.abs(differences).sum())
    as_far, batch = 0, max(1, BATCH_CELLS // count)
    for start in range(0, resamples, batch):
        drawn = rng.integers(0, 256, (min(batch, resamples - start), -(-count // 8)), dtype=np.uint8)
        flipped = np.unpackbits(drawn, axis=1, count=count)  # 1 where an example has the other sign
        as_far += int((np.abs(total - 2 * (flipped @ differences)) >= least).sum())
    return (as_far + 1) / (resamples + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for being several, so that each may be held against the level of them all.

    Holm 1979, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 65-70.

    Args:
        p_values: of the tests, in any order.

    Returns:
        the adjusted ones in the same order.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _bootstrap(differences: NDArray[np.float64]) -> tuple[float, float]:
    """The interval of a mean of paired differences (N,); the same of the same values."""
    from scipy.stats import bootstrap

    found = bootstrap(
        (differences,),
        np.mean,
        n_resamples=RESAMPLES if len(differences) <= MANY else RESAMPLES_OF_MANY,
        batch=max(1, BATCH_CELLS // len(differences)),
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)
