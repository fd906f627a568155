"""Every page of docs/walkthroughs/ runs: its commands one after the other, cut to a single step, on small real data.

The commands of a page build on each other (a run's checkpoint, runs to compare), so they share one folder.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from transformers import BertConfig, BertModel

from tests.command_line import ROOT, documented_commands, run_documented

DOCS = ROOT / "docs" / "walkthroughs"
PAGES = sorted(DOCS.glob("*.md"))
SHORT = "num_gpus=0 num_workers=0 batch_size=4 per_gpu_batchsize=4 fast_dev_run=True num_scenes=200"
UNTRAINED = ("prepare", "compare", "export", "print_config", "probe", "search", "zeroshot")  # train nothing


@pytest.fixture(scope="module")
def minilm(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> Path:
    """What stands for a pretrained MiniLM: its kind of folder, one narrow layer, the real vocabulary."""
    folder = tmp_path_factory.mktemp("models") / "minilm"
    config = BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    BertModel(config).save_pretrained(folder)
    for file in (real_data / "tokenizers" / "bert-base-uncased").iterdir():
        if file.name != "config.json":
            shutil.copy(file, folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_runs_from_top_to_bottom(page: Path, tmp_path: Path, real_data: Path, minilm: Path) -> None:
    for command in documented_commands(page):
        words = command.replace("/models/minilm", str(minilm)).replace("/data/", f"{real_data}/")
        words = re.sub(r"\b(result|exported|moved)/", rf"{tmp_path}/\1/", words)
        if words.startswith("python run.py"):
            trains = words.split()[2] not in UNTRAINED
            assert run_documented(f"{words} {SHORT}" if trains else words, tmp_path).strip()
        else:
            source, target = words.removeprefix("mv ").split()
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(source, target)


def test_every_picture_of_a_page_is_there() -> None:
    assert len(PAGES) >= 3
    for page in PAGES:
        for picture in re.findall(r"!\[[^]]*\]\(([^)]*)\)", page.read_text(encoding="utf-8")):
            assert (DOCS / picture).is_file(), f"{page.name}: {picture}"
