"""The schemas that tests of the data read."""

from __future__ import annotations

from renaissance.data.examples.schema import Column, Schema

REVIEWS = Schema("imdb", {"text": Column("text", "text"), "label": Column("label", "class")})
PICTURES = Schema("cifar10", {"image": Column("image", "image"), "label": Column("label", "class")})
