"""Runs drawn again, without training: each as it draws itself, or several in one picture a metric.

Comes in: the folders of runs, finished or not, and how to draw. Goes out: a new numbered folder of pictures; what a run
has drawn of itself stays as it is. No PyTorch here.
"""

from __future__ import annotations

from pathlib import Path

from renaissance.settings import Settings
from renaissance.tracking.compare import run_names
from renaissance.tracking.curves import Look, check_axis, draw_comparison, draw_curves, read_curves
from renaissance.tracking.run_folder import new_numbered_folder

DEFAULT_FOLDER = "plots"  # under log_dir


def plot_runs(settings: Settings) -> Path:
    """Draw the runs that the settings name: a single one as it drew itself, several side by side.

    Args:
        settings: checked for the command `plot`.

    Returns:
        the new folder.

    Raises:
        UserError: a run cannot be read, has no metrics, or does not know the axis, or no folder can be made.
    """
    assert settings.runs is not None
    look = Look.of_settings(settings)
    runs = {name: read_curves(given) for name, given in zip(run_names(settings.runs), settings.runs, strict=True)}
    check_axis(runs, look)
    parent = Path(settings.plot_dir or Path(settings.log_dir) / DEFAULT_FOLDER)
    folder = new_numbered_folder(parent, f"plot_dir={parent}")
    if len(runs) == 1:
        drawn = draw_curves(next(iter(runs.values())), folder, look)
    else:
        drawn = draw_comparison(runs, folder, look)
    print(f"{len(drawn)} pictures of {', '.join(runs)}, as {', '.join(look.formats)}")
    print(f"plots: {folder}")
    return folder
