"""Checkpoints of the time when the decoder was a part of the captioning task."""

from __future__ import annotations

import torch

from renaissance.checkpoints.decoder_names import migrate_decoder


def test_the_decoder_becomes_a_part_of_the_model_and_nothing_else_moves():
    names = {
        "model.image_encoder.weight": "model.image_encoder.weight",
        "tasks.caption.decoder.layers.0.query.weight": "model.decoder.layers.0.query.weight",
        "tasks.caption.decoder.context.image.modality": "model.decoder.context.image.modality",
        "tasks.mlm.head.decoder.weight": "tasks.mlm.head.decoder.weight",
    }
    before = {name: torch.full((2,), float(number)) for number, name in enumerate(names)}
    after = migrate_decoder(before)
    assert list(after) == list(names.values()), "in the same order, by which the optimiser's state counts"
    assert all(after[new] is before[old] for old, new in names.items())
    assert list(before) == list(names), "what was given stays as it is"
    assert migrate_decoder(after) == after
