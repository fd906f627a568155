"""Encoders that no run of ours has trained: what settings alone describe, and the untrained twin of a trained model.

In: settings and training texts, or a `Model`. Out: a `Model` in evaluation mode. A probe of the twin says what an
architecture gives without its training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from renaissance.checkpoints.restore import Restored
from renaissance.data.examples.schema import DataNeeds
from renaissance.data.images.transform import ImageStatistics
from renaissance.data.text.processor import TextProcessor
from renaissance.inference.model import Model
from renaissance.models.build import build_model
from renaissance.models.interface import VisionLanguageEncoder
from renaissance.settings import Settings


def model_of_settings(settings: Settings, needs: DataNeeds, training_texts: Callable[[], Iterable[str]]) -> Model:
    """The encoder that settings describe, with pretrained or random weights, and no task.

    Args:
        settings: of the architecture; `seed` draws what is random.
        needs: what is read: images or texts.
        training_texts: gives the texts to build a vocabulary from; called only where one is built.

    Raises:
        UserError: an encoder or a tokenizer cannot be had.
    """
    text = TextProcessor.from_settings(settings, training_texts) if needs.text else None
    encoder = _build(settings, text, needs.image, {})
    statistics = None
    if needs.image:
        statistics = encoder.image_statistics or ImageStatistics.of_key(settings.val_transform_keys[0])
    return Model(Restored(settings, encoder, {}, text, statistics, {}))


def untrained_twin(model: Model, seed: int) -> Model:
    """A model of the same architecture, tokenizer and transform whose weights are random, all of them.

    Args:
        model: a model, trained or pretrained.
        seed: of its weights.
    """
    settings = model.settings.model_copy(update={"seed": seed})
    configs = model.encoder.encoder_configs()
    encoder = _build(settings, model.text, bool(model.encoder.image_size), configs)
    return Model(Restored(settings, encoder, {}, model.text, model.statistics, {}), model.device)


def _build(
    settings: Settings, text: TextProcessor | None, image: bool, configs: dict[str, object]
) -> VisionLanguageEncoder:
    """An encoder in evaluation mode; parts with a configuration begin at random, the others as the settings say."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        encoder = build_model(
            settings,
            vocab_size=text.vocab_size if text else 0,
            pad_id=text.pad_id if text else 0,
            image=image,
            text=text is not None,
            fused=False,
            encoder_configs=configs,
        )
    return encoder.eval().requires_grad_(False)
