"""ONNX files give what the model gives, by the README's own code, in a process without PyTorch and Renaissance."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import renaissance
from config import ex
from renaissance.errors import UserError
from renaissance.inference.export import export
from renaissance.inference.onnx_export import export as onnx_export
from renaissance.inference.onnx_export.graphs import Graph
from renaissance.inference.onnx_export.readme import IMAGE, TEXT
from renaissance.settings import check_settings
from renaissance.tasks.common.step import pooled

TEXTS = ["a red circle", "a large green square above " + "two small red circles " * 30, "Blue?"]  # one too long
ALONE = """
import json, sys
sys.modules |= dict.fromkeys(("torch", "transformers", "renaissance"))
said = []
exec(sys.stdin.read(), {"print": lambda value: said.append(value if isinstance(value, list) else value.tolist())})
json.dump(said, sys.stdout)
"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A tall transparent one, a large JPEG that lies on its side, and a small grey one."""
    folder = tmp_path_factory.mktemp("pictures")
    noise = np.random.default_rng(0).integers(0, 256, (30, 20, 4), np.uint8)
    transparent = Image.fromarray(noise).resize((90, 210))
    transparent.save(folder / "transparent.png")
    lying = Image.Exif()
    lying[274] = 6
    transparent.convert("RGB").resize((1001, 777)).save(folder / "lying.jpg", exif=lying)
    transparent.convert("L").resize((40, 33)).save(folder / "grey.png")
    return [str(folder / name) for name in ("transparent.png", "lying.jpg", "grey.png")]


def exported(checkpoint, folder):
    values = {**ex.configurations[0](), "load_path": str(checkpoint), "export_dir": str(folder)}
    export(check_settings({**values, "export_format": "onnx"}, "export"))
    return folder


def said_by_readme(folder, pictures):
    """What the README's code prints of our texts and pictures: of each file, in their order."""
    (code,) = (folder / "README.md").read_text("utf-8").split("```python\n")[1:]
    code = code.partition("```")[0].replace(TEXT, json.dumps(TEXTS)).replace(IMAGE, json.dumps(pictures))
    ended = subprocess.run(
        [sys.executable, "-c", ALONE], input=code, capture_output=True, text=True, cwd=folder, check=False
    )
    assert ended.returncode == 0, ended.stderr
    config = json.loads((folder / "config.json").read_text("utf-8"))
    return dict(zip(config["models"], json.loads(ended.stdout), strict=True))


MODELS = {
    "imdb": ("task_finetune_imdb", {"long_text": "from_end", "text_encoder": "transformer",
                                    "text_encoder_window_size": 4, "max_text_len": 90}),
    "cifar10": ("task_finetune_cifar10", {}),
    "mrpc": ("task_finetune_mrpc", {"model_type": "two-tower"}),
    "nlvr2": ("task_finetune_nlvr2", {"model_type": "one-tower"}),
    "vqa": ("task_finetune_vqa", {"model_type": "two-tower"}),
}  # fmt: skip


@pytest.mark.parametrize("task", MODELS)
def test_the_readmes_code_gives_the_models_probabilities(trained, pictures, tmp_path, task):
    named, given = MODELS[task]
    checkpoint = trained(named, **given)
    model = renaissance.load(checkpoint)
    said = said_by_readme(exported(checkpoint, tmp_path / "onnx"), pictures)
    values = {"text": TEXTS, "text_pair": TEXTS, "image": pictures, "second_image": pictures}
    fields = [given.field for given in model.inputs[task]]
    examples = [dict(zip(fields, row, strict=True)) for row in zip(*(values[field] for field in fields), strict=True)]
    for found, expected in zip(said[task], model.predict(examples, task=task), strict=True):
        assert max(found, key=found.get) == expected["answer"]
        assert {name: found[name] for name in expected["probabilities"]} == pytest.approx(
            expected["probabilities"], abs=1e-4
        )


def test_a_pairs_match_and_both_encoders_are_the_models(pretrained, pictures, tmp_path, capsys):
    model = renaissance.load(pretrained())
    said = said_by_readme(exported(pretrained(), tmp_path / "onnx"), pictures)
    examples = [{"text": text, "image": image} for text, image in zip(TEXTS, pictures, strict=True)]
    expected = [answer["match"] for answer in model.predict(examples, task="itm")]
    assert [row["match"] for row in said["itm"]] == pytest.approx(expected, abs=1e-4)
    np.testing.assert_allclose(said["text_encoder"], model.encode_text(TEXTS), atol=1e-4)
    np.testing.assert_allclose(said["image_encoder"], model.encode_image(pictures), atol=1e-4)
    assert "mlm is not exported" in capsys.readouterr().out


def test_vectors_of_a_joint_space_are_those_of_embed(trained, pictures, tmp_path):
    checkpoint = trained("task_clip_scenes")
    model = renaissance.load(checkpoint)
    said = said_by_readme(exported(checkpoint, tmp_path / "onnx"), pictures)
    np.testing.assert_allclose(said["text_encoder"], model.embed_text(TEXTS), atol=1e-4)
    np.testing.assert_allclose(said["image_encoder"], model.embed_image(pictures), atol=1e-4)
    config = json.loads((tmp_path / "onnx" / "config.json").read_text("utf-8"))
    assert config["joint_space"]["scale"] == pytest.approx(model.scale)


def test_a_file_that_would_give_other_numbers_is_refused(pretrained, tmp_path, monkeypatch):
    def of_how_many(step):
        return pooled(step) * len(step.batch.index)  # which tracing takes for a constant

    graph = Graph("text_encoder", ("text",), (), "vectors", None, of_how_many, ())
    monkeypatch.setattr(onnx_export, "graphs_of", lambda model: ([graph], []))
    with pytest.raises(UserError, match=r"text_encoder.onnx would not give what the model gives \(1 examples"):
        exported(pretrained(), tmp_path / "onnx")
    assert not list(tmp_path.iterdir())


def test_the_extra_is_named_where_a_package_is_missing(pretrained, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs onnx and onnxruntime, .*pip install -e '\.\[onnx\]'"):
        exported(pretrained(), tmp_path / "onnx")
