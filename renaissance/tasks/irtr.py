"""Image-text retrieval: find the image to a text and the text to an image, among all of a split.

Data: any images with captions, such as COCO's and Flickr30k's test splits.
"""

from renaissance.data.examples.schema import CAPTIONS, DataNeeds
from renaissance.tasks.declaration import ACCURACY, LOSS, RECALLS, TaskDeclaration

TASK = TaskDeclaration(
    name="irtr",
    title="Image-text retrieval",
    needs=DataNeeds(CAPTIONS, image=True, text=True),
    behaviour="renaissance.tasks.behaviours.retrieval:RetrievalTask",
    metrics=(LOSS, ACCURACY, *RECALLS),
    monitor="ir_r1",
)
