"""Statistics over runs and examples, against published examples, hand calculations, scipy and simulated experiments."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from renaissance.tracking.statistics import estimate, holm, mcnemar, paired, welch

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


@pytest.mark.parametrize(("counts", "spreads"), [((5, 5), (1, 1)), ((3, 8), (1, 2))])
def test_the_smallest_difference_over_runs_is_found_four_times_in_five(counts, spreads):
    given = [np.linspace(-1, 1, count) for count in counts]
    first, second = (spread * values / values.std(ddof=1) for spread, values in zip(spreads, given, strict=True))
    smallest = welch(list(first), list(second)).detectable
    rng = np.random.default_rng(0)
    drawn = [rng.normal(0, spread, (20_000, count)) for spread, count in zip(spreads, counts, strict=True)]
    p_values = stats.ttest_ind(drawn[0] + smallest, drawn[1], axis=1, equal_var=False).pvalue
    assert (p_values < 0.05).mean() == pytest.approx(0.8, abs=0.05)


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
    assert paired(same, same, exact=False).low == 0
    assert paired(same, same, exact=False).detectable is None


def test_holm_is_as_r_adjusts():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == pytest.approx([1, 1])
    assert holm([]) == []
