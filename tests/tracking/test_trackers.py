"""Trackers: which a run has, what they are told, and that a failing one ends no run unless it is essential."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from renaissance.errors import DiskFull, Interrupted, UserError
from renaissance.registrations import Registrations
from renaissance.tracking.metrics import read_points
from renaissance.tracking.trackers import registry
from renaissance.tracking.trackers.curves import Curves
from renaissance.tracking.trackers.dispatch import Trackers
from renaissance.tracking.trackers.interface import Tracker
from renaissance.tracking.trackers.metrics_file import MetricsFile
from renaissance.tracking.trackers.pace_file import PaceFile
from renaissance.tracking.trackers.registry import register_tracker, tracker_classes, trackers_of
from tests.tracking.started import metrics_file, run_start

REPOSITORY = Path(__file__).resolve().parents[2]


class Notes(Tracker):
    """Notes what it is told."""

    name = "notes"

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def start(self, run):
        self.told.append(("start", run.resumed_step))

    def log(self, step, epoch, values):
        self.told.append(("log", step, dict(values)))

    def picture(self, name, path, step):
        self.told.append(("picture", name, path.name, step))

    def finish(self, summary):
        self.told.append(("finish", summary["status"]))


class Failing(Tracker):
    """Fails at everything but the start."""

    name = "failing"

    def log(self, step, epoch, values):
        raise ConnectionError(f"no answer\nat step {step}.")

    def picture(self, name, path, step):
        raise OSError

    def finish(self, summary):
        raise ValueError


class FullDisk(Tracker):
    """Finds no room."""

    name = "full_disk"

    def log(self, step, epoch, values):
        raise DiskFull("there is no room")


@pytest.fixture
def own_table(monkeypatch):
    """Trackers that the test registers are gone after it."""
    monkeypatch.setattr(registry, "_registered", Registrations("tracker"))


# Which there are


def test_a_run_has_the_trackers_that_its_settings_ask_for(make_settings):
    plain = ["metrics_file", "pace_file", "progress", "curves", "observers"]
    assert [tracker.name for tracker in trackers_of(make_settings())] == plain
    assert [tracker.name for tracker in trackers_of(make_settings(tensorboard=True))] == [*plain, "tensorboard"]


def test_every_file_of_the_folder_that_defines_a_tracker_is_found():
    folder = REPOSITORY / "renaissance" / "tracking" / "trackers"
    files = {path.stem for path in folder.glob("*.py") if "(Tracker)" in path.read_text() and path.stem != "interface"}
    assert {tracker.name for tracker in tracker_classes()} == files


def test_a_tracker_from_elsewhere_is_registered_once(make_settings, own_table):
    assert register_tracker(Notes) is Notes
    register_tracker(Notes)
    assert [tracker.name for tracker in trackers_of(make_settings())].count("notes") == 1
    with pytest.raises(UserError, match="tracker notes: there is one of this name already"):
        register_tracker(type("Notes", (Tracker,), {"name": "notes"}))
    with pytest.raises(UserError, match="has no name"):
        register_tracker(type("Nameless", (Tracker,), {}))


def test_an_own_tracker_is_told_all_of_a_run(run, own_table):
    told, told_pace = [], []

    @register_tracker
    class Own(Notes):
        name = "own"

        def __init__(self):
            self.told = told

        def pace(self, pace):
            told_pace.append(pace)

    folder, final = run("task_itm", "scenes", "tiny", max_steps=2, warmup_steps=0, log_interval=1)
    assert told[0] == ("start", None)
    assert told[-1] == ("finish", "finished")
    logged = {(step, name): value for _, step, values in [row for row in told if row[0] == "log"]
              for name, value in values.items()}  # fmt: skip
    with folder.metrics.open(newline="") as file:
        assert logged == {(int(row["step"]), row["name"]): float(row["value"]) for row in csv.DictReader(file)}
    assert {row[1] for row in told if row[0] == "picture"} == {
        "curves/itm_loss", "curves/itm_accuracy",
        "curves/pace_learning_rate", "curves/pace_gradient_norm", "curves/pace_examples_per_second",
    }  # fmt: skip
    assert [(pace.step, pace.examples) for pace in told_pace] == [(1, 16), (2, 32)]
    assert final == {name: series[-1].value for name, series in read_points(folder.metrics).items()}


# Failures


def test_a_tracker_that_fails_is_told_of_once_and_the_others_go_on(tmp_path, capsys):
    notes = Notes()
    trackers = Trackers([Failing(), notes])
    trackers.start(run_start(tmp_path))
    for step in (1, 2):
        trackers.log(step, 0.1, {"itm/val/loss": 1.0})
    trackers.picture("curves/a", tmp_path / "a.png", 2)
    trackers.finish({"status": "interrupted"})
    assert notes.told == [
        ("start", None), ("log", 1, {"itm/val/loss": 1.0}), ("log", 2, {"itm/val/loss": 1.0}),
        ("picture", "curves/a", "a.png", 2), ("finish", "interrupted"),
    ]  # fmt: skip
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("warning: tracker failing: ConnectionError: no answer at step 1. The run goes on")


def test_a_failing_tracker_changes_nothing_of_a_run(run, own_table, capsys):
    settings = {"max_steps": 2, "warmup_steps": 0, "log_interval": 1}
    alone, _ = run("task_itm", "scenes", "tiny", **settings)
    register_tracker(Failing)
    register_tracker(FullDisk)
    beside, _ = run("task_itm", "scenes", "tiny", **settings)
    assert beside.metrics.read_bytes() == alone.metrics.read_bytes()
    assert beside.finished
    assert capsys.readouterr().err.count("warning: tracker") == 2


def test_an_essential_tracker_ends_the_run_and_so_does_a_signal_in_any():
    essential = type("Essential", (FullDisk,), {"essential": True})
    with pytest.raises(DiskFull):
        Trackers([essential()]).log(1, 0.1, {})
    interrupted = Notes()
    interrupted.log = lambda *_: (_ for _ in ()).throw(Interrupted(15))
    with pytest.raises(Interrupted):
        Trackers([interrupted]).log(1, 0.1, {})
    assert [tracker for tracker in tracker_classes() if tracker.essential] == [MetricsFile, PaceFile]


def test_a_tracker_that_cannot_begin_ends_the_run_by_name(tmp_path):
    class Offline(Tracker):
        name = "offline"

        def start(self, run):
            raise ConnectionError("no route")

    with pytest.raises(UserError, match=r"tracker offline: cannot begin \(ConnectionError: no route\)"):
        Trackers([Offline()]).start(run_start(tmp_path))


# The metrics file and the curves


@pytest.mark.parametrize("split", ["test", "dev", "test1", "testA", "val_matched"])
def test_rows_of_tests_are_left_out_when_a_run_goes_on(tmp_path, split):
    before = metrics_file(tmp_path)
    for step in (2, 4, 6):
        before.log(step, step / 8, {"itm/train/loss": 1 / step})
        before.log(step, step / 8, {"itm/val/loss": 2 / step})
    before.log(2, 0.25, {f"itm/{split}/loss": 0.5})
    metrics_file(tmp_path, resumed_step=4, validated_step=2)
    points = read_points(tmp_path / "metrics.csv")
    assert {name: [point.step for point in series] for name, series in points.items()} == {
        "itm/train/loss": [2, 4], "itm/val/loss": [2],
    }  # fmt: skip


def test_curves_go_on_with_a_resumed_runs_points_and_are_drawn_at_validations_and_at_the_end(tmp_path, monkeypatch):
    metrics_file(tmp_path).log(1, 0.1, {"itm/train/loss": 3.0})
    metrics_file(tmp_path, resumed_step=1)
    clock, drawn, shown = [0.0], [], []

    def draw(run, folder, look):
        clock[0] += 2
        drawn.append({name: len(series) for name, series in run.points.items()})
        return [folder / "itm_loss.png"]

    monkeypatch.setattr("renaissance.tracking.trackers.curves.draw_curves", draw)
    monkeypatch.setattr("renaissance.tracking.trackers.curves.time", SimpleNamespace(monotonic=lambda: clock[0]))
    curves = Curves()
    curves.start(run_start(tmp_path, resumed_step=1, show=lambda *picture: shown.append(picture)))
    for step, seconds in ((2, 19), (3, 21), (4, 30), (5, 62), (6, 64)):  # drawings take a twentieth of the time
        clock[0] = float(seconds)
        before = len(drawn)
        curves.log(step, step / 10, {"itm/train/loss": 2.0})
        assert len(drawn) == before
        curves.log(step, step / 10, {"itm/val/loss": 2.0})
    curves.log(7, 0.7, {"itm/train/loss": 1.0})
    curves.finish({"status": "interrupted"})
    curves.finish({"status": "interrupted"})
    expected = [(3, 3, 2), (6, 6, 5), (7, 7, 5)]
    assert drawn == [{"itm/train/loss": train, "itm/val/loss": val} for _, train, val in expected]
    assert shown == [("curves/itm_loss", tmp_path / "plots" / "itm_loss.png", step) for step, _, _ in expected]


def test_the_table_of_trackers_loads_no_torch():
    program = (
        "import sys; from renaissance.tracking.trackers.registry import tracker_classes; tracker_classes()\n"
        "assert not {'torch', 'tensorboard', 'sacred', 'pytorch_lightning'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
