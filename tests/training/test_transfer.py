"""Weights from checkpoints into other models: all that fits, or one part each from several."""

from __future__ import annotations

import csv
import json

import pytest
import torch

from renaissance.errors import UserError

QUICK = {"max_steps": 1, "warmup_steps": 0, "batch_size": 8, "per_gpu_batchsize": 8}
FROZEN = {"freeze_text_encoder": True, "freeze_image_encoder": True, "freeze_encoder": True, "freeze_random": True}


def weights(path, part=""):
    """A checkpoint's tensors by name, of one part of its model where it is named."""
    state = torch.load(path, weights_only=True)["state_dict"]
    return {name: tensor for name, tensor in state.items() if name.startswith(f"model.{part}")}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def entry(path):
    return torch.load(path, weights_only=True)["renaissance"]


def loaded_rows(folder):
    with folder.loaded.open(newline="") as file:
        return {row["tensor"]: row for row in csv.DictReader(file)}


def test_strict_loading_refuses_another_width_and_says_the_way_out(run, pretrained):
    with pytest.raises(UserError, match=r"text_encoder_hidden_size: 32 was asked for(.|\n)*strict_loading=False"):
        run("task_mlm_itm", "scenes", **QUICK, load_path=str(pretrained()), text_encoder_hidden_size=32)


def test_what_fits_is_loaded_after_a_change_of_width(run, pretrained, capsys):
    folder, _ = run(
        "task_mlm_itm", "scenes", **QUICK, **FROZEN, load_path=str(pretrained()), strict_loading=False,
        text_encoder_hidden_size=32, cross_layer_hidden_size=32,
    )  # fmt: skip
    before, after = weights(pretrained()), weights(folder.last_checkpoint)
    assert equal(weights(pretrained(), "image_encoder"), weights(folder.last_checkpoint, "image_encoder"))
    fitting = {name for name in after if name in before and before[name].shape == after[name].shape}
    assert {name for name, row in loaded_rows(folder).items() if row["what"] == "loaded"} >= fitting
    frozen = {name for name in fitting if ".text_encoder." in name or ".image_encoder." in name}
    assert any(".text_encoder." in name for name in frozen), "embeddings keep their width"
    assert all(torch.equal(before[name], after[name]) for name in frozen)
    said = capsys.readouterr().out
    table = {line.split()[0]: line.split()[1:] for line in reversed(said.splitlines()) if line}
    count = sum(after[name].numel() for name in fitting if ".text_encoder." in name)
    assert table["text_encoder"][0] == f"{count:,}"
    assert "more" in said, "the rest is in loaded.csv"


def test_more_layers_begin_anew(run, pretrained):
    folder, _ = run(
        "task_mlm_itm", "scenes", **QUICK, **FROZEN, load_path=str(pretrained()), strict_loading=False,
        text_encoder_num_layers=3,
    )  # fmt: skip
    rows = [row for row in loaded_rows(folder).values() if row["part"] == "text_encoder"]
    assert {row["what"] for row in rows} == {"loaded", "new"}
    assert {row["tensor"].split(".")[5] for row in rows if row["what"] == "new"} == {"2"}


def test_another_vocabulary_begins_anew_where_it_does_not_fit(run, pretrained, real_data):
    tokenizer = str(real_data / "tokenizers" / "bert-base-uncased")
    folder, _ = run(
        "task_mlm", "scenes", **QUICK, load_path=str(pretrained()), strict_loading=False, tokenizer=tokenizer
    )
    size = entry(folder.last_checkpoint)["encoder_configs"]["text_encoder"]["vocab_size"]
    assert size == 30522
    row = loaded_rows(folder)["model.text_encoder.encoder.embeddings.word_embeddings.weight"]
    assert (row["what"], row["shapes"].endswith("(30522, 64)")) == ("mismatched", True)


def test_parts_of_several_checkpoints_come_together(run, pretrained, capsys):
    image, _ = run("task_finetune_cifar10", "scenes", "tiny", **QUICK, image_size=32, patch_size=8,
                   image_encoder_hidden_size=32, exp_name="image")  # fmt: skip
    folder, _ = run(
        "task_mlm_itm", "scenes", **QUICK, **FROZEN, cross_layer_hidden_size=16, num_cross_layers=1,
        load_modules={"text_encoder": str(pretrained()), "image_encoder": str(image.best_checkpoint)},
    )  # fmt: skip
    assert equal(weights(folder.last_checkpoint, "text_encoder"), weights(pretrained(), "text_encoder"))
    assert equal(weights(folder.last_checkpoint, "image_encoder"), weights(image.best_checkpoint, "image_encoder"))
    assert entry(folder.last_checkpoint)["text"] == entry(pretrained())["text"], "the vocabulary comes along"
    settings = entry(folder.last_checkpoint)["settings"]
    assert (settings["image_size"], settings["patch_size"], settings["num_cross_layers"]) == (32, 8, 1)
    assert settings["max_text_len"] == entry(pretrained())["settings"]["max_text_len"]
    assert capsys.readouterr().out.count("loaded from") == 2


def test_a_text_encoder_goes_into_a_task_of_its_own_with_its_vocabulary(run, pretrained):
    folder, _ = run("task_finetune_imdb", "scenes", **QUICK, **FROZEN, load_modules={"text_encoder": str(pretrained())})
    name = "model.text_encoder.encoder.embeddings.word_embeddings.weight"
    assert torch.equal(weights(folder.last_checkpoint)[name], weights(pretrained())[name])
    kept, own = entry(folder.last_checkpoint)["text"], entry(pretrained())["text"]
    assert kept["special"] == own["special"]
    assert kept["max_text_len"] == 256, "the named configuration's, for which positions are resized"


@pytest.mark.parametrize("model", ["onetower_electra", "onetower_deit"])
def test_a_one_tower_encoder_is_a_part_too(run, pretrained, model):
    checkpoint = pretrained(model)
    folder, _ = run("task_itm", "scenes", model, **QUICK, **FROZEN, load_modules={"encoder": str(checkpoint)})
    assert equal(weights(folder.last_checkpoint, "encoder"), weights(checkpoint, "encoder"))
    mine, theirs = weights(folder.last_checkpoint, "pooler"), weights(checkpoint, "pooler")
    assert mine.keys() == theirs.keys()
    assert not equal(mine, theirs), "only the named part comes along"


def test_a_loaded_part_runs_again_from_its_own_checkpoint(run, pretrained):
    folder, _ = run("task_finetune_imdb", "scenes", **QUICK, load_modules={"text_encoder": str(pretrained())})
    again, _ = run("task_finetune_imdb", "scenes", **{**QUICK, "max_steps": 2}, load_modules={},
                   resume_from=str(folder.last_checkpoint))  # fmt: skip
    assert torch.load(again.last_checkpoint, weights_only=True)["global_step"] == 2


@pytest.mark.parametrize(
    ("task", "given", "expected"),
    [
        ("task_finetune_imdb", {"decoder": "{it}"}, "has no part 'decoder'; its parts are fuser, image_encoder"),
        ("task_finetune_imdb", {"image_encoder": "{it}"}, "has no part 'image_encoder': its tasks look at no images"),
        ("task_finetune_imdb", {"encoder": "{it}"}, "has no part 'encoder': model_type='two-tower'"),
        ("task_finetune_imdb", {"fuser": "{it}"}, "has no part 'fuser'; its parts are imdb_head, text_encoder"),
        ("task_finetune_imdb", {"text_encoder": "nowhere.ckpt"}, "load_modules.text_encoder='nowhere.ckpt': there is"),
    ],
)
def test_parts_that_are_not_there_are_named(run, pretrained, task, given, expected):
    modules = {part: path.format(it=pretrained()) for part, path in given.items()}
    with pytest.raises(UserError, match=expected):
        run(task, "scenes", "tiny", **QUICK, load_modules=modules)


def test_a_setting_that_contradicts_a_part_is_an_error(run, pretrained):
    with pytest.raises(UserError, match=r"load_modules: settings that contradict(.|\n)*num_layers: 5 was asked for"):
        run("task_finetune_imdb", "scenes", **QUICK, load_modules={"text_encoder": str(pretrained())},
            text_encoder_num_layers=5)  # fmt: skip


def test_a_whole_model_and_parts_cannot_both_be_asked_for(run, pretrained):
    with pytest.raises(UserError, match="load_modules and load_path cannot both be given"):
        run("task_finetune_imdb", "scenes", **QUICK, load_path=str(pretrained()),
            load_modules={"text_encoder": str(pretrained())})  # fmt: skip


def test_a_side_that_the_checkpoint_lacks_is_new(run, pretrained):
    text, _ = run("task_finetune_imdb", "scenes", **QUICK, load_path=str(pretrained()))
    folder, _ = run("task_itm", "scenes", **QUICK, load_path=str(text.best_checkpoint))
    kinds = {row["what"] for row in loaded_rows(folder).values() if row["part"] == "image_encoder"}
    assert kinds == {"new"}


def test_a_run_leaves_its_vocabulary_and_its_checkpoint_needs_no_file(run, tmp_path):
    first, _ = run("task_finetune_imdb", "scenes", "tiny", **QUICK, tokenizer_type="character", min_frequency=1)
    entries = json.loads(first.vocabulary.read_text())
    assert list(entries.values()) == list(range(len(entries)))
    moved = first.vocabulary.rename(tmp_path / "letters.json")
    second, _ = run("task_finetune_imdb", "scenes", "tiny", **QUICK, tokenizer_type="character", vocab_file=str(moved))
    assert entry(second.last_checkpoint)["text"] == entry(first.last_checkpoint)["text"]
    assert json.loads(second.vocabulary.read_text()) == entries
    moved.unlink()
    third, _ = run("task_finetune_imdb", "scenes", **QUICK, load_path=str(second.last_checkpoint))
    assert third.tokenizer.read_bytes() == first.tokenizer.read_bytes()
    assert entry(third.last_checkpoint)["settings"]["tokenizer_type"] == "character"
    with pytest.raises(UserError, match="tokenizer_type: 'word' was asked for, the checkpoint has 'character'"):
        run("task_finetune_imdb", "scenes", **QUICK, load_path=str(second.last_checkpoint), tokenizer_type="word")
    fourth, _ = run(
        "task_finetune_imdb", "scenes", **QUICK, load_path=str(second.last_checkpoint), tokenizer_type="word",
        strict_loading=False,
    )  # fmt: skip
    assert entry(fourth.last_checkpoint)["settings"]["vocab_file"] is None
    assert " " not in json.loads(fourth.vocabulary.read_text())


def test_dropout_is_the_checkpoints_unless_the_user_says_otherwise(run, pretrained):
    whole = str(pretrained())
    followed, _ = run("task_mlm_itm", "scenes", **QUICK, load_path=whole)
    rate = entry(whole)["settings"]["text_encoder_drop_rate"]
    assert entry(followed.last_checkpoint)["settings"]["text_encoder_drop_rate"] == rate
    assert rate != 0.3
    changed, _ = run("task_mlm_itm", "scenes", **QUICK, load_path=whole, text_encoder_drop_rate=0.3)
    assert entry(changed.last_checkpoint)["encoder_configs"]["text_encoder"]["hidden_dropout_prob"] == 0.3


def test_whole_words_need_a_checkpoint_whose_tokens_tell_them(run):
    folder, _ = run("task_mlm", "scenes", "tiny", **QUICK, tokenizer_type="character", whole_word_masking=False)
    with pytest.raises(UserError, match="checkpoint's vocabulary has none"):
        run("task_mlm", "scenes", **QUICK, load_path=str(folder.last_checkpoint), whole_word_masking=True)
