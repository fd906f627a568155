"""Contrastive learning: every text finds its image, and every image its text, among those of the optimiser step.

A text and an image alone each become one vector: a two-tower's pooled tower, a one-tower run over that modality alone.
Each is projected into the joint space and brought to length 1, so that the product of two is their cosine. Text and
image never see each other on the way, and a fuser is not built for it.

The cosines are multiplied with a scale that is learned as a logarithm. It starts at 1/0.07 and never leaves 1 to 100,
to which it is set back after each optimiser step, as CLIP does; SigLIP's starts at 10, with a bias of -10. Neither
decays: parameters without a dimension are spared (`training/optimizers/groups.py`).

Sources: CLIP, Radford et al., 2021, https://arxiv.org/abs/2103.00020, section 2.5; SigLIP, Zhai et al., 2023,
https://arxiv.org/abs/2303.15343, section 3.2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from renaissance.data.batches.collate import Collate
from renaissance.data.examples.interface import Examples
from renaissance.data.text.processor import TextProcessor
from renaissance.models.interface import Features, VisionLanguageEncoder
from renaissance.models.layers.initialise import initialise
from renaissance.settings.schema import ModelAndTaskSettings
from renaissance.tasks.common.claim import Claim, Target, among
from renaissance.tasks.common.contrastive_losses import sigmoid_losses, softmax_losses, stand_together
from renaissance.tasks.common.evaluation import Split
from renaissance.tasks.common.identities import Identify
from renaissance.tasks.common.joint_features import JointFeatures
from renaissance.tasks.common.joint_ranking import JointSpaceEvaluation
from renaissance.tasks.common.outcome import Outcome
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.step_wide import StepWideTask
from renaissance.tasks.common.task import Question, TaskContext
from renaissance.tasks.declaration import TaskDeclaration

CLIP_SCALE = 1 / 0.07
SIGLIP_SCALE, SIGLIP_BIAS = 10.0, -10.0
MOST_SCALE = 100.0


class ContrastiveTask(StepWideTask):
    """Projections of texts and images into a joint space, and CLIP's or SigLIP's loss on their similarities.

    Attributes:
        text_projection: linear, from the width of a text alone to the joint space's E; of a whole SigLIP nothing.
        image_projection: linear, from the width of an image alone to E; of a whole SigLIP nothing.
        log_scale: the logarithm of the scale, a scalar.
        logit_bias: SigLIP's bias, a scalar; None with CLIP's loss.
    """

    kind = "similarity"

    def __init__(self, context: TaskContext) -> None:
        super().__init__(context)
        settings, size = context.settings, context.settings.contrastive_size
        self._is_siglip = settings.contrastive_loss == "siglip"
        self._masks = settings.mask_false_negatives
        self.dropout = nn.Dropout(settings.contrastive_drop_rate)
        joint_space = context.model.joint_space
        if joint_space is not None:
            joint_space.check(settings.contrastive_loss, size)
        is_whole_siglip = joint_space is not None and joint_space.family == "siglip"
        self._is_published_siglip = joint_space is not None and is_whole_siglip and joint_space.is_published
        is_projected = not is_whole_siglip
        self.text_projection = nn.Linear(context.model.text_size, size, bias=False) if is_projected else nn.Identity()
        self.image_projection = nn.Linear(context.model.image_size, size, bias=False) if is_projected else nn.Identity()
        initialise(self)
        self.log_scale = nn.Parameter(torch.tensor(math.log(SIGLIP_SCALE if self._is_siglip else CLIP_SCALE)))
        self.logit_bias = nn.Parameter(torch.tensor(SIGLIP_BIAS)) if self._is_siglip else None
        if joint_space is not None:
            self.load_state_dict({**self.state_dict(), **joint_space.start})

    @classmethod
    def collate(
        cls, declaration: TaskDeclaration, settings: ModelAndTaskSettings, text: TextProcessor | None, training: bool
    ) -> Collate:
        return Identify()

    @classmethod
    def collate_inputs(
        cls, declaration: TaskDeclaration, settings: ModelAndTaskSettings, text: TextProcessor | None
    ) -> Collate | None:
        return None

    @property
    def scale(self) -> float:
        """What similarities are multiplied with."""
        return float(self.log_scale.detach().exp())

    @property
    def bias(self) -> float | None:
        """What is added to scaled similarities before the sigmoid; None where the model was trained with a softmax."""
        return None if self.logit_bias is None else float(self.logit_bias.detach())

    def embed_text(self, step: Step) -> Tensor:
        """The texts of a step in the joint space (B, E) float32, of length 1."""
        return self._embed(step.model, self.text_projection, step.text, None)

    def embed_image(self, step: Step) -> Tensor:
        """The images of a step in the joint space (B, E) float32, of length 1."""
        return self._embed(step.model, self.image_projection, None, step.image)

    def _embed(
        self, model: VisionLanguageEncoder, projection: nn.Module, text: Features | None, image: Features | None
    ) -> Tensor:
        pooled = model.fuse(text, image, outputs=frozenset(("pooled",))).pooled
        return F.normalize(projection(self.dropout(pooled)).float(), dim=-1)

    def contribute(self, step: Step) -> dict[str, Tensor]:
        """Features and identifiers of a micro-batch; they stay on the step, for tasks that draw by similarity.

        Args:
            step: B examples.

        Returns:
            "text" and "image": (B, E) in the joint space; "text_id" and "image_id": (B,) long (see `Identify`).
        """
        features = {"text": self.embed_text(step), "image": self.embed_image(step)}
        identifiers = step.batch.collated[self.name]
        detached = {name: feature.detach() for name, feature in features.items()}
        step.joint = JointFeatures(**detached, **identifiers, scale=self.log_scale.detach().exp())
        return {**features, **identifiers}

    def loss_over(self, contributions: Mapping[str, Tensor]) -> Outcome:
        """A loss for each of N pairs, which are each other's negatives, and whether each found its partner.

        Args:
            contributions: "text", "image" (N, E), "text_id" and "image_id" (N,).

        Returns:
            (N,) "loss", "accuracy" (the mean of both directions) and "scale"; "text", "image", "text_id" and
            "image_id" as they came, in the details.
        """
        text, image = contributions["text"], contributions["image"]
        together = stand_together(contributions["text_id"], contributions["image_id"])
        own = torch.eye(len(text), dtype=torch.bool, device=text.device)
        left_out = together & ~own if self._masks else None
        with torch.autocast(text.device.type, enabled=False):  # similarities that differ little would become equal
            logits = self.log_scale.exp() * text.float() @ image.float().T
            if self.logit_bias is not None:
                losses = sigmoid_losses(logits + self.logit_bias, left_out)
            else:
                losses = softmax_losses(logits, left_out)
        values = {"loss": losses, "accuracy": _found(logits.detach().masked_fill(together & ~own, -torch.inf))}
        return Outcome({**values, "scale": self.log_scale.detach().exp().expand(len(text))}, details=contributions)

    @torch.no_grad()
    def after_optimizer_step(self) -> None:
        """Set the scale back to where it may be, 1 to 100: beyond it training becomes unstable.

        Published SigLIPs have learned a scale beyond it, and go on from there.
        """
        if not self._is_published_siglip:
            self.log_scale.clamp_(0, math.log(MOST_SCALE))

    def evaluation(self, split: Split) -> JointSpaceEvaluation:
        return JointSpaceEvaluation(self, split)

    def question(self, examples: Examples, index: int) -> Question:
        """A text with its own image, which match."""
        return replace(super().question(examples, index), right="match")

    def claim(self, step: Step, target: Target | None = None) -> Claim:
        """That text and image belong together, by their scaled similarity; with SigLIP by the log-odds of it."""
        answer = ("match",)[among(0 if target is None else target, ("match",), self.name)]

        def strength(pairs: Step) -> Tensor:
            similarities = (self.embed_text(pairs) * self.embed_image(pairs)).sum(-1)
            return self.scale * similarities + (self.bias or 0.0)

        return Claim(answer, strength, "similarity" if self.logit_bias is None else "log-odds")

    def answers(self, step: Step) -> list[dict[str, Any]]:
        """The "similarity" of each example's text and image, -1 to 1; with SigLIP the "probability" of a match too."""
        similarities = (self.embed_text(step) * self.embed_image(step)).sum(-1)
        answers = [{"similarity": similarity} for similarity in similarities.tolist()]
        if self.logit_bias is not None:
            matches = (self.log_scale.exp() * similarities + self.logit_bias).sigmoid()
            for answer, match in zip(answers, matches.tolist(), strict=True):
                answer["probability"] = match
        return answers


def _found(logits: Tensor) -> Tensor:
    """Of N pairs the mean of whether the text finds its image and the image its text (N,), from logits (N, N)."""
    own = torch.arange(len(logits), device=logits.device)
    return ((logits.argmax(1) == own).float() + (logits.argmax(0) == own).float()) / 2
