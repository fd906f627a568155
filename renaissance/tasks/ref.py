"""RefCOCO: which of the boxes in an image does a phrase mean?

Data: Yu et al., 2016, https://arxiv.org/abs/1608.00272, in the published tables' layout.
"""

from renaissance.data.examples.schema import Column, DataNeeds, Schema
from renaissance.tasks.declaration import ACCURACY, LOSS, TaskDeclaration

BOXES = Schema(
    "ref",
    {
        "image": Column("image", "image"),
        "text": Column("sentences", "text", per_text=True),
        "boxes": Column("bboxes", "boxes"),
        "label": Column("labels", "class", optional=True),
        "id": Column("image_id", "id", optional=True),
    },
)

TASK = TaskDeclaration(
    name="ref",
    title="RefCOCO",
    needs=DataNeeds(BOXES, image=True, text=True),
    behaviour="renaissance.tasks.behaviours.referring_expressions:ReferringExpressionTask",
    metrics=(LOSS, ACCURACY),
    monitor="accuracy",
    predicts=True,
)
