"""IMDB reviews: whether a film review is negative or positive, from the text alone.

Data: Maas et al., 2011, https://ai.stanford.edu/~amaas/data/sentiment/
"""

from renaissance.data.examples.schema import DataNeeds
from renaissance.tasks.common.classification import ClassificationTask


class Imdb(ClassificationTask):
    """Text classification on the text encoder's pooled features (their mean over the tokens)."""

    name = "imdb"
    needs = DataNeeds(kind="imdb", image=False, text=True)


TASK = Imdb
