"""IMDB reviews: whether a film review is negative or positive, from the text encoder's pooled features alone.

Data: Maas et al., 2011, https://ai.stanford.edu/~amaas/data/sentiment/
"""

from renaissance.data.examples.schema import Column, DataNeeds, Schema
from renaissance.tasks.declaration import ACCURACY, LOSS, TaskDeclaration

REVIEWS = Schema(
    "imdb",
    {
        "text": Column("text", "text"),
        "label": Column("label", "class"),
        "id": Column("text_id", "id", optional=True),
    },
)

TASK = TaskDeclaration(
    name="imdb",
    title="IMDB reviews",
    needs=DataNeeds(REVIEWS, image=False, text=True),
    behaviour="renaissance.tasks.behaviours.classification:ClassificationTask",
    metrics=(LOSS, ACCURACY),
    monitor="accuracy",
    predicts=True,
    mixable=True,
)
