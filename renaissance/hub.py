"""Whether the Hugging Face hub answers: asked once a process, in seconds.

transformers itself tries an absent hub again and again for most of a minute, so everything that might fetch
something asks here first.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from functools import cache

HUB_SECONDS = 4.0  # how long the hub may take to answer before it counts as absent


@cache
def hub_answers() -> bool:
    """Whether the hub can be reached; False at once where HF_HUB_OFFLINE says so."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        return False
    answers: list[object] = []

    def ask() -> None:
        import huggingface_hub

        with suppress(Exception):  # whatever kept it from answering: it does not answer
            answers.append(huggingface_hub.get_session().head(huggingface_hub.constants.ENDPOINT, timeout=HUB_SECONDS))

    # A thread, because a name server that does not answer blocks longer than any timeout one can set.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(HUB_SECONDS)
    return bool(answers)
