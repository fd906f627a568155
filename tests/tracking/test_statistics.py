"""Statistics over runs and examples, against published examples, hand calculations, scipy and simulated experiments."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from renaissance.tracking.statistics import CONFIDENCE, STUDENT, estimate, holm, mcnemar, paired, sign_flip, welch

# Student's sleep data (Student 1908), the worked example of R's help of t.test.
SLEEP = (
    [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0],
    [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4],
)


def test_welch_gives_what_r_prints_for_the_sleep_data():
    found = welch(*SLEEP)
    assert found.difference == pytest.approx(-1.58)
    assert (found.low, found.high) == pytest.approx((-3.3654832, 0.2054832), abs=1e-7)
    assert found.p_value == pytest.approx(0.07939, abs=5e-6)


@pytest.mark.parametrize("seed", range(3))
def test_intervals_are_scipys(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.normal(0.7, 0.02, 3), rng.normal(0.68, 0.05, 5)
    one = estimate(list(first))
    assert one.deviation == pytest.approx(np.std(first, ddof=1))
    assert (one.low, one.high) == pytest.approx(stats.t.interval(0.95, 2, first.mean(), stats.sem(first)))
    theirs = stats.ttest_ind(first, second, equal_var=False)
    found = welch(list(first), list(second))
    assert found.p_value == pytest.approx(theirs.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval(0.95)))


def test_a_single_run_and_runs_that_are_all_alike_have_no_test():
    assert estimate([0.7]) == estimate([0.7]).__class__(0.7, None, None, None, 1)
    alone = welch([0.7], [0.5, 0.6])
    assert (alone.difference, alone.low, alone.p_value, alone.detectable) == (pytest.approx(0.15), None, None, None)
    alike = welch([0.1] * 3, [0.3] * 3)  # 0.1 + 0.1 + 0.1 is not 0.3 in floating point
    assert (alike.low, alike.high, alike.p_value) == (alike.difference, alike.difference, None)
    assert math.isnan(estimate([0.7, math.nan]).mean)
    assert estimate([0.7, math.nan]).deviation is None
    assert welch([0.7, math.nan], [0.1, 0.2]).test == "a figure is no number: no interval"


@pytest.mark.parametrize(
    ("counts", "spreads"), [((2, 2), (1, 1)), ((3, 3), (1, 1)), ((5, 5), (1, 1)), ((3, 8), (1, 2))]
)
def test_the_smallest_difference_over_runs_is_found_four_times_in_five(counts, spreads):
    given = [np.linspace(-1, 1, count) for count in counts]
    first, second = (spread * values / values.std(ddof=1) for spread, values in zip(spreads, given, strict=True))
    smallest = welch(list(first), list(second)).detectable
    rng = np.random.default_rng(0)
    drawn = [rng.normal(0, spread, (20_000, count)) for spread, count in zip(spreads, counts, strict=True)]
    p_values = stats.ttest_ind(drawn[0] + smallest, drawn[1], axis=1, equal_var=False).pvalue
    assert (p_values < 0.05).mean() == pytest.approx(0.8, abs=0.015)


def test_the_smallest_difference_over_examples_is_found_four_times_in_five():
    rng = np.random.default_rng(0)
    differences = rng.permutation(np.repeat([-1.0, 0.0, 1.0], [40, 320, 40]))
    smallest = paired(differences, np.zeros(400), exact=False).detectable
    up = (0.2 + smallest) / 2  # of differences with the same spread, that have this mean
    drawn = rng.choice([-1.0, 0.0, 1.0], (5_000, 400), p=[0.2 - up, 0.8, up])
    assert (stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05).mean() == pytest.approx(0.8, abs=0.03)


def test_mcnemars_test_is_the_binomial_of_those_that_only_one_has_right():
    right = np.array([True] * 12 + [False] * 8)
    other = right.copy()
    other[0], other[12:19] = False, True  # one that only the first has right, seven that only the second has
    assert mcnemar(right, other) == pytest.approx(2 * (1 + 8) / 2**8)
    assert mcnemar(other, right) == pytest.approx(2 * (1 + 8) / 2**8)
    assert mcnemar(right, right) == 1
    found = paired(right.astype(float), other.astype(float), exact=True)
    assert found.difference == pytest.approx(-6 / 20)
    assert found.p_value == pytest.approx(18 / 256)
    assert "McNemar" in found.test


def test_the_bootstraps_interval_is_that_of_a_normal_mean_and_goes_with_its_p_value():
    rng = np.random.default_rng(1)
    first = rng.gamma(2, 1, 1_000)
    for shift in (0.0, 0.05, 0.2):
        second = first + rng.normal(shift, 1, 1_000)
        found = paired(first, second, exact=False)
        error = (first - second).std(ddof=1) / np.sqrt(1_000)
        assert (found.low, found.high) == pytest.approx(
            (found.difference - 1.96 * error, found.difference + 1.96 * error), abs=0.08 * error
        )
        assert (found.p_value < 0.05) == (not found.low <= 0 <= found.high)
        assert found.p_value == pytest.approx(stats.ttest_rel(first, second).pvalue, abs=0.02)
        assert found == paired(first, second, exact=False), "the same each time"


def test_pairing_tells_what_a_comparison_of_means_does_not():
    rng = np.random.default_rng(2)
    first = rng.normal(0, 5, 300)
    second = first + 0.1 + rng.normal(0, 0.1, 300)
    assert paired(first, second, exact=False).p_value < 0.001
    assert stats.ttest_ind(first, second).pvalue > 0.5


def test_examples_that_never_differ():
    same = np.ones(9)
    assert paired(same, same, exact=True).p_value == 1
    assert paired(same, same, exact=False).p_value == 1
    many = paired(np.ones(50), np.ones(50), exact=False)
    assert (many.difference, many.low, many.p_value, many.detectable) == (0, None, 1, None)


def test_few_examples_have_the_p_value_of_all_their_signs_and_no_interval():
    two = paired(np.array([0.25, 0.45]), np.zeros(2), exact=False)
    assert (two.p_value, two.low, two.high, two.detectable) == (0.5, None, None, None)
    assert "too few for an interval" in two.test
    assert paired(np.full(2, 0.25), np.zeros(2), exact=False).p_value == 0.5
    assert paired(np.ones(4), np.zeros(4), exact=False).p_value == 2 / 2**4
    assert paired(np.array([3.0, 2.0, -1.0]), np.zeros(3), exact=False).p_value == 4 / 2**3  # ±(3+2-1), ±(3+2+1)
    nineteen, twenty = (paired(np.arange(count) / 9, np.ones(count), exact=False) for count in (19, 20))
    assert nineteen.low is None
    assert twenty.low < twenty.difference < twenty.high


def test_a_difference_of_a_rounding_is_none():
    first, second = np.full(30, 0.1 + 0.2), np.full(30, 0.3)
    assert paired(first, second, exact=False).p_value == 1
    alike = paired(np.array([0.3, 0.2] * 15), np.array([0.1, 0.0] * 15), exact=False)  # 0.3 - 0.1 is not 0.2
    assert (alike.low, alike.high, alike.detectable) == (None, None, None)
    assert "all differ by the same" in alike.test
    assert welch([0.1 + 0.2, 0.3], [0.3, 0.3]).p_value is None


@pytest.mark.parametrize("count", [3, 5, 10])
def test_chance_alone_is_found_no_more_often_than_the_level(count):
    drawn = np.random.default_rng(0).normal(0, 1, (150, count))
    found = sum(paired(row, np.zeros(count), exact=False).p_value < 0.05 for row in drawn)
    assert found <= stats.binom.ppf(0.999, 150, 0.05)


def test_drawn_signs_give_what_all_signs_give():
    rng = np.random.default_rng(4)
    for mean in (0.0, 0.5, 0.8):
        differences = rng.normal(mean, 1, 14)  # 2^14 ways: one more than are all taken
        signs = 1 - 2 * ((np.arange(2**14)[:, None] >> np.arange(14)) & 1)
        exact = (np.abs(signs @ differences) >= abs(differences.sum()) * (1 - 1e-12)).mean()
        assert sign_flip(differences) == pytest.approx(exact, abs=4 * math.sqrt(exact / 9_999))
    assert sign_flip(np.ones(1_000)) == 1 / 10_000


def test_figures_of_any_size_have_their_statistics_or_none():
    large = estimate([1e200, -1e200])
    assert (large.mean, large.deviation) == (0, pytest.approx(math.sqrt(2) * 1e200))
    assert math.isnan(estimate([math.inf, -math.inf]).mean)
    assert estimate([1.5e308, 1.5e308]).mean == 1.5e308
    assert estimate([1.7e308, -1.7e308]).deviation is None
    small, known = welch([1e-90, 2e-90, 4e-90], [1e-90, 3e-90]), welch([1.0, 2.0, 4.0], [1.0, 3.0])
    assert small.p_value == pytest.approx(known.p_value)
    assert (small.low, small.high, small.detectable) == pytest.approx(
        (known.low * 1e-90, known.high * 1e-90, known.detectable * 1e-90), rel=1e-9, abs=0
    )
    assert welch([1.0, 1.0], [1e-90, 3e-90]).p_value < 1e-80
    assert welch([1e308, 1.1e308], [-1e308, -1.1e308]).test == "the figures are too large: no interval"


def test_holm_is_as_r_adjusts():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == pytest.approx([1, 1])
    assert holm([]) == []


def test_the_quantiles_that_are_kept_are_students():
    expected = stats.t.ppf((1 + CONFIDENCE) / 2, range(1, len(STUDENT) + 1))
    assert pytest.approx(expected, rel=1e-12) == STUDENT
