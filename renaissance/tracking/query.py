"""Which runs of a listing are wanted, and in which order: `where` and `sort_by`.

    where='status=finished and learning_rate>1e-4 and exp_name~mlm and mlm/val/loss<2.5'
    sort_by='-mlm/val/accuracy'

Comes in: the text of a query, and runs. Goes out: the runs that it is true of, or a value to sort by. Nothing of the
text is run: it is split into conditions, and each is a name, a sign and a value.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from renaissance.errors import UserError
from renaissance.settings.discovery import suggestion
from renaissance.settings.schema import Settings
from renaissance.tasks.registry import metric_of
from renaissance.text_table import value_text
from renaissance.tracking.figures import figure
from renaissance.tracking.listed_run import STATUSES, ListedRun
from renaissance.tracking.metrics import split_of

# What is known of a run beside its settings and metrics.
FIELDS: dict[str, Callable[[ListedRun], object]] = {
    "run": lambda run: run.name,
    "status": lambda run: run.status,
    "task": lambda run: list(run.tasks),
    "best": lambda run: run.best,
    "best_step": lambda run: run.best_step,
    "step": lambda run: run.step,
    "started": lambda run: run.started,
    "duration": lambda run: run.seconds,
}
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")  # without a time: compared with the day on which a run began
SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}  # a duration's units
KINDS = {"started": "a day, such as 2026-11-27", "duration": "a time, such as 90min or 2h"}
SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
CONDITION = re.compile(
    r"""\s*(?P<name>[\w./-]+)\s*(?P<sign>!=|<=|>=|==|=|<|>|~)\s*(?P<value>"[^"]*"|'[^']*'|\[[^\]]*\]|\{[^}]*\}|
    [\d.]+\s+(?:s|min|h|d)(?=\s|$)|\S+)\s*""",
    re.VERBOSE,
)
EXAMPLE = "where='status=finished and learning_rate>1e-4'"


@dataclass(frozen=True)
class Condition:
    """One condition of a query.

    Attributes:
        name: a field, a setting (`loss_names.itm` for a part of one) or a metric, `<task>/<split>/<metric>`.
        sign: =, !=, <, <=, >, >=, or ~ for "has in it".
        value: as it was written, without its quotes.
    """

    name: str
    sign: str
    value: str

    def holds(self, run: ListedRun) -> bool:
        """Whether it is true of a run. What a run does not have is not above or below anything."""
        found = value_of(run, self.name)
        if self.sign == "~":
            return self.value.lower() in value_text(found).lower()
        if self.name == "started" and found is not None and DAY.fullmatch(self.value):
            day = datetime.fromtimestamp(found).date()  # type: ignore[arg-type]
            found = datetime(day.year, day.month, day.day).timestamp()
        if isinstance(found, str) and self.sign in ("=", "!="):
            return (found == self.value) == (self.sign == "=")
        if self.sign in ("=", "!="):
            same = any(_equal(one, self._wanted) for one in (found if self.name == "task" else [found]))  # type: ignore[attr-defined]
            return same == (self.sign == "=")
        if not isinstance(found, int | float) or isinstance(found, bool) or math.isnan(found):
            return False
        return SIGNS[self.sign](float(found), float(self._wanted))

    def check(self) -> None:
        """See that there is such a name, and that the value is of its kind.

        Raises:
            UserError: naming the condition.
        """
        check_name(self.name, "where")
        if self.name == "status" and self.sign in ("=", "!=") and self.value not in STATUSES:
            raise UserError(f"where: status is one of {', '.join(STATUSES)}, not {self.value!r}")
        if self.sign == "~":
            return
        try:
            if self.sign in SIGNS or self.name in KINDS or isinstance(self._wanted, int):
                float(self._wanted)
        except (TypeError, ValueError, OverflowError):
            kind = KINDS.get(self.name, "a number, and none beyond 1e308")
            raise UserError(f"where: {self.name}{self.sign}{self.value}: must be {kind}") from None

    @cached_property
    def _wanted(self) -> Any:
        """The value as what it is compared with."""
        if self.name == "started":
            return datetime.fromisoformat(self.value).timestamp()
        if self.name == "duration" and (given := re.fullmatch(r"([\d.]+)\s*(s|min|h|d)", self.value)):
            return float(given[1]) * SECONDS[given[2]]
        return _plain(self.value)


def parse_where(text: str | None) -> list[Condition]:
    """The conditions of a query, all of which have to hold.

    Args:
        text: conditions with "and" between them; None or nothing for no condition.

    Raises:
        UserError: what of it is not understood.
    """
    conditions: list[Condition] = []
    place = 0
    while text and place < len(text.rstrip()):
        found = CONDITION.match(text, place)
        rest = text[place:].strip()
        if found is None:
            raise UserError(f"where: {rest!r} is not understood; a condition is a name, a sign and a value: {EXAMPLE}")
        value = found["value"]
        quoted = value[0] in "\"'" and value[-1] == value[0] and len(value) > 1
        conditions.append(
            Condition(found["name"], "=" if found["sign"] == "==" else found["sign"], value[1:-1] if quoted else value)
        )
        place = found.end()
        if place < len(text):
            joined = re.compile(r"and\b").match(text, place)
            if joined is None or not text[joined.end() :].strip():
                raise UserError(
                    f"where: {text[place:]!r} is not understood; between conditions stands `and`: {EXAMPLE}"
                )
            place = joined.end()
    for condition in conditions:
        condition.check()
    return conditions


def check_name(name: str, setting: str) -> None:
    """See that runs can be asked for what has a name.

    Args:
        name: of a field, a setting or a metric.
        setting: where it was given, for the message.

    Raises:
        UserError: there is no such name.
    """
    if name in FIELDS or name.split(".")[0] in Settings.model_fields or split_of(name):
        return
    near = suggestion(name, [*FIELDS, *Settings.model_fields])
    raise UserError(
        f"{setting}: there is no {name!r}{near or ''}; runs are told by {', '.join(FIELDS)}, by a setting, or by a "
        "metric such as mlm/val/loss"
    )


def check_known(names: Sequence[str], runs: Sequence[ListedRun]) -> None:
    """See that each metric, and each part of a setting, is declared by its task, or that one run at least has it.

    Args:
        names: of fields, settings and metrics.
        runs: those that are asked.

    Raises:
        UserError: none of the runs has one of them.
    """
    for name in names:
        if name in FIELDS or not runs or not (split_of(name) or "." in name):
            continue
        task, metric = name.partition("/")[0], name.rpartition("/")[2]
        declared = split_of(name) and metric_of(task, metric) is not None
        if not declared and all(value_of(run, name) is None for run in runs):
            near = suggestion(name, {known for run in runs for known in (run.monitor, *run.tested)}) or ""
            raise UserError(f"where or sort_by: none of the {len(runs):,} runs has {name!r}{near}")


def value_of(run: ListedRun, name: str) -> object:
    """What a run has under a name; None where it has none such.

    Args:
        run: the run.
        name: of a field, of a setting, or of a metric: of training and validation its best value, else its last.
    """
    if name in FIELDS:
        return FIELDS[name](run)
    if not split_of(name):
        value: object = run.settings
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value
    return figure(run, name)


def ordered(runs: Sequence[ListedRun], sort_by: str) -> list[ListedRun]:
    """Runs by what they have under a name, those that have nothing at the end.

    Args:
        runs: in the order that equals keep.
        sort_by: the name; with a minus before it from the largest down.

    Raises:
        UserError: there is no such name.
    """
    name = sort_by.removeprefix("-")
    check_name(name, "sort_by")
    values = {run.name: value_of(run, name) for run in runs}
    there = [run for run in runs if not _nothing(values[run.name])]
    numeric = all(isinstance(values[run.name], int | float) for run in there)
    there.sort(key=lambda run: values[run.name] if numeric else _natural(value_text(values[run.name])),  # type: ignore[arg-type, return-value]
               reverse=sort_by.startswith("-"))  # fmt: skip
    return there + [run for run in runs if _nothing(values[run.name])]


def _natural(text: str) -> list[tuple[int, str]]:
    """A text as it is sorted: itm/2 before itm/10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)]


def _nothing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _equal(found: object, wanted: object) -> bool:
    if isinstance(found, bool) or isinstance(wanted, bool) or not isinstance(wanted, int | float):
        return found == wanted or (wanted is not None and value_text(found) == value_text(wanted))
    return isinstance(found, int | float) and float(found) == float(wanted)


def _plain(text: str) -> Any:
    """A value as Python or JSON write it; a word as it stands."""
    words = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
