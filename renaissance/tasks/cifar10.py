"""CIFAR-10: which of ten things a small picture shows, from the image encoder's pooled features alone.

Data: https://www.cs.toronto.edu/~kriz/cifar.html
"""

from renaissance.data.examples.schema import Column, DataNeeds, Schema
from renaissance.tasks.declaration import ACCURACY, LOSS, TaskDeclaration

PICTURES = Schema(
    "cifar10",
    {
        "image": Column("image", "image"),
        "label": Column("label", "class"),
        "id": Column("image_id", "id", optional=True),
    },
)

TASK = TaskDeclaration(
    name="cifar10",
    title="CIFAR-10",
    needs=DataNeeds(PICTURES, image=True, text=False),
    behaviour="renaissance.tasks.behaviours.classification:ClassificationTask",
    metrics=(LOSS, ACCURACY),
    monitor="accuracy",
    predicts=True,
    mixable=True,
)
