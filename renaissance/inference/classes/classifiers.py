"""Two simple classifiers on frozen features, whose one setting is chosen on a validation share: linear probe and kNN.

In: features and classes to train, to validate and to test on. Out: what each predicts of the test's examples.

The linear probe is logistic regression by L-BFGS on normalised features with a sweep of its regularisation, as in
CLIP's paper (Radford et al., 2021, https://arxiv.org/abs/2103.00020, appendix A.3); the nearest neighbours are those by
cosine, each with one vote. Both are scikit-learn's. Nothing is drawn at random.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from tqdm import tqdm

from renaissance.errors import UserError

Vectors = NDArray[np.float64]
Labels = NDArray[np.int64]

CHANCE, LINEAR_PROBE, NEAREST_NEIGHBOURS = "chance", "linear probe", "kNN"
STRENGTHS = tuple(10.0**power for power in range(-3, 5))  # C for features of spread 1: a decade apart
HALF_A_DECADE = 10**0.5
NEIGHBOURS = (1, 3, 5, 10, 20, 50, 100)
MOST_ITERATIONS = 1000  # of L-BFGS, as in CLIP's paper


@dataclass(frozen=True)
class Classified:
    """Examples to learn from or to be judged by.

    Attributes:
        features: (N, D), each of length 1.
        labels: (N,) numbers of classes.
    """

    features: Vectors
    labels: Labels

    def __add__(self, other: Classified) -> Classified:
        """Both together."""
        return Classified(np.concatenate((self.features, other.features)), np.concatenate((self.labels, other.labels)))

    def rows(self, chosen: NDArray[np.int64]) -> Classified:
        """Some of them, by number."""
        return Classified(self.features[chosen], self.labels[chosen])


@dataclass(frozen=True)
class Answer:
    """What a classifier came to.

    Attributes:
        name: CHANCE, LINEAR_PROBE or NEAREST_NEIGHBOURS.
        setting: what was chosen, such as "C = 100".
        sweep: by value that was tried, the share of the validation's examples that were right.
        predicted: (N,) classes of the test's examples.
        remark: what is to be known of it; empty where there is nothing.
    """

    name: str
    setting: str
    sweep: Mapping[str, float]
    predicted: Labels
    remark: str = ""


def normalised(features: NDArray[np.float32]) -> Vectors:
    """Features (N, D) of length 1, in double precision; zeros stay."""
    doubles = features.astype(np.float64)
    lengths = np.linalg.norm(doubles, axis=1, keepdims=True)
    return np.asarray(doubles / np.where(lengths == 0, 1.0, lengths))


def linear_probe(train: Classified, val: Classified, test: Classified, what: str) -> Answer:
    """Logistic regression: C is chosen on `val`, the fit repeated on `train` and `val`, `test` asked once.

    C, the inverse of the regularisation, goes up by decades, around one over the square of the features' spread; then
    half a decade to both sides of the best. Of equal ones the smallest is taken.

    Args:
        train: to fit.
        val: to choose C by.
        test: to predict.
        what: names the progress bar.

    Raises:
        UserError: the training examples are of one class only.
    """
    if len(np.unique(train.labels)) < 2:
        raise UserError(f"{what}: all training examples are of one class, so there is nothing to tell apart.")
    right: dict[float, float] = {}
    regression = _Regression(train)
    with tqdm(total=len(STRENGTHS) + 3, desc=f"{what}: linear probe", unit="fit", disable=None, leave=False) as bar:
        for strength in STRENGTHS:
            strength /= regression.spread**2
            right[strength] = regression.fit(strength).right(val)
            bar.update()
        best = _best(right)
        for strength in (best / HALF_A_DECADE, best * HALF_A_DECADE):
            right[strength] = regression.fit(strength).right(val)
            bar.update()
        best = _best(right)
        fitted = _Regression(train + val).fit(best)
        bar.update()
    sweep = {f"{strength:.3g}": right[strength] for strength in sorted(right)}
    remark = "" if fitted.converged else f"L-BFGS did not converge in {MOST_ITERATIONS:,} iterations"
    return Answer(LINEAR_PROBE, f"C = {best:.3g}", sweep, fitted.predict(test.features), remark)


def nearest_neighbours(train: Classified, val: Classified, test: Classified) -> Answer:
    """The commonest class among the k nearest by cosine: k is chosen on `val`, neighbours then come from both.

    Args:
        train: where neighbours come from.
        val: to choose k by; of equal ones the smallest is taken.
        test: to predict.
    """
    right = {}
    for number in NEIGHBOURS:
        if number <= len(train.labels):
            predicted = _neighbours(train, number).predict(val.features)
            right[number] = float(np.mean(predicted == val.labels))
    best = max(right, key=lambda number: (right[number], -number))
    predicted = _neighbours(train + val, best).predict(test.features)
    return Answer(NEAREST_NEIGHBOURS, f"k = {best}", {str(number): share for number, share in right.items()}, predicted)


class _Regression:
    """Logistic regression on features less their mean, over their spread.

    Neither changes the optimum: the intercept is free, and another scale is another C (C over the spread's square). But
    L-BFGS then gets there where all features point nearly the same way, as those of a random transformer do.

    Args:
        train: to fit.
    """

    def __init__(self, train: Classified) -> None:
        self._labels = train.labels
        self._mean = train.features.mean(axis=0)
        centred = train.features - self._mean
        self.spread = float(np.sqrt(np.mean((centred**2).sum(axis=1)))) or 1.0
        self._scaled = centred / self.spread
        self._regression = LogisticRegression(max_iter=MOST_ITERATIONS, warm_start=True)
        self.converged = False

    def fit(self, strength: float) -> Self:
        """Fit with a C of the features as they came; from the weights of the fit before, if there was one."""
        self._regression.set_params(C=strength * self.spread**2)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self._regression.fit(self._scaled, self._labels)
        self.converged = not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
        return self

    def predict(self, features: Vectors) -> Labels:
        return np.asarray(self._regression.predict((features - self._mean) / self.spread))

    def right(self, examples: Classified) -> float:
        return float(np.mean(self.predict(examples.features) == examples.labels))


def _best(right: Mapping[float, float]) -> float:
    return max(right, key=lambda strength: (right[strength], -strength))


def _neighbours(train: Classified, number: int) -> KNeighborsClassifier:
    """Of vectors of length 1, the nearest by distance are those by cosine, and are found faster."""
    neighbours = KNeighborsClassifier(number, metric="euclidean", algorithm="brute")
    return neighbours.fit(train.features, train.labels)
