"""Whether the Hugging Face hub answers: asked once a process, in seconds.

transformers itself tries an absent hub again and again for most of a minute, so everything that might fetch
something asks here first.
"""

from __future__ import annotations

import os
import threading
from functools import cache

HUB_SECONDS = 4.0  # how long the hub may take to answer before it counts as absent


@cache
def hub_answers() -> bool:
    """Whether the hub can be reached; False at once where HF_HUB_OFFLINE says so."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        return False
    answered = threading.Event()

    def ask() -> None:
        import huggingface_hub

        try:
            huggingface_hub.get_session().head(huggingface_hub.constants.ENDPOINT, timeout=HUB_SECONDS)
        except Exception:  # whatever kept it from answering: it does not answer
            return
        answered.set()

    # A thread, because a name server that does not answer blocks longer than any timeout one can set.
    threading.Thread(target=ask, daemon=True).start()
    return answered.wait(HUB_SECONDS)
