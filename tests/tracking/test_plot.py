"""The command `plot`: runs drawn again into a new folder, alone or side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import ex
from renaissance.errors import UserError
from renaissance.settings import check_settings
from renaissance.tracking.plot import plot_runs
from tests.tracking.test_compare import make_run

PACE = "step,epoch,examples,seconds,learning_rate,gradient_norm,examples_per_second\n10,0.5,320,3600.0,0.001,2.0,\n"


@pytest.fixture
def plot(tmp_path):
    """Draws runs as the command does."""

    def draw(*runs, **settings):
        given = {"log_dir": str(tmp_path / "result"), "runs": list(runs), **settings}
        return plot_runs(check_settings({**ex.configurations[0](), **given}, "plot"))

    return draw


def test_a_run_is_drawn_again_and_nothing_of_it_changes(tmp_path, plot, capsys):
    run = make_run(tmp_path / "r" / "1")
    before = {path: path.read_bytes() for path in Path(run).rglob("*")}
    folder = plot(run, plot_formats=["pdf"])
    assert folder == tmp_path / "result" / "plots" / "1"
    names = {"itm_accuracy.pdf", "itm_accuracy.png", "itm_loss.pdf", "itm_loss.png"}
    assert {path.name for path in folder.iterdir()} == names
    assert capsys.readouterr().out == f"2 pictures of r/1, as png, pdf\nplots: {folder}\n"
    assert {path: path.read_bytes() for path in Path(run).rglob("*")} == before
    assert plot(run, plot_dir=str(tmp_path / "mine")) == tmp_path / "mine" / "1"
    assert plot(run).name == "2", "never into a folder that is there"


def test_several_runs_are_drawn_side_by_side_over_what_all_of_them_know(tmp_path, plot, pictures):
    runs = [make_run(tmp_path / "r" / number) for number in "12"]
    Path(runs[0], "pace.csv").write_text(PACE)
    plot(*runs)
    legend = pictures["itm_loss"].figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["r/1", "r/2", "validation", "training, pale"]
    assert "pace_learning_rate" in pictures
    with pytest.raises(UserError, match=r"plot_x=hours: not known of r/2"):
        plot(*runs, plot_x="hours")
    assert not (tmp_path / "result" / "plots" / "2").exists(), "nothing is made for what cannot be drawn"


def test_finished_runs_that_differ_in_the_seed_alone_are_drawn_as_one(tmp_path, plot, pictures):
    runs = [make_run(tmp_path / "r" / str(seed), seed=seed) for seed in (1, 2)]
    runs += [make_run(tmp_path / "r" / "3", seed=3, status=""), make_run(tmp_path / "r" / "4", learning_rate=0.5)]
    for run in runs:
        Path(run, "command.json").write_text('{"command": [], "started": "2026-01-01T00:00:00", "resumes": []}')
    plot(*runs)
    told = [text.get_text() for text in pictures["itm_loss"].figure.legends[0].get_texts()]
    assert told == ["r/1-2", "r/3", "r/4", "validation", "training, pale", "s over seeds"]


def test_what_cannot_be_drawn_is_said(tmp_path, plot):
    with pytest.raises(UserError, match="runs: say which runs"):
        check_settings({**ex.configurations[0]()}, "plot")
    with pytest.raises(UserError, match="has no metrics yet"):
        plot(make_run(tmp_path / "1", {}))
