"""Captioning: write what a picture shows, token by token.

Metrics: loss and accuracy a token, perplexity; on a split, of captions generated for whole images, BLEU, ROUGE-L and
CIDEr-D against all references of an image.

Source: Vinyals et al., 2015, https://arxiv.org/abs/1411.4555; with transformers, Li et al., 2022 (BLIP).
"""

from renaissance.data.examples.schema import CAPTIONS, DataNeeds
from renaissance.tasks.declaration import ACCURACY, LOSS, Family, Metric, TaskDeclaration

BLEU = Family("bleu", "BLEU")

TASK = TaskDeclaration(
    name="caption",
    title="Captioning",
    needs=DataNeeds(CAPTIONS, image=True, text=True),
    behaviour="renaissance.tasks.behaviours.captioning:CaptioningTask",
    metrics=(
        LOSS,
        ACCURACY,
        Metric("perplexity", more_is_better=False),
        *(Metric(f"bleu_{n}", more_is_better=True, title=f"BLEU-{n}", family=BLEU) for n in (1, 2, 3, 4)),
        Metric("rouge_l", more_is_better=True, title="ROUGE-L"),
        Metric("cider_d", more_is_better=True, title="CIDEr-D"),
    ),
    monitor="loss",
    writes=True,
)
