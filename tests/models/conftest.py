"""What the model tests share: small texts and images, small settings, small Hugging Face folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from renaissance.data.batches.batch import Tokens
from renaissance.settings import Settings

VOCABULARY = 60


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    """The same random numbers in each test, and one thread: for matrices this small two are slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def tokens() -> Tokens:
    """Three texts of 7, 4 and 1 tokens."""
    lengths = torch.tensor([7, 4, 1])
    mask = torch.arange(7) < lengths[:, None]
    ids = torch.randint(5, VOCABULARY, (3, 7)) * mask
    return Tokens(ids, mask, torch.zeros_like(ids))


@pytest.fixture
def pixels() -> Tensor:
    """Three images of 32 x 32."""
    return torch.randn(3, 3, 32, 32)


@pytest.fixture
def tiny(make_settings: Callable[..., Settings]) -> Callable[..., Settings]:
    """Settings of a small random model on 32 x 32 images: all dimensions by hand."""
    dimensions = {"hidden_size": 32, "num_heads": 4, "num_layers": 2, "embedding_size": 16}
    manual: dict[str, Any] = {}
    for prefix, random in (("", ""), ("text_encoder_", "text_"), ("image_encoder_", "vision_")):
        manual.update({f"{prefix}{name}": value for name, value in dimensions.items()})
        manual[f"{prefix or 'encoder_'}manual_configuration"] = True
        manual[f"random_init_{random}encoder"] = True
    manual.update(cross_layer_hidden_size=24, num_cross_layers=2, image_size=32, patch_size=8, max_text_len=12)

    def make(**overrides: Any) -> Settings:
        return make_settings(**{**manual, "loss_names": {"mlm": 1, "itm": 1}, **overrides})

    return make


@pytest.fixture
def from_folders(tiny: Callable[..., Settings]) -> Callable[..., Settings]:
    """Settings whose encoders are pretrained ones in folders."""
    own = {f"{name}encoder_manual_configuration": False for name in ("", "text_", "image_")}
    own |= {f"random_init_{name}encoder": False for name in ("", "text_", "vision_")}

    def make(**overrides: Any) -> Settings:
        return tiny(**{**own, "patch_size": None, **overrides})

    return make


@pytest.fixture
def save(tmp_path: Path) -> Callable[[PreTrainedModel], str]:
    """Writes a Hugging Face model into a folder of its own and names the folder."""

    def write(model: PreTrainedModel) -> str:
        folder = tmp_path / f"{model.config.model_type}_{len(list(tmp_path.iterdir()))}"
        model.save_pretrained(folder)
        return str(folder)

    return write
