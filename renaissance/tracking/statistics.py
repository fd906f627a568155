"""What a few runs, and what their predictions, can and cannot show.

Comes in: one figure a run, or one a test example. Goes out: means with their intervals, differences with theirs and
with p-values, and the smallest difference that could have been shown. All intervals are of 95 %, all tests have two
sides. scipy.stats is imported where it is needed: a listing does without it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
POWER = 0.8  # of the smallest difference that could be shown
RESAMPLES, RESAMPLES_OF_MANY, MANY = 9_999, 1_999, 20_000  # bootstrap resamples; fewer above so many examples
BATCH_CELLS = 10_000_000  # resampled values in memory at once


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
    """The mean with Student's interval, mean ± t·s/√n.

    Args:
        values: one or more, each of a run of its own.
    """
    from scipy.special import stdtrit

    count, mean = len(values), math.fsum(values) / len(values)
    if count < 2 or not all(map(math.isfinite, values)):
        return Estimate(mean, None, None, None, count)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    if min(values) == max(values):  # the mean may be a rounding away from them
        deviation = 0.0
    half = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * deviation / math.sqrt(count)
    return Estimate(mean, deviation, mean - half, mean + half, count)


def welch(first: Sequence[float], second: Sequence[float]) -> Difference:
    """The difference of two means of runs, whose spreads may differ.

    Welch's t-test and interval (Welch 1947, Biometrika 34, 28-35). The smallest detectable difference is
    (t(0.975) + t(0.8)) times the difference's standard error, with Welch's degrees of freedom (Bloom 1995, Minimum
    detectable effects, Evaluation Review 19, 547-556).

    Args:
        first: one value a run, each of a seed of its own.
        second: those of the other configuration.
    """
    from scipy.special import stdtr, stdtrit

    name = "Welch's t-test over runs"
    one, other = estimate(first), estimate(second)
    difference = one.mean - other.mean
    if one.deviation is None or other.deviation is None:
        return Difference(difference, None, None, None, None, "single runs: no interval")
    parts = one.deviation**2 / one.count, other.deviation**2 / other.count
    error = math.sqrt(sum(parts))
    if error == 0:  # each gives the same figure with every seed
        return Difference(difference, difference, difference, None, None, name)
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (one.count - 1) + parts[1] ** 2 / (other.count - 1))
    half = float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error
    p_value = 2 * float(stdtr(freedom, -abs(difference) / error))
    detectable = half + float(stdtrit(freedom, POWER)) * error
    return Difference(difference, difference - half, difference + half, p_value, detectable, name)


def paired(first: NDArray[np.float64], second: NDArray[np.float64], exact: bool) -> Difference:
    """The difference of two means over the same examples, by what each example has in both.

    The interval is a paired bootstrap's, of percentiles (Efron and Tibshirani 1993, An introduction to the bootstrap,
    chapter 13). Where all values are right or wrong, the p-value is of McNemar's exact test: of the examples that only
    one of the two has right, are as many the one's as the other's? (McNemar 1947, Psychometrika 12, 153-157.) Otherwise
    it is the smallest level at which the bootstrap's interval leaves out 0. The smallest detectable difference is
    (z(0.975) + z(0.8)) times the standard deviation of the paired differences over √n (Connor 1987, Sample size for
    testing differences in proportions for the paired-sample design, Biometrics 43, 207-211).

    Args:
        first: (N,) one value an example.
        second: (N,) of the same examples, in the same order.
        exact: take McNemar's test, as of two runs whose values are all 0 or 1.
    """
    from scipy.special import ndtri

    differences = first - second
    count, mean = len(differences), float(differences.mean())
    name = "McNemar's exact test over examples" if exact else "paired bootstrap over examples"
    if count < 2:
        return Difference(mean, None, None, None, None, name)
    low, high, p_value = _bootstrap(differences)
    if exact:
        p_value = mcnemar(first > 0.5, second > 0.5)
    error = float(differences.std(ddof=1)) / math.sqrt(count)
    detectable = float(ndtri((1 + CONFIDENCE) / 2) + ndtri(POWER)) * error
    return Difference(mean, low, high, p_value, detectable or None, name)


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


def _bootstrap(differences: NDArray[np.float64]) -> tuple[float, float, float]:
    """Interval and p-value of a mean of paired differences (N,); the same of the same values."""
    if np.ptp(differences) == 0:  # every resample is the same
        same = float(differences[0])
        return same, same, 1.0 if same == 0 else 1 / (RESAMPLES + 1)
    from scipy.stats import bootstrap

    resamples = RESAMPLES if len(differences) <= MANY else RESAMPLES_OF_MANY
    found = bootstrap(
        (differences,),
        np.mean,
        n_resamples=resamples,
        batch=max(1, BATCH_CELLS // len(differences)),
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    means = found.bootstrap_distribution
    beyond = min(int((means <= 0).sum()), int((means >= 0).sum()))
    p_value = min(1.0, 2 * (beyond + 1) / (resamples + 1))
    return float(found.confidence_interval.low), float(found.confidence_interval.high), p_value
