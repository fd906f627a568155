"""What a request may ask for at most, and for how long; with the numbers that no setting changes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from renaissance.settings import Settings

MOST_BOXES = 100  # of an example: each is an image of its own to the model
MOST_PROMPTS = 2000  # labels times templates of a request
MOST_ASIDE = 8  # attributions that wait
MOST_MATCHES = 100  # of a search
MOST_STREAMS = 16  # captions that are written at once
MOST_CONNECTIONS = 500  # a process
MOST_DEPTH_OF_PATH = 32  # folders in the name of an image file
MOST_HEAD = 65_536  # bytes of the head of a request
BODIES_AT_ONCE = 8  # largest bodies that are held at once, over all requests
SECONDS_A_HEAD = 10.0  # that the head of a request may take
SECONDS_A_BODY = 30.0  # that its body may take
SECONDS_A_SEND = 30.0  # that a client may take to read a part of an answer
SECONDS_TO_FINISH = 30  # that requests under way have after a signal
NOTICE = "finishing what is under way"  # what is said then


@dataclass(frozen=True)
class Limits:
    """The limits that settings change; `config.py` says what they mean.

    Attributes:
        examples: of one request.
        body: bytes of one request.
        pixels: of one image.
        text: characters of one text.
        batch: examples that are computed at once.
        wait: seconds that an example waits at most for others.
        queue: examples that may wait.
        images: folder whose files requests may name; None where they may name none.
    """

    examples: int = 256
    body: int = 33_554_432
    pixels: int = 25_000_000
    text: int = 20_000
    batch: int = 32
    wait: float = 0.002
    queue: int = 1024
    images: Path | None = None

    @classmethod
    def of_settings(cls, settings: Settings) -> Limits:
        """The limits that the settings ask for."""
        return cls(
            examples=settings.serve_max_examples,
            body=settings.serve_max_body,
            pixels=settings.serve_max_pixels,
            text=settings.serve_max_text,
            batch=settings.serve_batch_size,
            wait=settings.serve_wait,
            queue=settings.serve_queue,
            images=None if settings.serve_images is None else Path(settings.serve_images),
        )

    def plain(self) -> dict[str, int]:
        """What clients are told."""
        return {"examples": self.examples, "body": self.body, "pixels": self.pixels, "text": self.text}
