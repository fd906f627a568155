"""Curves as pictures: of one run, training against validation; of several runs, side by side.

A picture a metric, one more for each family of metrics that are declared to be (BLEU-1 to 4), and one each for the
learning rate, the gradient's norm and the speed. How they look is told in `drawing/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

from renaissance.tasks.declaration import Family
from renaissance.tasks.registry import declaration_of
from renaissance.tracking.drawing.figure import COLOURS, DASHES, GREY, PALE, Picture
from renaissance.tracking.drawing.run_curves import Look, RunCurves
from renaissance.tracking.drawing.series import Series, Spread, mean_and_spread, pace_series, series_of, smoothed
from renaissance.tracking.drawing.words import (
    PACE,
    SPLITS,
    capital,
    family_of,
    metric_title,
    task_title,
    within_family,
)
from renaissance.tracking.metrics import TRAINING_SPLITS, splits_in_order
from renaissance.tracking.pace import CURVES

# Of the splits beyond training and validation, which have a point each: markers, taken in turn.
MARKERS = ("*", "P", "X", "D", "^", "s")
NOISY = ("gradient_norm", "examples_per_second")  # of what is no metric, what is smoothed as training curves are


class Form(NamedTuple):
    """What tells a run from others: a colour, and dashes."""

    colour: str
    dashes: str


def draw_curves(run: RunCurves, folder: Path, look: Look | None = None) -> list[Path]:
    """Draw every metric `<task>/<split>/<metric>` of a run into `folder/<task>_<metric>.png`, and so on.

    Args:
        run: what is drawn.
        folder: where the pictures go.
        look: how they are drawn.

    Returns:
        the paths of the PNG files.
    """
    look = look or Look()
    look = replace(look, axis=look.axis_of(run))
    pictures = {f"{task}_{metric}": _metric(task, metric, run, look) for task, metric in _metrics([run])}
    families = dict.fromkeys((task, family_of(task, metric)) for task, metric in _metrics([run]))
    pictures |= {f"{task}_{family.name}": _family(task, family, run, look) for task, family in families if family}
    for name in CURVES if run.pace else ():
        pictures[f"pace_{name}"] = picture = _pace_picture(name, look)
        _draw_training(picture, pace_series(run.pace, name, look.axis), "", look if name in NOISY else Look())
    return _written(pictures, folder, look)


def draw_comparison(runs: Mapping[str, Sequence[RunCurves]], folder: Path, look: Look | None = None) -> list[Path]:
    """Draw every metric of several runs into `folder/<task>_<metric>.png`, a colour a run.

    Runs that differ in the seed alone are drawn as one: their mean, and the standard deviation on both sides of it.

    Args:
        runs: by a name what is drawn of a run, or of several that differ in the seed alone.
        folder: where the pictures go.
        look: how they are drawn; a run that does not know the axis is left out.

    Returns:
        the paths of the PNG files.
    """
    look = look or Look()
    every = [run for seeds in runs.values() for run in seeds]
    pictures = {f"{task}_{metric}": _compared(task, metric, runs, look) for task, metric in _metrics(every)}
    for name in CURVES if any(run.pace for run in every) else ():
        pictures[f"pace_{name}"] = picture = _pace_picture(name, look)
        for number, (run_name, seeds) in enumerate(runs.items()):
            found = mean_and_spread([pace_series(run.pace, name, look.axis) for run in seeds if run.pace])
            if len(found.mean.x):
                shown = look if name in NOISY else Look()
                picture.entry(run_name, **_entry(number))
                _draw_mean(picture, found, number, shown)
    return _written(pictures, folder, look)


def markers_of(splits: Sequence[str]) -> dict[str, str]:
    """Matplotlib's marker of each split beyond training and validation."""
    return dict(zip((split for split in splits if split not in TRAINING_SPLITS), cycle(MARKERS), strict=False))


def _metrics(runs: Iterable[RunCurves]) -> list[tuple[str, str]]:
    """Every task with each of its metrics that any of the runs has."""
    return sorted({(name.split("/")[0], name.split("/")[2]) for run in runs for name in run.points})


def _splits(task: str, metric: str, runs: Iterable[RunCurves]) -> list[str]:
    """The splits of which any of the runs has a metric, in their order."""
    names = [name for run in runs for name in run.points]
    return splits_in_order(name for name in names if (name.split("/")[0], name.split("/")[2]) == (task, metric))


def _metric(task: str, metric: str, run: RunCurves, look: Look) -> Picture:
    """Training and validation as curves, every other split as a mark."""
    words = metric_title(task, metric)
    picture = Picture(f"{task_title(task)}: {words}", look.axis, capital(within_family(words)))
    splits = _splits(task, metric, [run])
    markers = markers_of(splits)
    trained = splits != list(markers)  # else the run is a test of a checkpoint that another one trained
    for split in splits:
        series = _series(run, task, split, metric, look)
        if split == "train":
            _draw_training(picture, series, SPLITS[split], look)
        elif split == "val":
            picture.curve(series, SPLITS[split], colour=COLOURS[1], marked=True)
        else:
            label = f"{split} ({'best checkpoint' if trained else 'checkpoint of load_path'})"
            colour = COLOURS[(2 + list(markers).index(split)) % len(COLOURS)]
            picture.mark(series, label, colour=colour, marker=markers[split])
    _draw_chance(picture, task, metric, splits, [run])
    return picture


def _family(task: str, family: Family, run: RunCurves, look: Look) -> Picture:
    """A family's metrics on validation, or the first split that they are of, a colour each; tests as marks."""
    there = _metrics([run])
    members = [one.name for one in declaration_of(task).metrics if one.family == family and (task, one.name) in there]
    splits = _splits(task, members[0], [run])
    shown = "val" if "val" in splits else splits[0]
    markers = markers_of([split for split in splits if split != shown])
    of = "" if markers else f" ({SPLITS.get(shown, shown)})"
    title = f"{task_title(task)}: {family.title}{of}"
    picture = Picture(title, look.axis, capital(within_family(family.title)))
    for number, metric in enumerate(members):
        label, form = within_family(metric_title(task, metric)), _of_run(number)
        picture.curve(
            _series(run, task, shown, metric, look), label, colour=form.colour, dashes=form.dashes, marked=True
        )
        for split, marker in markers.items():
            picture.mark(_series(run, task, split, metric, look), colour=form.colour, marker=marker)
        chance = run.chance.get(f"{task}/{shown}/{metric}")
        if chance is not None:
            picture.level(chance, colour=form.colour)
    if markers:
        picture.entry(SPLITS.get(shown, shown), color=GREY)
    for split, marker in markers.items():
        picture.entry(split, color=GREY, linestyle="", marker=marker)
    if any(f"{task}/{shown}/{metric}" in run.chance for metric in members):
        picture.entry("chance", color=GREY, linestyle=":")
    return picture


def _compared(task: str, metric: str, runs: Mapping[str, Sequence[RunCurves]], look: Look) -> Picture:
    """A colour a run: validation in full, training pale beneath it, every other split as a mark."""
    every = [run for seeds in runs.values() for run in seeds]
    splits = _splits(task, metric, every)
    markers = markers_of(splits)
    full = "val" if "val" in splits else "train"
    words, of = metric_title(task, metric), f" ({SPLITS[full]})" if splits == [full] else ""
    picture = Picture(f"{task_title(task)}: {words}{of}", look.axis, capital(within_family(words)))
    for number, (name, seeds) in enumerate(runs.items()):
        if not _splits(task, metric, seeds):  # a run without this task has no entry in the legend
            continue
        picture.entry(name, **_entry(number))
        for split in splits:
            drawn = [_series(run, task, split, metric, look) for run in seeds]
            if split in markers:
                for series in drawn:
                    picture.mark(series, colour=_of_run(number).colour, marker=markers[split])
            else:
                shown = look if split == "train" else Look()
                found = mean_and_spread([series for series in drawn if len(series.x)])
                _draw_mean(picture, found, number, shown, pale=split != full, marked=split == "val")
    if full in splits and splits != [full]:
        picture.entry(SPLITS[full], color=GREY)
    if full == "val" and "train" in splits:
        picture.entry("training, pale", color=GREY, alpha=PALE)
    grouped = any(len(seeds) > 1 for seeds in runs.values())
    for split, marker in markers.items():
        picture.entry(f"{split} of each seed" if grouped else split, color=GREY, linestyle="", marker=marker)
    if grouped:
        picture.entry("s over seeds", color=GREY, alpha=PALE, linewidth=4)
    _draw_chance(picture, task, metric, splits, every)
    return picture


def _draw_mean(picture: Picture, found: Spread, number: int, look: Look, pale: bool = False,
               marked: bool = False) -> None:  # fmt: skip
    """The curve of a run, or of a group's mean with its band, by its number; nothing of no points."""
    mean, spread = _smoothed(found.mean, look), found.deviation
    if spread is not None and not pale:
        picture.band(mean.x, mean.y - spread, mean.y + spread, colour=_of_run(number).colour)
    if len(mean.x):
        form = _of_run(number)
        picture.curve(mean, colour=form.colour, dashes=form.dashes, pale=pale, marked=marked)


def _draw_training(picture: Picture, series: Series, label: str, look: Look) -> None:
    """A curve of the training; where it is smoothed, with what it was pale behind it."""
    if look.smoothing:
        picture.curve(series, colour=COLOURS[0], pale=True)
        label = label and f"{label}, smoothed by {look.smoothing:g}"
    picture.curve(_smoothed(series, look), label, colour=COLOURS[0])


def _draw_chance(picture: Picture, task: str, metric: str, splits: Sequence[str], runs: Iterable[RunCurves]) -> None:
    """The level of guessing on validation, or else the first split that knows one; none where runs differ in it."""
    for split in sorted(splits, key=lambda split: split != "val"):
        name = f"{task}/{split}/{metric}"
        having = [run for run in runs if name in run.points]
        levels = [run.chance[name] for run in having if name in run.chance]
        if levels and len(levels) == len(having):
            if len(set(levels)) == 1:
                picture.level(levels[0], "chance" if split in ("val", *splits[:1]) else f"chance, {split}")
            return


def _pace_picture(name: str, look: Look) -> Picture:
    title, y = PACE[name]
    return Picture(title, look.axis, y)


def _series(run: RunCurves, task: str, split: str, metric: str, look: Look) -> Series:
    return series_of(run.points.get(f"{task}/{split}/{metric}", []), look.axis, run.pace, run.interval)


def _smoothed(series: Series, look: Look) -> Series:
    return Series(series.x, smoothed(series.y, look.smoothing))


def _of_run(number: int) -> Form:
    """The colour and the dashes of a run, or of a member of a family, by its number."""
    return Form(COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)])


def _entry(number: int) -> dict[str, str]:
    """How the legend shows a run, by its number."""
    form = _of_run(number)
    return {"color": form.colour, "linestyle": form.dashes}


def _written(pictures: Mapping[str, Picture], folder: Path, look: Look) -> list[Path]:
    """Write pictures by name; gives the paths of the PNG files, in the order of their names."""
    return [picture.write(folder, name, look.formats)[0] for name, picture in sorted(pictures.items())]
