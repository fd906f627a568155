"""Image-text retrieval: find the image to a text and the text to an image, among all of a split.

Data: any images with captions, such as COCO's and Flickr30k's test splits.
"""

from renaissance.data.examples.schema import CAPTIONS, DataNeeds
from renaissance.tasks.declaration import ACCURACY, LOSS, Metric, TaskDeclaration

RECALLS = ("ir_r1", "ir_r5", "ir_r10", "tr_r1", "tr_r5", "tr_r10")

TASK = TaskDeclaration(
    name="irtr",
    needs=DataNeeds(CAPTIONS, image=True, text=True),
    behaviour="renaissance.tasks.behaviours.retrieval:RetrievalTask",
    metrics=(LOSS, ACCURACY, *(Metric(name, more_is_better=True) for name in RECALLS)),
    monitor="ir_r1",
)
