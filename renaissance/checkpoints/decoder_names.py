"""Where a checkpoint keeps its decoder: today a part of the model, once a part of the captioning task."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

BEFORE, NOW = "tasks.caption.decoder.", "model.decoder."


def migrate_decoder(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under the names of today, the decoder's `model.decoder.…` rather than `tasks.caption.decoder.…`.

    The order of the tensors stays, and with it the one in which the optimiser's state counts them: the decoder came
    right behind the model before, too. Weights that have these names already are handed back as they are.

    Args:
        state_dict: a checkpoint's weights by name.
    """
    return {
        NOW + name.removeprefix(BEFORE) if name.startswith(BEFORE) else name: tensor
        for name, tensor in state_dict.items()
    }
