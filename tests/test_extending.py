"""`docs/extending.md` as it stands: its files, its commands, its Python; and plug-ins from a run's start to its test.

The page's files are written into a folder, and its commands are run with that folder in the place of `my/`.
"""

from __future__ import annotations

import ast
import csv
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
import torch

from tests.command_line import ROOT, documented_commands, execute, run_py

PAGE = ROOT / "docs" / "extending.md"
COMMANDS = documented_commands(PAGE)
SHORT = ("num_gpus=0", "num_workers=0", "max_epoch=None", "max_steps=2", "warmup_steps=0", "num_scenes=60")
TEXT = PAGE.read_text(encoding="utf-8")
TRAINING = next(command for command in COMMANDS if command.endswith("area.py\"]' task_area"))


class Page:
    """The page's files in a folder, and its commands run on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in re.findall(r"```python\n# (my/\w+\.py)\n(.*?)```", TEXT, flags=re.DOTALL):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)

    def words(self, command: str, *more: str) -> list[str]:
        """The words of one of the page's commands behind run.py."""
        words = shlex.split(command)
        assert words[:2] == ["python", "run.py"]
        own = [f"data_root={self.folder}/arrow", f"log_dir={self.folder}/result", *more]
        return [
            word.replace("my/", f"{self.folder}/my/").replace("result/area", f"{self.folder}/result/area")
            for word in [*words[2:], *own]
        ]

    def run(self, command: str, *more: str, program: Path = ROOT / "run.py") -> str:
        """What one of the page's commands prints."""
        return execute(*self.words(command, *more), program=program)

    def run_folder(self, name: str, number: int = 1) -> Path:
        """The folder of a run."""
        return self.folder / "result" / name / str(number)


def command_with(*parts: str) -> str:
    """The page's only command that has all of these parts."""
    (found,) = (command for command in COMMANDS if all(part in command for part in parts))
    return found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page, when the command of its task has been run, with the data loaded by another process."""
    page = Page(tmp_path_factory.mktemp("extending"))
    page.run(command_with("prepare", "dataset=discs"))
    short = [word for word in SHORT if not word.startswith(("num_workers", "max_steps"))]
    page.run(TRAINING, *short, "num_workers=1", "max_steps=20", "val_check_interval=10")
    return page


def test_every_command_of_the_page_is_run_here() -> None:
    tried = {command_with("print_named_configs"), command_with("help"), command_with("prepare"), TRAINING}
    tried |= {command_with("test_only"), command_with("small_cnn"), command_with("adagrad"), command_with("diary")}
    assert set(COMMANDS) == tried


def test_the_commands_that_print_know_the_task(page: Page) -> None:
    assert "task_area   # Tell the share of a picture" in page.run(command_with("print_named_configs"))
    told = page.run(command_with("help"))
    assert told.startswith("task_area: Tell the share of a picture")
    assert "exp_name = 'area'" in told


def test_the_task_learns_and_its_run_leaves_what_the_page_says(page: Page) -> None:
    folder = page.run_folder("area")
    with (folder / "metrics.csv").open() as file:
        errors = [float(row["value"]) for row in csv.DictReader(file) if row["name"] == "area/val/error"]
    assert errors[-1] < errors[0]
    final = json.loads((folder / "summary.json").read_text())["final"]
    table = pa.ipc.open_file(page.folder / "arrow" / "discs_test.arrow").read_all().to_pylist()
    rows = [json.loads(line) for line in (folder / "predictions" / "area_test.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == [row["id"] for row in table]
    errors = [abs(row["area"] - true["area"][0]) for row, true in zip(rows, table, strict=True)]
    assert max(errors) == pytest.approx(final["area/test/worst"], rel=1e-4)
    assert sum(errors) / len(errors) == pytest.approx(final["area/test/error"], rel=1e-4)
    kept = {path.name: path.read_text() for path in (folder / "plugins").iterdir()}
    assert kept == {name: (page.folder / "my" / name).read_text() for name in ("area.py", "discs.py")}


def test_its_checkpoint_is_tested_and_answers_in_python_as_the_page_says(page: Page) -> None:
    page.run(command_with("test_only"), "num_gpus=0", "num_workers=0")
    begun, tested = (json.loads((page.run_folder("area", run) / "summary.json").read_text())["final"] for run in (1, 2))
    assert tested == {name: value for name, value in begun.items() if "/test/" in name}
    rows = (page.run_folder("area") / "predictions" / "area_test.jsonl").read_text().splitlines()
    table = pa.ipc.open_file(page.folder / "arrow" / "discs_test.arrow").read_all().to_pylist()
    (page.folder / "disc.png").write_bytes(table[0]["image"])
    (code,) = re.findall(r"```python\n(import renaissance\n.*?)```", TEXT, flags=re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.append({str(ROOT)!r})\n{code}"],
        cwd=page.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (answer,) = ast.literal_eval(done.stdout)
    assert answer["area"] == pytest.approx(json.loads(rows[0])["area"], rel=1e-4)


def test_a_checkpoint_never_imports_its_plug_ins_and_names_them(page: Page) -> None:
    """Not tested on, not resumed from, not opened in Python; the file that it names would leave a mark."""
    checkpoint = page.run_folder("area") / "checkpoints" / "last.ckpt"
    mark = page.folder / "imported"
    area = page.folder / "my" / "area.py"
    original = area.read_text()
    area.write_text(f"open({str(mark)!r}, 'w')\n{original}")
    hint = f"made with plug-ins that are not named here: {page.folder}/my/discs.py, {area}"
    in_python = f"import renaissance; renaissance.load({str(checkpoint)!r})"
    where = [f"data_root={page.folder}/arrow", f"log_dir={page.folder}/result", "num_gpus=0"]
    try:
        for words in (
            ["with", f"resume_from={checkpoint}"],
            ["export", "with", f"load_path={checkpoint}", f"export_dir={page.folder}/exported"],
        ):
            done = run_py(*words, *where)
            assert hint in done.stderr, done.stderr
            assert done.returncode == 2
            assert "Traceback" not in done.stderr
        done = subprocess.run([sys.executable, "-c", in_python], cwd=ROOT, capture_output=True, text=True, check=False)
        assert hint in done.stderr, done.stderr
        assert not mark.exists()
    finally:
        area.write_text(original)


def test_a_run_goes_on_with_plug_ins_that_moved_and_says_what_changed(page: Page) -> None:
    folder, moved = page.run_folder("area"), page.folder / "moved"
    moved.mkdir()
    for path in (page.folder / "my").glob("*.py"):
        (moved / path.name).write_text(path.read_text() + ("# changed\n" if path.name == "area.py" else ""))
    (folder / "summary.json").rename(folder / "summary_of_first.json")  # as if it had not come to its end
    named = f'plugins=["{moved}/discs.py", "{moved}/area.py"]'
    done = run_py("with", named, f"resume_from={folder}/checkpoints/last.ckpt", "max_steps=21")
    (folder / "summary_of_first.json").rename(folder / "summary.json")
    assert done.returncode == 0, done.stderr
    assert "warning: the plug-in's file area.py has changed since the run began" in done.stderr
    assert f"changed on resume: plugins ['{page.folder}/my/discs.py'" in done.stdout
    assert (folder / "plugins" / "from_step_20" / "area.py").read_text().endswith("# changed\n")
    assert (folder / "plugins" / "area.py").read_text() == (page.folder / "my" / "area.py").read_text()


def test_the_encoder_of_the_page_trains_and_is_remembered(page: Page) -> None:
    output = page.run(command_with("small_cnn"), *SHORT, "exp_name=cnn", "image_encoder_hidden_size=24")
    assert re.search(r"image_encoder +11,\d\d\d ", output), output
    checkpoint = page.run_folder("cnn") / "checkpoints" / "best.ckpt"
    configs = torch.load(checkpoint, weights_only=True)["renaissance"]["encoder_configs"]
    assert configs["image_encoder"]["config"] == {"width": 24}


def test_the_optimiser_of_the_page_steps(page: Page) -> None:
    page.run(command_with("adagrad"), *SHORT)
    checkpoint = page.run_folder("mlm") / "checkpoints" / "last.ckpt"
    (state,) = torch.load(checkpoint, weights_only=True)["optimizer_states"]
    assert set(state["state"][0]) == {"step", "sum"}, "Adagrad's own"


def test_the_tracker_of_the_page_is_told_of_the_run(page: Page) -> None:
    page.run(command_with("diary"), *SHORT, "exp_name=told")
    lines = (page.run_folder("told") / "diary.md").read_text().splitlines()
    assert lines[0].endswith("training mlm, from step 0 on")
    assert any("step 2: mlm/val/loss" in line for line in lines)
    assert any("![curves/mlm_loss](plots/mlm_loss.png)" in line for line in lines)
    assert "finished after" in lines[-1]


@pytest.mark.slow
def test_every_one_of_several_devices_knows_the_plug_ins(page: Page) -> None:
    page.run(TRAINING, *SHORT, "devices=2", "exp_name=two", "per_gpu_batchsize=16")
    final = json.loads((page.run_folder("two") / "summary.json").read_text())["final"]
    rows = (page.run_folder("two") / "predictions" / "area_test.jsonl").read_text().splitlines()
    assert sorted(json.loads(row)["id"] for row in rows) == sorted(f"test {number}" for number in range(64))
    assert final["area/test/worst"] > 0
