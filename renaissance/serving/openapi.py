"""What the OpenAPI document says of bodies that are read by hand."""

from __future__ import annotations

from typing import Any

EXAMPLE: dict[str, Any] = {
    "type": "object",
    "description": "The fields that GET /info names for the task.",
    "properties": {
        "text": {"type": "string"},
        "text_pair": {"type": "string"},
        "image": {"type": "string", "description": "an image file in base64, plain or as a data: URL"},
        "second_image": {"type": "string", "description": "an image file in base64, plain or as a data: URL"},
        "boxes": {
            "type": "array",
            "items": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
            "description": "left, upper, width and height in pixels of each box",
        },
    },
}
FORM_FIELDS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "text_pair": {"type": "string"},
        "image": {"type": "string", "format": "binary"},
        "second_image": {"type": "string", "format": "binary"},
        "boxes": {"type": "string", "description": "JSON"},
    },
}


def json_body(schema: dict[str, Any]) -> dict[str, Any]:
    """What a route's entry says of a JSON body."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


PREDICT_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "array", "items": EXAMPLE}},
            "multipart/form-data": {"schema": FORM_FIELDS},
        },
    }
}
ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message"],
            "properties": {
                "message": {"type": "string"},
                "example": {"type": "integer", "description": "the place of the example at fault, from 0"},
                "field": {"type": "string", "description": "its field at fault"},
            },
        }
    },
}
MEANINGS = {
    400: "malformed", 401: "no token, or a wrong one", 403: "a strange Host or Origin", 404: "nothing of this name",
    405: "another method", 408: "the body took too long", 413: "too large", 415: "another media type",
    422: "a bad value", 503: "busy: come again after Retry-After seconds",
}  # fmt: skip
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": meaning, "content": {"application/json": {"schema": ERROR}}}
    for status, meaning in MEANINGS.items()
}
_TEXT: dict[str, Any] = {"type": "string"}
_IMAGE: dict[str, Any] = EXAMPLE["properties"]["image"]
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}
_IMAGES: dict[str, Any] = {"type": "array", "items": _IMAGE}


def _object(properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return json_body({**schema, "required": list(required)} if required else schema)


CAPTION_BODY = _object({"image": _IMAGE, "prefix": _TEXT}, ("image",))
EMBED_BODY = _object({"texts": _TEXTS, "images": _IMAGES})
ZEROSHOT_BODY = _object({"images": _IMAGES, "labels": _TEXTS, "templates": _TEXTS}, ("images", "labels"))
SEARCH_BODY = _object({"text": _TEXT, "image": _IMAGE, "top": {"type": "integer", "minimum": 1, "maximum": 100}})
ATTRIBUTIONS_BODY = _object(
    {
        "example": EXAMPLE,
        "task": _TEXT,
        "method": {"enum": ["occlusion", "attention"]},
        "target": {"description": "the class, by name or number; without, the likeliest"},
        "word": {"type": "integer", "description": "the place of the word whose attention is asked for"},
    },
    ("example",),
)
