"""SNLI-VE: does an image show that a sentence is true, that it is false, or neither?

Data: Xie et al., 2019, https://arxiv.org/abs/1901.06706, in the published tables' layout.
"""

from renaissance.data.examples.schema import Column, DataNeeds, Schema
from renaissance.tasks.declaration import ACCURACY, LOSS, TaskDeclaration

ENTAILMENT = Schema(
    "snli",
    {
        "image": Column("image", "image"),
        "text": Column("sentences", "text", per_text=True),
        "label": Column("labels", "class", per_text=True, optional=True),
        "id": Column("sentence_id", "id", per_text=True, optional=True),
    },
    class_names=("contradiction", "neutral", "entailment"),
)

TASK = TaskDeclaration(
    name="snli",
    title="SNLI-VE",
    needs=DataNeeds(ENTAILMENT, image=True, text=True),
    behaviour="renaissance.tasks.behaviours.classification:ClassificationTask",
    metrics=(LOSS, ACCURACY),
    monitor="accuracy",
    predicts=True,
    mixable=True,
)
