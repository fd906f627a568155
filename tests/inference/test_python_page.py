"""`docs/python.md` runs from top to bottom, and what it shows is what comes out."""

from __future__ import annotations

import ast
import re
import shutil

from PIL import Image

from tests.command_line import ROOT

PAGE = ROOT / "docs" / "python.md"


def test_the_page_runs(pretrained, trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runs = {
        "quickstart": pretrained(),
        "foundation_captioning": trained("task_foundation_captioning"),
        "clip_scenes": trained("task_clip_scenes", model_type="two-tower", batch_size=8, per_gpu_batchsize=8),
    }
    for name, checkpoint in runs.items():
        folder = tmp_path / "result" / name / "1" / "checkpoints"
        folder.mkdir(parents=True)
        shutil.copy(checkpoint, folder / "best.ckpt")
    Image.new("RGB", (80, 60), "red").save("scene.png")
    page = PAGE.read_text(encoding="utf-8")
    blocks, shown = (re.findall(rf"```{kind}\n(.*?)```", page, flags=re.DOTALL) for kind in ("python", "text"))
    assert len(blocks) == 7
    capsys.readouterr()
    exec("\n".join(blocks), {})
    printed = capsys.readouterr().out
    assert printed.startswith(shown[0])
    named, answer, *words, patches = printed.removeprefix(shown[0]).splitlines()
    assert re.fullmatch(r"a.* circle above a blue square \S+ 0\.\d+", named)
    assert re.fullmatch(r"(no )?match [01]\.\d+", answer)
    assert [word.split()[0] for word in words] == "a red circle above a blue square".split()
    rows = ast.literal_eval(patches)
    assert len(rows) == len(rows[0])
