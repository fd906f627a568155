"""The data pipeline against a bare Pillow decode and resize of the same files.

    python -m benchmarks.pipeline [--repeats 9] [--images 192]

Photo-like JPEGs of 640 x 480 and some 142 kB are written into a table with captions. Measured in turns, so that what
else the machine does burdens all alike:

* bare: a full decode and a bicubic resize to 224 x 224 of each file, by Pillow, in this process;
* complete examples out of the training loader (order drawn, read, decoded, tokenized, words masked, batched) in one
  process (`num_workers=0`), with one worker process and with two.

Printed are medians with the range of the middle half, and the ratios of each turn. Limits: one process at least
1.0 times bare (aim 1.2; the original Renaissance code reaches 0.37), two workers at least 1.7 times one process.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from PIL import Image

from benchmarks.timing import machine, summarise
from renaissance.data.batches.collate import BatchMaker
from renaissance.data.batches.loader import make_train_loader
from renaissance.data.examples.schema import CAPTIONS, DataNeeds
from renaissance.data.examples.tables import TableExamples
from renaissance.data.images.transform import ImageStatistics, ImageTransform
from renaissance.data.preparing.captions import CAPTION_SCHEMA
from renaissance.data.tables.writer import TableWriter
from renaissance.data.text.processor import TextProcessor
from renaissance.data.text.vocabulary_building import build_vocabulary
from renaissance.tasks.behaviours.masked_language_modelling import MaskWords

SIZE = (640, 480)
SIDE = 224
BATCH = 32
GRAIN = 10.0  # standard deviation of the brightness of single pixels, which decides on the size of the file
WORDS = (
    "a the man woman dog cat street table red blue large small standing sitting riding holding on in with near of "
    "beach board water grass tree bus train plate food pizza kitchen window bear ball field snow mountain sky"
).split()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9, help="turns of each measurement")
    parser.add_argument("--images", type=int, default=192, help="JPEGs in the table; each turn takes them all")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(machine())
    random = np.random.default_rng(0)
    files = [photograph(random) for _ in range(arguments.images)]
    print(f"{len(files)} JPEGs of {SIZE[0]} x {SIZE[1]}, {np.mean([len(file) for file in files]) / 1000:.0f} kB each")
    with tempfile.TemporaryDirectory() as folder:
        source = write_table(Path(folder) / "photographs.arrow", files, random)
        measured = measure(files, source, arguments.repeats)
    for name, rates in measured.items():
        print(f"{name:24} {summarise(rates)} examples/s")
    for name, one, other, limit in (
        ("one process / bare", "one process", "bare", 1.0),
        ("one worker / one process", "one worker", "one process", None),
        ("two workers / one process", "two workers", "one process", 1.7),
    ):
        ratios = [a / b for a, b in zip(measured[one], measured[other], strict=True)]
        print(f"{name:24} {summarise(ratios)}" + (f"  (at least {limit})" if limit else ""))


def measure(files: Sequence[bytes], source: TableExamples, repeats: int) -> dict[str, list[float]]:
    """Examples a second of each way, in turns."""
    text = TextProcessor(build_vocabulary(source.texts, None), max_text_len=40)
    words = np.setdiff1d(np.arange(text.vocab_size), np.fromiter(text.special_ids, np.int64))
    mask = MaskWords(probability=0.15, whole_words=True, mask_id=text.mask_id, random_ids=words)
    transform = ImageTransform(["imagenet"], SIDE, ImageStatistics.of_key("imagenet"))

    def load(workers: int) -> float:
        """Examples a second, after the batches during which workers start."""
        first, batches = 2 * workers + 1, len(source) // BATCH
        loader = make_train_loader(
            [BatchMaker(source, transform, text, {"mlm": mask}, seed=0, training=True)],
            batch_size=BATCH,
            total_batches=first + batches,
            seed=0,
            num_workers=workers,
        )
        stream = iter(loader)
        for _ in range(first):
            next(stream)
        start = time.perf_counter()
        examples = sum(batch.examples for batch in stream)
        return examples / (time.perf_counter() - start)

    ways: dict[str, Callable[[], float]] = {
        "bare": lambda: decode_all(files),
        "one process": lambda: load(0),
        "one worker": lambda: load(1),
        "two workers": lambda: load(2),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats + 1):  # the first turn warms up
        for name, way in ways.items():
            rate = way()
            if turn:
                rates[name].append(rate)
    return rates


def decode_all(files: Sequence[bytes]) -> float:
    """A bare decode at full size and a bicubic resize of each file: files a second."""
    start = time.perf_counter()
    for file in files:
        np.asarray(Image.open(io.BytesIO(file)).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return len(files) / (time.perf_counter() - start)


def photograph(random: np.random.Generator) -> bytes:
    """A JPEG like a photograph's: soft areas of colour, edges, textures and grain, some 142 kB."""
    width, height = SIZE
    picture = np.zeros((height, width, 3), np.float32)
    for cells, weight in ((4, 70.0), (16, 35.0), (64, 16.0), (240, 12.0)):
        coarse = random.normal(128, 60, size=(cells * 3 // 4, cells, 3)).clip(0, 255).astype(np.uint8)
        enlarged = Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC)
        picture += (np.asarray(enlarged, np.float32) - 128) * (weight / 60)
    picture += random.normal(128, GRAIN, size=(height, width, 1))
    file = io.BytesIO()
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def write_table(path: Path, files: Sequence[bytes], random: np.random.Generator) -> TableExamples:
    """A table of the files, a caption of about ten words each."""
    with TableWriter(path, pa.schema(CAPTION_SCHEMA)) as writer:
        for number, file in enumerate(files):
            caption = " ".join(random.choice(WORDS, size=random.integers(7, 14)))
            writer.add({"image": file, "caption": [caption], "image_id": f"{number}.jpg", "split": "train"})
    return TableExamples([path], DataNeeds(CAPTIONS, image=True, text=True))


if __name__ == "__main__":
    main()
