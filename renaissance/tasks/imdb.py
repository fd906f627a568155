"""IMDB reviews: whether a film review is negative or positive, from the text encoder's pooled features alone.

Data: Maas et al., 2011, https://ai.stanford.edu/~amaas/data/sentiment/
"""

from renaissance.data.examples.schema import DataNeeds
from renaissance.tasks.declaration import ACCURACY, LOSS, TaskDeclaration

TASK = TaskDeclaration(
    name="imdb",
    needs=DataNeeds(kind="imdb", image=False, text=True),
    behaviour="renaissance.tasks.behaviours.classification:ClassificationTask",
    metrics=(LOSS, ACCURACY),
    monitor="accuracy",
    mixable=True,
)
