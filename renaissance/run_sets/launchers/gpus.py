"""Which GPUs each of several runs at once may see: the visible ones are shared out, and none has another's."""

from __future__ import annotations

import os

from renaissance.errors import UserError
from renaissance.settings.groups.experiment import MachineSettings

VISIBLE = "CUDA_VISIBLE_DEVICES"


class Places:
    """Places for runs at once, each with its GPUs.

    Args:
        gpus: of each place, the GPUs by the names that CUDA_VISIBLE_DEVICES knows; None leaves a run all there are.
    """

    def __init__(self, gpus: list[list[str] | None]) -> None:
        self._gpus = gpus
        self._free = list(range(len(gpus)))

    def take(self) -> tuple[int, dict[str, str]]:
        """A free place: its number, and what the environment of its run is to say."""
        place = self._free.pop(0)
        gpus = self._gpus[place]
        return place, {} if gpus is None else {VISIBLE: ",".join(gpus)}

    def give_back(self, place: int) -> None:
        """The run of a place has ended."""
        self._free.append(place)


def places_of(settings: MachineSettings, at_once: int) -> Places:
    """Places for so many runs at once.

    Raises:
        UserError: there are fewer GPUs than the runs need.
    """
    if at_once == 1 or settings.num_gpus == 0:
        return Places([None] * at_once)
    names = _visible()
    each = len(names) // at_once if settings.num_gpus == "auto" else settings.num_gpus
    if settings.num_gpus == "auto" and not names:
        return Places([None] * at_once)
    if not each or each * at_once > len(names):
        wanted = "at least one" if settings.num_gpus == "auto" else str(each)
        raise UserError(
            f"runs_at_once={at_once}: each run needs {wanted} of the GPUs, and {len(names)} are visible. "
            "Give fewer at once, or num_gpus=0."
        )
    return Places([names[place * each : (place + 1) * each] for place in range(at_once)])


def _visible() -> list[str]:
    """The GPUs of this machine that this process may use."""
    import torch  # here, since it takes seconds

    count = torch.cuda.device_count()
    named = [name.strip() for name in os.environ.get(VISIBLE, "").split(",") if name.strip()]
    return named[:count] if named else [str(number) for number in range(count)]
