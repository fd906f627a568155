"""A checkpoint's encoders as Hugging Face folders: other programs open them, and so do we, with equal outputs."""

from __future__ import annotations

import io
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CONFIG_MAPPING, AutoImageProcessor, AutoModel, AutoTokenizer

from config import ex
from renaissance.checkpoints.checkpoint import read_checkpoint
from renaissance.checkpoints.restore import restore
from renaissance.data.images.transform import ImageStatistics, ImageTransform, Normalise
from renaissance.data.text.processor import TextProcessor
from renaissance.errors import UserError
from renaissance.inference.export import export_encoders
from renaissance.inference.pooler import add_first_token_pooler
from renaissance.models.pretrained.sources import create_model
from renaissance.settings import check_settings

TEXTS = ["a red square above a blue circle", "Two zebras!", ""]
QUICK = {"max_steps": 1, "warmup_steps": 0, "batch_size": 8, "per_gpu_batchsize": 8}


def exporting(checkpoint, folder):
    return check_settings({**ex.configurations[0](), "load_path": str(checkpoint), "export_dir": str(folder)}, "export")


def picture(size=(301, 200)):
    noise = np.random.default_rng(0).integers(0, 256, (50, 80, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size)


def own_pixels(checkpoint, shown):
    """What our pipeline makes of the picture: (1, 3, S, S)."""
    kept = checkpoint.description.image_statistics
    statistics = ImageStatistics(tuple(kept["mean"]), tuple(kept["std"]), kept["resample"])
    size = checkpoint.description.settings["image_size"]
    data = io.BytesIO()
    shown.save(data, format="png")
    cut = ImageTransform(["imagenet"], size, statistics)(data.getvalue())
    return Normalise(statistics)(torch.from_numpy(np.ascontiguousarray(cut))[None])


def test_the_towers_open_elsewhere_with_equal_outputs(pretrained, tmp_path, capsys):
    moved = tmp_path / "moved.ckpt"
    shutil.copy(pretrained(), moved)
    folders = export_encoders(exporting(moved, tmp_path / "exported"))
    assert set(folders) == {"text_encoder", "image_encoder"}
    said = capsys.readouterr().out
    assert "not exported" in said
    assert "fuser" in said
    assert "mlm_head" in said
    checkpoint = read_checkpoint(moved)
    model = restore(checkpoint).model

    ours = TextProcessor.from_state(checkpoint.description.text)
    tokenizer = AutoTokenizer.from_pretrained(folders["text_encoder"])
    long = " ".join(["red"] * 100)
    assert tokenizer([*TEXTS, long], truncation=True).input_ids == [list(ids) for ids, _ in ours.encode([*TEXTS, long])]
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    text = AutoModel.from_pretrained(folders["text_encoder"]).eval()
    assert text.dtype == torch.float32
    with torch.no_grad():
        expected = model.text_encoder.encoder(batch.input_ids, attention_mask=batch.attention_mask).last_hidden_state
        found = text(**batch).last_hidden_state
    assert torch.equal(found, expected)

    processor = AutoImageProcessor.from_pretrained(folders["image_encoder"])
    for size in [(301, 200), (200, 301), (333, 97), (71, 64), (64, 64), (40, 55)]:
        pixels = processor(picture(size), return_tensors="pt").pixel_values
        difference = (pixels - own_pixels(checkpoint, picture(size))).abs()
        assert difference.max() < 0.02, f"{size}: a level of 256 is 0.017, where a value lies between two"
        assert difference.mean() < 1e-3, size
    image = AutoModel.from_pretrained(folders["image_encoder"]).eval()
    with torch.no_grad():
        found = image(pixel_values=pixels).last_hidden_state
        assert torch.allclose(found, model.encode_image(pixels).hidden, atol=1e-6)


@pytest.mark.parametrize(
    ("architecture", "activation"),
    [("bert", torch.tanh), ("albert", torch.tanh), ("roberta", torch.tanh), ("electra", None), ("distilbert", None)],
)
def test_no_exported_encoder_opens_with_random_weights(tmp_path, architecture, activation):
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    encoder = create_model(CONFIG_MAPPING[architecture](**sizes)).eval()
    said = add_first_token_pooler(encoder)
    encoder.save_pretrained(tmp_path)
    opened, loading = AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not loading["missing_keys"]
    assert not loading["unexpected_keys"]
    with torch.no_grad():
        found = opened.eval()(torch.tensor([[5, 6, 7]]))
    if activation is None:
        assert not said
        assert "pooler_output" not in found
    else:
        assert torch.allclose(found.pooler_output, activation(found.last_hidden_state[:, 0]), atol=1e-6)


def test_the_image_encoder_opens_without_a_warning_and_pools_the_first_position(pretrained, tmp_path):
    folder = export_encoders(exporting(pretrained(), tmp_path / "exported"))["image_encoder"]
    opened, loading = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert not loading["missing_keys"]
    assert not loading["unexpected_keys"]
    with torch.no_grad():
        found = opened.eval()(torch.randn(2, 3, 64, 64))
    assert torch.allclose(found.pooler_output, found.last_hidden_state[:, 0], atol=1e-6)
    said = (folder / "README.md").read_text()
    assert "`pooler_output` is the first position's features" in said
    assert "Pillow" in said


def test_our_own_settings_open_the_folders_again(run, pretrained, tmp_path):
    folders = export_encoders(exporting(pretrained(), tmp_path / "exported"))
    folder, _ = run(
        "task_mlm_itm", "scenes", **QUICK, image_size=64, freeze_text_encoder=True, freeze_image_encoder=True,
        text_encoder=str(folders["text_encoder"]), image_encoder=str(folders["image_encoder"]),
    )  # fmt: skip
    before, after = read_checkpoint(pretrained()), read_checkpoint(folder.last_checkpoint)
    towers = [name for name in before.state_dict if name.startswith(("model.text_encoder.", "model.image_encoder."))]
    assert towers
    assert all(torch.equal(before.state_dict[name], after.state_dict[name]) for name in towers)
    one, other = (TextProcessor.from_state(each.description.text) for each in (before, after))
    assert one.special_ids == other.special_ids
    assert one.state()["special"] == other.state()["special"]
    assert [list(ids) for ids, _ in one.encode(TEXTS)] == [list(ids) for ids, _ in other.encode(TEXTS)]
    assert before.description.image_statistics == after.description.image_statistics


@pytest.mark.parametrize("model", ["onetower_electra", "onetower_deit"])
def test_of_a_one_tower_the_encoder_goes_out(pretrained, tmp_path, capsys, model):
    folders = export_encoders(exporting(pretrained(model), tmp_path / "exported"))
    said = capsys.readouterr().out
    own = "image_embeddings" if model == "onetower_electra" else "text_embeddings"
    assert own in next(line for line in said.splitlines() if line.startswith("not exported"))
    opened = AutoModel.from_pretrained(folders["encoder"]).eval()
    state = read_checkpoint(pretrained(model)).state_dict
    weights = {name.removeprefix("model.encoder.encoder."): tensor for name, tensor in state.items()
               if name.startswith("model.encoder.encoder.")}  # fmt: skip
    found = opened.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in weights.items())
    assert "renaissance" not in json.dumps(opened.config.to_dict())
    files = {path.name for path in folders["encoder"].iterdir()}
    assert ("tokenizer.json" in files) == (model == "onetower_electra")
    assert ("preprocessor_config.json" in files) == (model == "onetower_deit")


def test_embeddings_that_a_run_had_no_use_for_are_said(run, tmp_path, capsys):
    folder, _ = run("task_finetune_cifar10", "scenes", "tiny", "onetower_electra", **QUICK)
    export_encoders(exporting(folder.best_checkpoint, tmp_path / "exported"))
    assert "encoder: its own embeddings were not trained" in capsys.readouterr().out


def test_an_encoder_without_fused_attention_goes_out_too(run, tmp_path):
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    folder, _ = run(
        "task_mlm_itm", "scenes", "tiny", **QUICK, text_encoder="longformer",
        text_encoder_manual_configuration=False, text_encoder_config={**sizes, "attention_window": 8},
    )  # fmt: skip
    exported = export_encoders(exporting(folder.last_checkpoint, tmp_path / "exported"))["text_encoder"]
    opened, loading = AutoModel.from_pretrained(exported, output_loading_info=True)
    assert opened.config.model_type == "longformer"
    assert not loading["missing_keys"]
    state = read_checkpoint(folder.last_checkpoint).state_dict
    prefix = "model.text_encoder.encoder."
    kept = {name: tensor for name, tensor in opened.state_dict().items() if prefix + name in state}
    assert len(kept) > 10
    assert all(torch.equal(state[prefix + name], tensor) for name, tensor in kept.items())


def test_nothing_is_overwritten_and_nothing_half_is_left(pretrained, tmp_path, monkeypatch):
    target = tmp_path / "exported"
    target.mkdir()
    settings = exporting(pretrained(), target)  # an empty folder will do
    (target / "mine.txt").touch()
    with pytest.raises(UserError, match="is not empty"):
        exporting(pretrained(), target)
    with pytest.raises(UserError, match=r"export_dir=.*cannot be written"):  # filled since it was checked
        export_encoders(settings)
    assert [path.name for path in tmp_path.iterdir()] == ["exported"]
    assert [path.name for path in target.iterdir()] == ["mine.txt"]


def test_what_is_missing_is_said():
    with pytest.raises(UserError, match=r"load_path: say which(.|\n)*export_dir: say where"):
        check_settings(ex.configurations[0](), "export")
