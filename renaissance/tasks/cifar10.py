"""CIFAR-10: which of ten things a small picture shows, from the image encoder's pooled features alone.

Data: https://www.cs.toronto.edu/~kriz/cifar.html
"""

from renaissance.data.examples.schema import DataNeeds
from renaissance.tasks.declaration import ACCURACY, LOSS, TaskDeclaration

TASK = TaskDeclaration(
    name="cifar10",
    needs=DataNeeds(kind="cifar10", image=True, text=False),
    behaviour="renaissance.tasks.behaviours.classification:ClassificationTask",
    metrics=(LOSS, ACCURACY),
    monitor="accuracy",
    mixable=True,
)
