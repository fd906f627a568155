"""CIFAR-10: which of ten things a small picture shows, from the image alone.

Data: https://www.cs.toronto.edu/~kriz/cifar.html
"""

from renaissance.data.examples.schema import DataNeeds
from renaissance.tasks.common.classification import ClassificationTask


class Cifar10(ClassificationTask):
    """Image classification on the image encoder's pooled features."""

    name = "cifar10"
    needs = DataNeeds(kind="cifar10", image=True, text=False)


TASK = Cifar10
