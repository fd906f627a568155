"""Which columns of a table hold images and captions: as the settings say, or by the names that such tables use.

In: the schema of a table. Out: `ImageTextColumns`, or a message that lists the columns there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from renaissance.errors import UserError

IMAGE_NAMES = ("image", "images", "img", "picture", "image_bytes", "image_path", "file_name", "jpg", "jpeg", "png")
CAPTION_NAMES = ("caption", "captions", "text", "texts", "txt", "sentence", "sentences", "description", "prompt")
BYTES, PATH = "bytes", "path"  # the fields of an image in the tables of Hugging Face's datasets


@dataclass(frozen=True)
class ImageTextColumns:
    """The columns that are read.

    Attributes:
        image: the images: bytes of files, paths, or both as a struct.
        captions: a text or a list of texts each.
        split: the split of each row; None where the table has no such column.
    """

    image: str
    captions: tuple[str, ...]
    split: str | None


@dataclass(frozen=True)
class SourceColumns:
    """The columns that all files of a source are read of, kept with its tables.

    Attributes:
        captions: those of captions.
        images: those of images, of which each file has one; none where each image goes by its own ending.
    """

    captions: tuple[str, ...]
    images: tuple[str, ...]


def find_columns(
    schema: pa.Schema, image: str | None, captions: Sequence[str] | None, where: object
) -> ImageTextColumns:
    """The columns of a table that hold images and captions.

    Args:
        schema: of the table.
        image: the setting `image_column`.
        captions: the setting `caption_columns`.
        where: the table's file, for messages.

    Raises:
        UserError: they are not there, of another type, or several could be meant.
    """
    if len(set(schema.names)) < len(schema.names):
        raise UserError(f"{where} has two columns of one name ({', '.join(schema.names)}), so none can be named.")
    images = [field.name for field in schema if _holds_images(field.type)]
    texts = [field.name for field in schema if _holds_texts(field.type)]
    found = image or _one_of(images, IMAGE_NAMES, "image", "image_column", schema, where)
    if found not in images:
        raise UserError(_unusable(found, "image_column", "bytes or paths of image files", schema, where))
    others = [name for name in texts if name != found]
    names = captions or [_one_of(others, CAPTION_NAMES, "caption", "caption_columns", schema, where)]
    for name in names:
        if name not in others:
            raise UserError(_unusable(name, "caption_columns", "texts or lists of texts", schema, where))
    split = "split" if "split" in schema.names and is_text(schema.field("split").type) else None
    return ImageTextColumns(found, tuple(names), split)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds a text a row, as such or by a dictionary."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_list(kind: pa.DataType) -> bool:
    """Whether a column of this type holds a list a row."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_binary(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _has_bytes(kind: pa.DataType) -> bool:
    """Whether it is how Hugging Face's datasets keep an image."""
    return bool(pa.types.is_struct(kind)) and any(field.name == BYTES and _is_binary(field.type) for field in kind)


def _holds_images(kind: pa.DataType) -> bool:
    return _has_bytes(kind) or _is_binary(kind) or is_text(kind)


def _holds_texts(kind: pa.DataType) -> bool:
    return is_text(kind) or (is_list(kind) and is_text(kind.value_type))


def _one_of(
    fitting: Sequence[str], names: Sequence[str], what: str, setting: str, schema: pa.Schema, where: object
) -> str:
    """The column with one of the usual names; else the only one with images as Hugging Face's datasets keep them."""
    found = [name for name in fitting if name.lower() in names]
    if not found and what == "image":
        found = [name for name in fitting if _has_bytes(schema.field(name).type)]
    if len(found) == 1:
        return found[0]
    value = f"'{setting}=[\"{{}}\"]'" if setting == "caption_columns" else f"{setting}={{}}"
    if found:
        several = ", or several, '" + f'caption_columns=["{found[0]}", "{found[1]}"]\'' if what == "caption" else ""
        raise UserError(
            f"{where} has several columns that could hold {what}s: {', '.join(found)}. Name the one that is meant, "
            f"{value.format(found[0])}{several}. {_columns(schema)}"
        )
    raise UserError(
        f"{where} has no {what} column: none that fits is called {', '.join(names)}. Name it, "
        f"{value.format('…')}. {_columns(schema)}"
    )


def _unusable(name: str, setting: str, what: str, schema: pa.Schema, where: object) -> str:
    fault = "holds something else" if name in schema.names else "is not there"
    return f"{where}: {setting} names {name!r}, which should hold {what}, and {fault}. {_columns(schema)}"


def _columns(schema: pa.Schema) -> str:
    shown = ", ".join(f"{field.name} ({field.type!s:.60})" for field in list(schema)[:40])
    more = f" and {len(schema) - 40} more" if len(schema) > 40 else ""
    return f"Its columns: {shown or 'none'}{more}."
