"""The row of attention that is looked at, by how a task's text and image meet.

In: an example and the columns of a word. Out: weights over the positions of its pictures and over its tokens.

Shapes: L tokens, P image positions, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from renaissance.attributions.recording import Recorded, recording, rollout
from renaissance.attributions.subject import Picture, Subject
from renaissance.errors import UserError
from renaissance.models.decoders.interface import decoder_of
from renaissance.models.decoders.transformer import DecoderLayer
from renaissance.models.fusion.fuser import CrossModalEncoder, CrossModalLayer
from renaissance.models.interface import Features
from renaissance.tasks.common.claim import Claim
from renaissance.tasks.common.step import Step

LAST = "Cross-attention of the last layer, the mean over its heads."
ROLLOUT = "Attention rollout over all layers, the mean over their heads."


@dataclass
class Look:
    """What a position looks at.

    Attributes:
        meaning: which weights these are, in a sentence.
        images: of each picture the weights of its positions (P,).
        text: the weights of the tokens (L,); None where there are none.
    """

    meaning: str
    images: list[Tensor] = field(default_factory=list)
    text: Tensor | None = None


def look_of_pairs(subject: Subject, step: Step, pictures: Sequence[Picture], columns: Sequence[int] | None) -> Look:
    """Of a text that is fused with pictures, one after the other; words get the mean over these.

    Raises:
        UserError: text and image meet without attention.
    """
    encoder = subject.model.encoder
    rows = list(columns) if columns is not None else _read_from(subject, step)
    text = step.text.select(torch.zeros(len(pictures), dtype=torch.long, device=subject.model.device))
    features = [subject.features(picture) for picture in pictures]
    image = Features(torch.cat([one.hidden for one in features]), torch.cat([one.mask for one in features]))
    with recording(encoder) as recorded:
        encoder.fuse(text, image)
    length, positions = text.hidden.shape[1], image.hidden.shape[1]
    fuser = getattr(encoder, "fuser", None)
    if isinstance(fuser, CrossModalEncoder):
        last = fuser.layers[-1]
        assert isinstance(last, CrossModalLayer)
        across, itself = recorded.of(last.cross)[0], recorded.of(last.text_self)[0]  # the text looks first
        return Look(LAST, list(across[:, rows].mean(1)), itself[:, rows].mean(1).mean(0))
    layers = recorded.square(length + positions)
    if not layers:
        raise UserError(
            f"{subject.task.name}: in a {subject.model.settings.model_type} model text and image meet as one vector "
            "each, so no word looks at a picture. Take occlusion."
        )
    found = rollout(layers)[:, rows].mean(1)
    return Look(ROLLOUT, list(found[:, length:]), found[:, :length].mean(0))


def look_of_decoder(subject: Subject, claim: Claim, step: Step, columns: Sequence[int]) -> Look:
    """Of a text that a decoder writes: what it looks at where it writes the tokens at some columns.

    Raises:
        UserError: its attention cannot be had, or nothing was written.
    """
    assert claim.by_token is not None
    rows = [column - 1 for column in columns]  # the token before is what it writes from
    if not rows:
        raise UserError(f"{subject.task.name}: the caption is empty, so no word of it looks anywhere.")
    decoder = decoder_of(subject.model.encoder)
    with recording(subject.model.encoder) as recorded:
        claim.by_token(step)
    across, itself = _of_decoder(decoder, recorded)
    if across is None or itself is None:
        raise UserError(f"{subject.task.name}: its decoder hands out no attention. Take occlusion.")
    positions = step.image.hidden.shape[1]
    names = list(decoder.context)
    start = (across.shape[-1] - positions) * (names.index("image") > 0)  # of two kinds of features, side by side
    found = across[0, rows].mean(0)[start : start + positions]
    text = itself[0, rows].mean(0)
    return Look(LAST, [found], torch.cat((text, text.new_zeros(1))))


def _of_decoder(decoder: torch.nn.Module, recorded: Recorded) -> tuple[Tensor | None, Tensor | None]:
    """A decoder's last cross-attention (B, T, C) and self-attention (B, T, T)."""
    layers = getattr(decoder, "layers", None)
    if layers is not None and isinstance(layers[-1], DecoderLayer):
        last = layers[-1]
        return recorded.of(last.cross_attention)[0], recorded.of(last.self_attention)[0]
    output = recorded.outputs.get("decoder")
    across, itself = (getattr(output, name, None) for name in ("cross_attentions", "attentions"))
    if not across or not itself:
        return None, None
    return across[-1].float().mean(1), itself[-1].float().mean(1)


def look_alone(subject: Subject, step: Step, pictures: Sequence[Picture], columns: Sequence[int] | None) -> Look:
    """Of pictures and texts that are encoded each alone: what their one vector is made of.

    Raises:
        UserError: a word was chosen, and no word sees a picture; or an encoder has no attention over all positions.
    """
    encoder, look = subject.model.encoder, Look(ROLLOUT)
    if columns is not None and pictures:
        raise UserError(f"word: in {subject.task.name} no word looks at a picture: text and image are encoded alone.")
    for picture in pictures:
        with recording(encoder) as recorded:
            hidden = encoder.fuse(None, subject.encode([(picture, None)])).image
        assert hidden is not None
        look.images.append(_pooled_row(subject, recorded, hidden, encoder.pool_image, "image"))
    if subject.reading is not None:
        tokens = step.batch.tokens
        assert tokens is not None
        with recording(encoder) as recorded:
            read = encoder.encode_text(tokens)
            hidden = encoder.fuse(read, None).text
        assert hidden is not None
        there = read.mask  # not the tokens' own: a SigLIP reads its padding, and pools behind it
        if columns is not None:
            look.text = _rolled(subject, recorded, hidden, "text")[list(columns)].mean(0)
        else:
            look.text = _pooled_row(subject, recorded, hidden, lambda one: encoder.pool_text(one, there), "text")
    return look


def _rolled(subject: Subject, recorded: Recorded, hidden: Tensor, side: str) -> Tensor:
    """The rollout (N, N) of an encoder's layers."""
    layers = recorded.square(hidden.shape[1])
    if not layers:
        raise UserError(
            f"{subject.task.name}: this model's {side} encoder has no attention over all positions to give. Take "
            "occlusion."
        )
    return rollout(layers)[0]


def _pooled_row(
    subject: Subject, recorded: Recorded, hidden: Tensor, pool: Callable[[Tensor], Tensor], side: str
) -> Tensor:
    """The rollout's row (N,) of the positions that become one vector, by how much of it each makes up."""
    found = _rolled(subject, recorded, hidden, side)
    with torch.enable_grad():
        leaf = hidden.detach().clone().requires_grad_(True)
        (slopes,) = torch.autograd.grad(pool(leaf).sum(), leaf)
    share = slopes[0].float().norm(dim=-1)
    return (share / share.sum()) @ found


def _read_from(subject: Subject, step: Step) -> list[int]:
    """The column that an answer is read from: the first mask token, where the text has one, or the first token."""
    assert step.batch.tokens is not None
    processor = subject.model.text
    ids = step.batch.tokens.ids[0].tolist()
    return [ids.index(processor.mask_id)] if processor and processor.has_mask and processor.mask_id in ids else [0]
