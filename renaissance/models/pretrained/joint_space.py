"""The joint space of a whole CLIP or SigLIP of transformers, whose two encoders are taken as towers (`clip_model`).

In: what asks for the model. Out: how wide its joint space is, whether its encoders are projected into it, and where
projections, scale and bias start. The towers' configurations remember it, so a checkpoint's model is built the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor
from transformers import PreTrainedConfig

from renaissance.errors import UserError
from renaissance.models.pretrained.sources import EncoderRequest, find_config, is_sketch, load_pretrained

Family = Literal["clip", "siglip"]
ENTRY = "joint_space"  # of a tower's configuration
TEXT_MODELS: dict[str, Family] = {"clip_text_model": "clip", "siglip_text_model": "siglip"}
# What transformers calls the tensors of each family beside its encoders, by what they are here.
STARTS: dict[Family, dict[str, str]] = {
    "clip": {
        "text_projection.weight": "text_projection.weight",
        "image_projection.weight": "visual_projection.weight",
        "log_scale": "logit_scale",
    },
    "siglip": {"log_scale": "logit_scale", "logit_bias": "logit_bias"},
}


@dataclass(frozen=True)
class JointSpace:
    """Where the texts and the images of such a model meet.

    Attributes:
        family: "clip" pools a text at its end and projects both sides; "siglip" pools at the last of all positions,
            padding included, and projects nothing more. Each has its loss.
        size: width E.
        is_published: whether the model began with published weights, rather than at random.
        start: the tensors that the contrastive task's head starts from, by the names that it has for them; empty where
            they begin at random, or come from a checkpoint.
    """

    family: Family
    size: int
    is_published: bool = True
    start: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of_config(cls, config: Mapping[str, Any] | None) -> JointSpace | None:
        """The one that a tower's configuration, of a checkpoint, remembers; None where there is none."""
        kept = (config or {}).get(ENTRY)
        if not isinstance(kept, Mapping):
            return None
        return cls(kept["family"], kept["size"], bool(kept.get("is_published", True)))

    def remember(self, config: PreTrainedConfig) -> None:
        """Write it into a tower's configuration."""
        setattr(config, ENTRY, {"family": self.family, "size": self.size, "is_published": self.is_published})

    def check(self, loss: str, size: int) -> None:
        """Refuse settings of the contrastive task that contradict it.

        Args:
            loss: `contrastive_loss`.
            size: `contrastive_size`.

        Raises:
            UserError: naming those that go with the model.
        """
        wanted = {"contrastive_loss": self.family, "contrastive_size": self.size}
        given = {"contrastive_loss": loss, "contrastive_size": size}
        wrong = [f"{name}={value} (not {given[name]})" for name, value in wanted.items() if given[name] != value]
        if wrong:
            raise UserError(f"clip_model is a {self.family} model, which goes with {' and '.join(wrong)}.")


def find_joint_space(request: EncoderRequest) -> JointSpace:
    """The joint space of the model that `clip_model` names.

    Args:
        request: asks for the whole model; where it does not begin at random, its weights are read.

    Raises:
        UserError: it is none of these models, or cannot be had.
    """
    config = find_config(request, None)
    family = TEXT_MODELS.get(getattr(getattr(config, "text_config", None), "model_type", ""))
    if family is None:
        raise UserError(
            f"clip_model = {request.name!r} is a {config.model_type} model, neither a CLIP nor a SigLIP. Take one such "
            "as openai/clip-vit-base-patch32 or google/siglip-base-patch16-224, or name image_encoder and text_encoder."
        )
    size = config.projection_dim if family == "clip" else config.text_config.projection_size
    if request.random or is_sketch():
        return JointSpace(family, size, is_published=not request.random)
    tensors = load_pretrained(request, config, []).state_dict()
    start = {ours: tensors[theirs].squeeze() if "scale" in ours or "bias" in ours else tensors[theirs]
             for ours, theirs in STARTS[family].items()}  # fmt: skip
    return JointSpace(family, size, start=start)
