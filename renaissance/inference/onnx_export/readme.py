"""The README of an exported folder: what is in it, and Python that runs it without PyTorch and without us.

In: the graphs and what config.json says. Out: Markdown, whose code reads texts and images as the model does.
"""

from __future__ import annotations

from collections.abc import Sequence

from renaissance.inference.onnx_export.graphs import Graph

IMPORTS = """import json

import numpy as np
from onnxruntime import InferenceSession
"""
PICTURES = """from PIL import Image, ImageOps
"""
TOKENIZER = """from tokenizers import Tokenizer
"""
START = """
config = json.load(open("config.json", encoding="utf-8"))
"""
TEXTS = """

def read_texts(texts, others=None):  # two lists for a model of two texts
    text = config["text"]
    tokenizer = Tokenizer.from_file("tokenizer.json")
    tokenizer.enable_truncation(text["max_text_len"], direction="right" if others else text["truncation"])
    tokenizer.enable_padding(pad_id=text["pad_token_id"], pad_token=text["pad_token"])
    found = tokenizer.encode_batch(list(zip(texts, others)) if others else texts)
    columns = {"input_ids": "ids", "attention_mask": "attention_mask"}
    columns |= {"token_type_ids": "type_ids"} if others else {}
    return {name: np.array([getattr(one, column) for one in found], np.int64) for name, column in columns.items()}
"""
IMAGES = """

def read_images(files):
    return np.stack([read_image(file) for file in files])


def read_image(file):
    image, wanted = Image.open(file), config["image"]
    size, scale = wanted["size"], wanted["size"] / min(image.size)
    image.draft("RGB", tuple(-int(-side * scale // 1) for side in image.size))  # large JPEGs at a fraction
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        paper, image = Image.new("RGB", image.size, "white"), image.convert("RGBA")
        paper.paste(image, mask=image)
        image = paper
    box = [edge * side / resized  # the middle square of the image whose shorter side is resized
           for side in image.size for resized in [side * size // min(image.size)]
           for edge in ((resized - size) // 2, (resized - size) // 2 + size)]
    image = image.convert("RGB").resize((size, size), wanted["resample"], (box[0], box[2], box[1], box[3]))
    pixels = (np.asarray(image, np.float32) / 255 - wanted["mean"]) / wanted["std"]
    return pixels.transpose(2, 0, 1).astype(np.float32)
"""
TEXT = '["the first text", "another one"]'
IMAGE = '["first.png", "second.png"]'


def readme(graphs: Sequence[Graph], checkpoint: str, step: int) -> str:
    """The whole page.

    Args:
        graphs: those that the folder has.
        checkpoint: what they came from.
        step: the optimiser step that it was written at.
    """
    texts = any(graph.text_fields for graph in graphs)
    images = any(graph.image_fields for graph in graphs)
    code = [
        IMPORTS,
        PICTURES if images else "",
        TOKENIZER if texts else "",
        START,
        TEXTS if texts else "",
        IMAGES if images else "",
        "\n",
        *(_call(graph) for graph in graphs),
    ]
    remarks = []
    if images:
        remarks = [
            "",
            "Pixels are Renaissance's for pictures of up to 8 bits a colour; it reads others in its own way.",
        ]
    return "\n".join([
        "# A model as ONNX",
        "",
        f"Out of {checkpoint}, step {step:,}, by Renaissance. `config.json` says what goes into each file and what",
        "comes out. The number of examples and the length of texts are free. Run in this folder, after",
        f"`pip install onnxruntime numpy{' tokenizers' if texts else ''}{' pillow' if images else ''}`:",
        "",
        "```python",
        "".join(code).rstrip(),
        "```",
        *remarks,
        "",
    ])  # fmt: skip


def _call(graph: Graph) -> str:
    """Lines that ask one file."""
    others = f", {TEXT}" if len(graph.text_fields) > 1 else ""
    texts = f"**read_texts({TEXT}{others}), " if graph.text_fields else ""
    images = ", ".join(f'"{name}": read_images({IMAGE})' for name in graph.pixels().values())
    session = f'session = InferenceSession("{graph.name}.onnx")\n'
    run = f"(found,) = session.run(None, {{{texts}{images}}})\n".replace(", }", "}")
    if graph.answers is None:
        return f"\n{session}{run}print(found)  # a vector a row\n"
    names = f'names = config["models"]["{graph.name}"]["answers"]\n'
    return f"\n{session}{run}{names}print([dict(zip(names, row)) for row in found.tolist()])\n"
