"""Contrastive learning: texts and images in one space, where what belongs together lies close together.

Pretraining on captioned images, as CLIP and SigLIP do; the two losses are told in `common/contrastive_losses.py`.
Validation and test rank a whole split, in both directions.

Sources: CLIP, Radford et al., 2021, https://arxiv.org/abs/2103.00020; SigLIP, Zhai et al., 2023,
https://arxiv.org/abs/2303.15343.
"""

from renaissance.data.examples.schema import CAPTIONS, DataNeeds
from renaissance.tasks.declaration import ACCURACY, LOSS, Metric, TaskDeclaration

RECALLS = ("ir_r1", "ir_r5", "ir_r10", "tr_r1", "tr_r5", "tr_r10")
MEDIAN_RANKS = ("ir_median_rank", "tr_median_rank")

TASK = TaskDeclaration(
    name="contrastive",
    needs=DataNeeds(CAPTIONS, image=True, text=True),
    behaviour="renaissance.tasks.behaviours.contrastive:ContrastiveTask",
    metrics=(
        LOSS,
        ACCURACY,
        *(Metric(name, more_is_better=True) for name in RECALLS),
        *(Metric(name, more_is_better=False) for name in MEDIAN_RANKS),
    ),
    monitor="ir_r1",
    fuses=False,
    older_names=("contras",),
)
