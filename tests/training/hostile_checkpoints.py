"""Checkpoints that nobody's run wrote: mutations of a real small one, of what it says and of its bytes.

Each is to be refused with one message, or read where the change does no harm; within seconds, without a traceback.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

Content = dict[str, Any]
Case = tuple[str, Path]

DESCRIPTION = "renaissance"
HUGE = 10**6
STRANGE: dict[str, Any] = {
    "None": None,
    "a number of 300 digits": 10**300,
    "a text": "strange",
    "a dict of a tensor": {"strange": torch.zeros(3)},
}
ENTRIES = {
    (): ("state_dict", "global_step", "validated_step", "plan", "best", "stopping", DESCRIPTION),
    (DESCRIPTION,): ("settings", "encoder_configs", "text", "label_names", "image_statistics"),
    (DESCRIPTION, "text"): ("tokenizer", "special", "special_ids", "max_text_len"),
    (DESCRIPTION, "image_statistics"): ("mean", "std", "resample"),
    (DESCRIPTION, "encoder_configs"): ("text_encoder", "image_encoder"),
}
SETTINGS = ("text_encoder", "image_encoder", "model_type", "loss_names", "image_size", "max_text_len",
            "cross_layer_hidden_size", "num_cross_layers", "num_cross_layer_heads")  # fmt: skip
SIZES = {
    "text_encoder": ("hidden_size", "num_hidden_layers", "intermediate_size", "vocab_size", "embedding_size",
                     "max_position_embeddings", "num_attention_heads", "model_type"),
    "image_encoder": ("hidden_size", "num_hidden_layers", "intermediate_size", "image_size", "patch_size",
                      "num_channels", "num_attention_heads", "model_type"),
}  # fmt: skip


def hostile_contents(original: Path, folder: Path) -> Iterator[Case]:
    """Files that say something strange, written one after the other: what is strange, and the file."""
    path = folder / "content.ckpt"
    for name, change in _changes():
        content = torch.load(original, weights_only=True)
        change(content)
        torch.save(content, path)
        yield name, path


def hostile_files(original: Path, folder: Path) -> Iterator[Case]:
    """Files whose bytes are damaged or made to do harm, written one after the other: how, and the file."""
    data, path = original.read_bytes(), folder / "bytes.ckpt"
    for name, damage in DAMAGES.items():
        path.write_bytes(damage(data))
        yield name, path


def _changes() -> Iterator[tuple[str, Callable[[Content], None]]]:
    for where, entries in ENTRIES.items():
        for entry in entries:
            for what, value in STRANGE.items():
                yield f"{'.'.join((*where, entry))} is {what}", _setting((*where, entry), value)
            if where:
                yield f"{'.'.join((*where, entry))} is missing", _without((*where, entry))
    for name in SETTINGS:
        for value in (HUGE, {"strange": 1}):
            yield f"the setting {name} is {value}", _setting((DESCRIPTION, "settings", name), value)
    for part, names in SIZES.items():
        for name in names:
            for value in (-1, HUGE, "gpt2"):
                yield f"{part}: {name} is {value}", _setting((DESCRIPTION, "encoder_configs", part, name), value)
    yield "an unknown entry", _setting((DESCRIPTION, "strange"), 1)
    yield "an unknown setting", _setting((DESCRIPTION, "settings", "strange"), 1)
    yield "a list within itself, two hundredfold", _setting((DESCRIPTION, "settings", "datasets"), _nested(200))
    yield "10^20 names", _setting((DESCRIPTION, "label_names"), _laughs())
    yield "a million names", _setting((DESCRIPTION, "label_names"), {"imdb": ["x"] * HUGE})
    yield "a vocabulary of 50 MB", _setting((DESCRIPTION, "text", "tokenizer"), "[" * 50_000_000)
    for what, change in TENSORS.items():
        yield f"a weight is {what}", partial(_replace_weight, change=change)
    yield "no weights", _setting(("state_dict",), {})
    yield "a weight's name is a number", _setting(("state_dict", 3), torch.zeros(3))
    yield (
        "ten thousand other weights",
        _setting(("state_dict",), {f"model.w{n}.x": torch.zeros(1) for n in range(10000)}),
    )


def _setting(where: tuple[Any, ...], value: Any) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        for key in where[:-1]:
            content = content[key]
        content[where[-1]] = value

    return change


def _without(where: tuple[Any, ...]) -> Callable[[Content], None]:
    def change(content: Content) -> None:
        for key in where[:-1]:
            content = content[key]
        del content[where[-1]]

    return change


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def _laughs() -> dict[str, Any]:
    """A list of ten times the same list of ten times the same list ...: small on disk, endless to whoever walks it."""
    value: list[Any] = ["ha"] * 10
    for _ in range(20):
        value = [value] * 10
    return {"imdb": value}


def _replace_weight(content: Content, change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    name = next(name for name, tensor in content["state_dict"].items() if tensor.dim() == 2)
    content["state_dict"][name] = change(content["state_dict"][name])


TENSORS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "sparse": lambda weight: weight.to_sparse(),
    "sparse in rows": lambda weight: weight.to_sparse_csr(),
    "on no device": lambda weight: weight.to("meta"),
    "complex": lambda weight: weight.to(torch.complex64),
    "quantised": lambda weight: torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8),
    "of whole numbers": lambda weight: weight.long(),
    "of numbers in 8 bits": lambda weight: weight.to(torch.float8_e4m3fn),
    "one number shown as 10^12": lambda weight: torch.zeros(1).expand(HUGE, HUGE),
    "empty": lambda weight: weight[:0],
    "of another shape": lambda weight: weight[:, :3].clone(),
    "of 60 dimensions": lambda weight: weight.reshape(*weight.shape, *[1] * 58),
    "not a number": lambda weight: weight * float("nan"),
    "a parameter": lambda weight: torch.nn.Parameter(weight),
    "nested": lambda weight: torch.nested.nested_tensor([weight[0], weight[1, :2]]),
}


def _rewritten(data: bytes, change: Callable[[str, bytes], bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """The archive with other contents of its members, and checksums that are right for them."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(written, "w", compression) as target:
        for member in source.infolist():
            target.writestr(member.filename, change(member.filename, source.read(member)))
    return written.getvalue()


def _other_pickle(pickled: bytes) -> Callable[[bytes], bytes]:
    return lambda data: _rewritten(data, lambda name, old: pickled if name.endswith("data.pkl") else old)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut in half": lambda data: data[: len(data) // 2],
    "without its last byte": lambda data: data[:-1],
    "50 kB of zeros in the middle": lambda data: (
        data[: len(data) // 2] + bytes(50_000) + data[len(data) // 2 + 50_000 :]
    ),
    "one bit of a weight": lambda data: (
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
    ),
    "zeros at its beginning": lambda data: bytes(1000) + data[1000:],
    "zeros at its end": lambda data: data[:-1000] + bytes(1000),
    "something behind its end": lambda data: data + b"strange" * 100,
    "compressed": lambda data: _rewritten(data, lambda name, old: old, zipfile.ZIP_DEFLATED),
    "a bomb": lambda data: _rewritten(
        data, lambda name, old: bytes(2 * 10**9) if name.endswith("/0") else old, zipfile.ZIP_DEFLATED
    ),
    "shorter weights": lambda data: _rewritten(data, lambda name, old: old[:64] if "/data/" in name else old),
    "no pickle": _other_pickle(b""),
    "a pickle of strange bytes": _other_pickle(bytes(range(256)) * 10),
    "a pickle of an unending list": _other_pickle(b"\x80\x02]q\x00h\x00a."),
    "10^12 bytes asked for": _other_pickle(b"\x80\x02c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R."),
    "a name that is none": _other_pickle(b"\x80\x02ctorch\nstrange\n."),
}
