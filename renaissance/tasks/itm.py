"""Image-text matching: does this text belong to this image?

Pretraining on captioned images; how false pairs are drawn is told in `behaviours/image_text_matching.py`.

Source: ViLT, Kim et al., 2021, https://arxiv.org/abs/2102.03334, section 3.2.
"""

from renaissance.data.examples.schema import CAPTIONS, DataNeeds
from renaissance.tasks.declaration import ACCURACY, LOSS, TaskDeclaration

TASK = TaskDeclaration(
    name="itm",
    title="Image-text matching",
    needs=DataNeeds(CAPTIONS, image=True, text=True),
    behaviour="renaissance.tasks.behaviours.image_text_matching:ImageTextMatchingTask",
    metrics=(LOSS, ACCURACY),
    monitor="accuracy",
)
