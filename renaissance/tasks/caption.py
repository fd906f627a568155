"""Captioning: write what a picture shows, token by token.

Metrics: loss and accuracy a token, perplexity; on a split, of captions generated for whole images, BLEU, ROUGE-L and
CIDEr-D against all references of an image.

Source: Vinyals et al., 2015, https://arxiv.org/abs/1411.4555; with transformers, Li et al., 2022 (BLIP).
"""

from renaissance.data.examples.schema import CAPTIONS, DataNeeds
from renaissance.tasks.declaration import ACCURACY, LOSS, Metric, TaskDeclaration

GENERATED = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider_d")

TASK = TaskDeclaration(
    name="caption",
    needs=DataNeeds(CAPTIONS, image=True, text=True),
    behaviour="renaissance.tasks.behaviours.captioning:CaptioningTask",
    metrics=(
        LOSS,
        ACCURACY,
        Metric("perplexity", more_is_better=False),
        *(Metric(name, more_is_better=True) for name in GENERATED),
    ),
    monitor="loss",
    writes=True,
)
