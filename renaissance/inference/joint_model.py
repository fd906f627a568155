"""A trained CLIP or SigLIP as transformers' own whole model, for export.

In: a restored model whose towers came from one (`clip_model`), and its contrastive task. Out: a `CLIPModel` or a
`SiglipModel` with equal features and logits.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import CLIPConfig, CLIPModel, PreTrainedModel, SiglipConfig, SiglipModel

from renaissance.checkpoints.restore import Restored
from renaissance.models.interface import VisionLanguageEncoder
from renaissance.models.pretrained.joint_space import ENTRY, STARTS, Family
from renaissance.models.pretrained.sources import config_to_dict
from renaissance.tasks.behaviours.contrastive import ContrastiveTask

CLASSES: dict[Family, tuple[Any, Any]] = {"clip": (CLIPConfig, CLIPModel), "siglip": (SiglipConfig, SiglipModel)}
ANY_TEXT_END = 2  # a CLIP whose eos_token_id is this takes each text's highest number for its end


def joint_model(restored: Restored) -> PreTrainedModel | None:
    """The whole model; None where the towers are of none, or no contrastive task was trained."""
    heads = [task for task in restored.tasks.values() if isinstance(task, ContrastiveTask)]
    space = restored.model.joint_space
    towers = _towers(restored.model)
    if space is None or len(heads) != 1 or len(towers) != 2 or restored.text is None:
        return None
    text, image = towers["text_encoder"], towers["image_encoder"]
    configs = {"text_config": _plain(text), "vision_config": _plain(image)}
    if space.family == "clip":
        last = int(restored.text.encode([""])[0][0][-1])
        if last == ANY_TEXT_END:
            return None
        configs["text_config"] |= {"eos_token_id": last, "projection_dim": space.size}
    kind, model_class = CLASSES[space.family]
    config = kind(**configs, **({"projection_dim": space.size} if space.family == "clip" else {}))
    with torch.random.fork_rng(devices=[]):
        model: PreTrainedModel = model_class(config)
    own = model.state_dict()
    head = heads[0].state_dict()
    weights = {theirs: head[ours].reshape(own[theirs].shape) for ours, theirs in STARTS[space.family].items()}
    for name, tower in {"text_model": text, "vision_model": image}.items():
        weights |= {f"{name}.{key}": tensor for key, tensor in tower.state_dict().items()}
    model.load_state_dict(weights)
    return model.eval()


def _towers(model: VisionLanguageEncoder) -> dict[str, PreTrainedModel]:
    """The two encoders of transformers that the model has as towers."""
    found = {part.name: part.hugging_face_model() for part in model.parts()}
    return {name: found[name] for name in ("text_encoder", "image_encoder") if found.get(name) is not None}  # type: ignore[misc]


def _plain(tower: PreTrainedModel) -> dict[str, Any]:
    """A tower's configuration without what Renaissance notes in it."""
    return {name: value for name, value in config_to_dict(tower.config).items() if name != ENTRY}
