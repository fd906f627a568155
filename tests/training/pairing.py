"""Small step-wide tasks: InfoNCE over the means of texts' and images' features, with a temperature.

`pairing` compares features as they are; `normalised_pairing` has a batch norm in front, whose statistics are those of
a micro-batch. Captions of one image are no negatives of each other; "twins" tells how many of them each has.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from renaissance.data.examples.schema import CAPTIONS, DataNeeds
from renaissance.models.interface import Sides
from renaissance.tasks.common.outcome import Outcome
from renaissance.tasks.common.step_wide import StepWideTask
from renaissance.tasks.declaration import LOSS, Metric, TaskDeclaration

SIZE = 16


class PairingTask(StepWideTask):
    def __init__(self, context):
        super().__init__(context)
        self.text_projection = nn.Linear(context.model.text_size, SIZE)
        self.image_projection = nn.Linear(context.model.image_size, SIZE)
        self.norm = nn.BatchNorm1d(SIZE) if self.name == "normalised_pairing" else nn.Identity()
        self.dropout = nn.Dropout(context.settings.image_encoder_drop_rate)
        self.log_scale = nn.Parameter(torch.tensor(1.0))

    @classmethod
    def sides(cls, declaration, settings):
        return Sides(text=True, image=True)

    def contribute(self, step):
        words = step.text.mask[..., None].float()
        text = (step.text.hidden * words).sum(1) / words.sum(1)
        image = self.norm(self.image_projection(self.dropout(step.image.hidden.mean(1))))
        return {"text": F.normalize(self.text_projection(self.dropout(text)), dim=-1),
                "image": F.normalize(image, dim=-1), "row": step.batch.row}  # fmt: skip

    def loss_over(self, contributions):
        row = contributions["row"]
        twins = (row[:, None] == row) & ~torch.eye(len(row), dtype=torch.bool)
        logits = self.log_scale.exp() * contributions["text"] @ contributions["image"].T
        logits = logits.masked_fill(twins, -torch.inf)
        own = torch.arange(len(row))
        losses = F.cross_entropy(logits, own, reduction="none") + F.cross_entropy(logits.T, own, reduction="none")
        return Outcome({"loss": losses, "twins": twins.sum(1).float()})


def declared(name):
    needs = DataNeeds(CAPTIONS, image=True, text=True)
    return TaskDeclaration(name, needs, PairingTask, (LOSS, Metric("twins", more_is_better=False)), "loss")


PAIRING, NORMALISED_PAIRING = declared("pairing"), declared("normalised_pairing")
