"""NLVR2: is a statement true of a pair of images?

Data: Suhr et al., 2019, https://arxiv.org/abs/1811.00491, in the published tables' layout.
"""

from renaissance.data.examples.schema import Column, DataNeeds, Schema
from renaissance.tasks.declaration import ACCURACY, LOSS, TaskDeclaration

IMAGE_PAIRS = Schema(
    "nlvr2",
    {
        "image": Column("image_0", "image"),
        "second_image": Column("image_1", "image"),
        "text": Column("questions", "text", per_text=True),
        "label": Column("answers", "class", per_text=True, optional=True),
        "id": Column("identifier", "id", optional=True),
    },
    class_names=("False", "True"),
)

TASK = TaskDeclaration(
    name="nlvr2",
    title="NLVR2",
    needs=DataNeeds(IMAGE_PAIRS, image=True, text=True),
    behaviour="renaissance.tasks.behaviours.two_images:TwoImagesTask",
    metrics=(LOSS, ACCURACY),
    monitor="accuracy",
    predicts=True,
)
