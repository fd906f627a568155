"""The built-in table: every name of it builds, and has as many parameters as its publication says."""

from __future__ import annotations

import pytest
import torch

from renaissance.models.pretrained.published import PUBLISHED
from renaissance.models.pretrained.sources import config_from_dict, create_model, sees_images

# Parameters of the published encoders without head and pooler: of transformers' documentation and timm's tables, less
# a head of 1,000 classes ((D + 1) * 1,000) or a pooler ((D + 1) * D).
PARAMETERS = {
    "google/electra-small-discriminator": 13_549_057 - 257 * 256 - 257,
    "google/electra-base-discriminator": 109_482_240 - 769 * 768,
    "prajjwal1/bert-tiny": 4_385_920 - 129 * 128,
    "bert-base-uncased": 109_482_240 - 769 * 768,
    "roberta-base": 124_645_632 - 769 * 768,
    "nreimers/MiniLM-L6-H384-uncased": 22_713_216 - 385 * 384,
    "gpt2": 124_439_808,
    "distilgpt2": 81_912_576,
    "facebook/deit-tiny-patch16-224": 5_717_416 - 193_000,
    "facebook/deit-small-patch16-224": 22_050_664 - 385_000,
    "facebook/deit-base-patch16-224": 86_567_656 - 769_000,
    "google/vit-base-patch16-224": 86_567_656 - 769_000,
    "facebook/dino-vits16": 22_050_664 - 385_000,
    "microsoft/beit-base-patch16-224": 86_530_984 - 769_000,
    "openai/clip-vit-base-patch32": 151_277_313,
    "google/siglip-base-patch16-224": 203_155_970,
    "microsoft/swin-tiny-patch4-window7-224": 28_288_354 - 769_000,
}


def test_every_name_has_its_figure() -> None:
    assert set(PARAMETERS) == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_number_of_parameters(name: str) -> None:
    with torch.device("meta"):
        model = create_model(config_from_dict(PUBLISHED[name]))
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS[name]


def test_modalities() -> None:
    images = {name for name in PUBLISHED if sees_images(config_from_dict(PUBLISHED[name]))}
    assert images == {name for name in PUBLISHED if "224" in name or "dino" in name} - {
        "google/siglip-base-patch16-224"
    }
