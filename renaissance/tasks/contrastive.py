"""Contrastive learning: texts and images in one space, where what belongs together lies close together.

Pretraining on captioned images, as CLIP and SigLIP do; the two losses are told in `common/contrastive_losses.py`.
Validation and test rank a whole split, in both directions.

Sources: CLIP, Radford et al., 2021, https://arxiv.org/abs/2103.00020; SigLIP, Zhai et al., 2023,
https://arxiv.org/abs/2303.15343.
"""

from renaissance.data.examples.schema import CAPTIONS, DataNeeds
from renaissance.tasks.declaration import ACCURACY, LOSS, RECALLS, Metric, TaskDeclaration

TASK = TaskDeclaration(
    name="contrastive",
    title="Contrastive learning",
    needs=DataNeeds(CAPTIONS, image=True, text=True),
    behaviour="renaissance.tasks.behaviours.contrastive:ContrastiveTask",
    metrics=(
        LOSS,
        ACCURACY,
        *RECALLS,
        Metric("ir_median_rank", more_is_better=False, title="image retrieval, median rank"),
        Metric("tr_median_rank", more_is_better=False, title="text retrieval, median rank"),
    ),
    monitor="ir_r1",
    fuses=False,
    older_names=("contras",),
)
