"""What a run says of itself: in its folder (`config.json`, `command.json`, `summary.json`) and in its output."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import pytorch_lightning
import torch
import transformers

from renaissance import __version__
from renaissance.atomic_files import write_csv, write_json
from renaissance.plugins import plugin_sources
from renaissance.settings import Settings
from renaissance.tasks.common.step_wide import StepWideTask
from renaissance.tracking.history import add_resume, read_history, write_start
from renaissance.tracking.metrics import Point, read_points
from renaissance.tracking.plugin_copies import keep_sources
from renaissance.tracking.run_folder import RunFolder
from renaissance.tracking.summary import (
    PartFigures,
    best_values,
    final_values,
    parts_table,
    results_table,
)
from renaissance.training.inputs import TaskGroup, each_split
from renaissance.training.memory import peak_memory_bytes
from renaissance.training.optimizers.groups import learning_rate_of
from renaissance.training.plan import Plan
from renaissance.training.resuming import Resumption, new_learning_rate, table_contents
from renaissance.training.selecting import selection_in_words
from renaissance.training.session import Session


class RunReport:
    """Writes and prints what a run is and what came of it, in the main process only.

    Args:
        folder: the run's folder.
        session: the run.
        resumption: what it goes on from, and with which changes; None for a run that starts.
        command_line: the command that made it start or go on.
        started: when it did, in seconds since the epoch.
    """

    def __init__(
        self,
        folder: RunFolder,
        session: Session,
        resumption: Resumption | None,
        command_line: Sequence[str],
        started: float,
    ) -> None:
        self._folder = folder
        self._session = session
        self._resumption = resumption
        self._command_line = list(command_line)
        self._started = started

    def start(self) -> None:
        """Write what the run begins or goes on with; print the parts, the data, the plan and every remark."""
        if not self._session.is_main:
            return
        assembly, plan = self._session.assembly, self._session.plan
        self._record()
        task_notes = [note for task in assembly.tasks.values() for note in task.notes]
        for note in (*assembly.model.notes, *task_notes):
            print(note)
        for report in assembly.loaded:
            print(f"loaded from {report.source}:\n{report}")
        print(parts_table(self._parts()))
        for line in _counts(assembly.groups, assembly.settings):
            print(line)
        if plan is not None:
            print(plan_in_words(plan, self._session.validates))
            for name, task in assembly.tasks.items():
                if isinstance(task, StepWideTask):
                    print(compared_in_words(name, plan))
            print(f"best checkpoint by: {self._session.monitor.name}")
        for line in self._changes():
            print(line)
        for remark in self._session.remarks:
            print(f"warning: {remark}", file=sys.stderr)
        sys.stdout.flush()

    def _record(self) -> None:
        """Write what the run begins with; where it goes on in its folder, append that to its history."""
        call = {
            "command": self._command_line,
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(self._started)),
            "folder": os.getcwd(),
            "host": platform.node(),
            "tables": dict(self._session.module.tables),
            "contents": table_contents(self._session.assembly.groups),
            "total_steps": self._session.plan.total_steps if self._session.plan else None,
            "versions": _versions(),
        }
        assembly, resumption = self._session.assembly, self._resumption
        if resumption is not None and read_history(self._folder) is not None:
            step = resumption.checkpoint.global_step
            add_resume(self._folder, call, step, resumption.changed)
            changed = keep_sources(self._folder, plugin_sources(), step)
            self._session.remarks += [f"the plug-in's file {name} has changed since the run began" for name in changed]
            return
        write_start(self._folder, assembly.settings.model_dump(), call)
        keep_sources(self._folder, plugin_sources())
        if assembly.text is not None:
            assembly.text.save(self._folder.vocabulary, self._folder.tokenizer)
        if assembly.loaded:
            rows = [(report.source, *row) for report in assembly.loaded for row in report.rows()]
            write_csv(self._folder.loaded, ("checkpoint", "part", "tensor", "what", "shapes", "numbers"), rows)

    def _changes(self) -> Iterator[str]:
        """What a resumed run does differently from now on, a line each."""
        resumption, plan = self._resumption, self._session.plan
        if resumption is None or plan is None:
            return
        for name, (before, after) in resumption.changed.items():
            yield f"changed on resume: {name} {before!r} → {after!r}"
        rate = new_learning_rate(resumption.checkpoint, plan, resumption.settings)
        if rate is not None:
            yield rate

    def end(self, status: Literal["finished", "interrupted"]) -> dict[str, float]:
        """Write `summary.json`, tell the trackers that it is over, print the results and where the run lies.

        Returns:
            the final metrics by name.
        """
        if not self._session.is_main:
            return {}
        points, plan = read_points(self._folder.metrics), self._session.plan
        summary = self._summary(status, points)
        write_json(self._folder.summary, summary)
        self._session.trackers.finish(summary)
        if plan is not None:
            step = self._session.module.steps_done
            if self._session.stopped_early:
                print(f"stopped early at step {step:,} of {plan.total_steps:,}: {self._session.stopping}")
            print(f"\nat the end, step {step:,}:")
            print(parts_table(self._parts(), self._session.module.learning_rate_factor()(step - 1) if step else None))
        if points:
            print(f"\n{results_table(points)}")
        if status == "interrupted":
            print(self._how_to_go_on())
        if points:
            print(f"curves: {self._folder.plots}")
        if self._folder.samples.is_dir():
            print(f"samples: {self._folder.samples}")
        if self._folder.attributions.is_dir():
            print(f"attributions: {self._folder.attributions}")
        if self._folder.predictions.is_dir():
            print(f"predictions: {self._folder.predictions}")
        print(f"run: {self._folder.path}", flush=True)
        return final_values(points)

    def _how_to_go_on(self) -> str:
        if self._session.plan is None:
            return "interrupted: a test keeps nothing on the way; begin it again"
        if self._folder.last_checkpoint.is_file():
            return "interrupted; go on with resume_from=auto"
        return "interrupted before the first step: nothing to save"

    def _summary(self, status: str, points: Mapping[str, Sequence[Point]]) -> dict[str, Any]:
        session = self._session
        parts = self._parts()
        keeping = session.keeping
        spent = session.throughput.spent if session.throughput else None
        history = read_history(self._folder)
        return {
            "status": status,
            "final": final_values(points),
            "best": best_values(points),
            "monitor": session.monitor.name,
            "best_step": keeping.best_step if keeping else None,
            "best_value": session.monitor.value(keeping.best_score) if keeping else None,
            "stopped_early": session.stopped_early,
            "resumes": len(history.resumes) if history else 0,
            "steps": session.module.steps_done,
            "skipped_steps": session.module.watch.skipped,
            "wall_seconds": spent.wall_seconds if spent else time.time() - self._started,
            "examples_per_second": session.throughput.examples_per_second if session.throughput else None,
            "peak_memory_bytes": spent.peak_memory_bytes if spent else peak_memory_bytes(),
            "effective_batch_size": session.plan.effective_batch if session.plan else None,
            "parameters": {
                **{part.name: part.parameters for part in parts},
                "total": sum(part.parameters for part in parts),
                "trained": sum(part.trained for part in parts),
            },
            "parts_from": {part.name: part.beginning for part in parts},
            "examples": _examples(session.assembly.groups),
            "examples_an_epoch": _examples_an_epoch(session.assembly.groups),
            "device": _device_name(session),
            "command": (history.start if history else {}).get("command", self._command_line),
        }

    def _parts(self) -> list[PartFigures]:
        figures = []
        for part in self._session.module.parts():
            parameters = list(part.module.parameters())
            trained = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
            rate = learning_rate_of(part, self._session.assembly.settings) if trained and self._session.plan else None
            total = sum(parameter.numel() for parameter in parameters)
            beginning = self._session.assembly.beginnings.get(part.name, "")
            figures.append(PartFigures(part.name, total, trained, rate, beginning))
        return figures


def _counts(groups: Sequence[TaskGroup], settings: Settings) -> Iterator[str]:
    """The numbers of examples, a line for each of the data that tasks read, and what an epoch takes of them."""
    for group in groups:
        counts = ", ".join(f"{split} {len(examples):,}" for split, examples in group.examples.items())
        yield f"examples: {counts}" if len(groups) == 1 else f"examples of {', '.join(group.tasks)}: {counts}"
        if group.selection is not None:
            yield selection_in_words(group.selection, settings)


def _examples(groups: Sequence[TaskGroup]) -> dict[str, int]:
    """The examples of each split, of all data together."""
    totals: dict[str, int] = {}
    for split, examples in each_split(groups):
        totals[split] = totals.get(split, 0) + len(examples)
    return totals


def _examples_an_epoch(groups: Sequence[TaskGroup]) -> dict[str, int] | None:
    """What an epoch takes of each data set, of all that tasks read; None where that is every example."""
    if all(group.selection is None for group in groups):
        return None
    taken: dict[str, int] = {}
    for share in (share for group in groups if group.selection is not None for share in group.selection.shares):
        taken[share.name] = taken.get(share.name, 0) + share.taken
    return taken


def plan_in_words(plan: Plan, validates: bool) -> str:
    """How long a run trains, in how large steps, and when it validates.

    Args:
        plan: the run in whole numbers.
        validates: whether there are validation data.
    """
    epochs = f"{plan.epoch_of(plan.total_steps):.3g} epochs"
    validation = "no validation data"
    if validates:
        interval = f"every {plan.validate_every:,} steps and " if plan.validate_every < plan.total_steps else ""
        validation = f"validation {interval}at the end"
    return f"training: {plan.total_steps:,} steps of {plan.effective_batch} examples ({epochs}), {validation}"


def compared_in_words(task: str, plan: Plan) -> str:
    """Over how many examples the loss of a step-wide task is, and in how many parts these come.

    Args:
        task: its name.
        plan: the run in whole numbers.
    """
    parts = []
    if plan.accumulate > 1:
        parts.append(f"{plan.accumulate} batches of {plan.device_batch}, whose features are cached")
    if plan.world_size > 1:
        parts.append(f"of {'each of ' if parts else ''}{plan.world_size} devices")
    within = f" ({', '.join(parts)})" if parts else ""
    return f"{task} compares all {plan.effective_batch:,} examples of a step with each other{within}"


def _device_name(session: Session) -> str:
    if session.devices.accelerator == "cuda":
        return f"{session.devices.world_size} × {torch.cuda.get_device_name()}"
    return f"CPU, {torch.get_num_threads()} threads"


def _versions() -> dict[str, str]:
    return {
        "renaissance": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "pytorch-lightning": pytorch_lightning.__version__,
        "transformers": transformers.__version__,
    }
