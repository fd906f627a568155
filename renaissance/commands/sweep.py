"""`sweep`: a configuration with many values of its settings, ranked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from renaissance.commands.declaration import CommandDeclaration

if TYPE_CHECKING:
    from renaissance.settings.schema import Settings


def _something_to_sweep(settings: Settings) -> Iterator[str]:
    from renaissance.run_sets.sweeping.space import faults_of_names  # here, since it reads `Settings`

    if settings.sweep is None:
        yield """sweep: say what to try, such as sweep='{"learning_rate": [1e-5, 1e-4], "freeze_image_encoder": [true, false]}'"""  # noqa: E501
        return
    yield from faults_of_names(settings.sweep)


def _search_fits(settings: Settings) -> Iterator[str]:
    if settings.sweep is None:
        return
    ranges = [name for name, space in settings.sweep.items() if isinstance(space, dict)]
    if settings.sweep_search == "grid":
        if ranges:
            yield f"sweep: {ranges[0]} is a range, which has no combinations: list values, or take sweep_search=random"
        if settings.sweep_trials is not None:
            yield "sweep_trials: a grid has as many trials as combinations; it is for sweep_search=random or bayesian"
    elif settings.sweep_trials is None:
        yield f"sweep_trials: say how many trials sweep_search={settings.sweep_search} is to try, such as 20"


def _one_measure(settings: Settings) -> Iterator[str]:
    weights = settings.sweep is not None and "loss_names" in settings.sweep
    if weights and settings.monitor is None:
        yield "sweep: loss_names: trials of other losses are compared by a metric that all have: give monitor"


COMMAND = CommandDeclaration(
    name="sweep",
    meaning="""Train with many values of settings, and rank them: <task> 'sweep={"learning_rate": [1e-5, 1e-4]}'.""",
    work="renaissance.run_sets.sweeping.sweep:sweep",
    needs=(_something_to_sweep, _search_fits, _one_measure),
    builds_a_model=True,
    starts_runs=True,
)
