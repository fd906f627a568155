"""`renaissance.load`: what a trained model says in Python is what training and its tests compute, for any batch."""

from __future__ import annotations

import io
import json
import math
import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

import renaissance
from renaissance.checkpoints.checkpoint import read_checkpoint
from renaissance.data.text.processor import TextProcessor
from renaissance.errors import UserError
from tests.command_line import ROOT

TEXTS = ["a red circle", "", "one small green triangle left of two large yellow squares below a blue circle", "circle"]
PREFIXED = {"caption_prefix_encoder": True, "generation_strategy": "sample"}
MODELS = {"two-tower": (), "one-tower": ("onetower_electra",), "one-tower of patches": ("onetower_deit",)}


def pair(row):
    return {"image": row["image"], "text": row["caption"][0]}


def of_size(side):
    """A picture of the model's size, which is neither resized nor cut."""
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (side, side, 3), dtype=np.uint8))


def by_hand(checkpoint, picture):
    """Normalised pixels (1, 3, S, S) of a picture of the model's size."""
    kept = checkpoint.description.image_statistics
    mean, std = (torch.tensor(kept[name]).view(3, 1, 1) for name in ("mean", "std"))
    scaled = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255
    return ((scaled - mean) / std)[None]


def test_a_model_loads_without_lightning_data_or_network(pretrained, tmp_path):
    moved = shutil.copy(pretrained(), tmp_path / "moved.ckpt")
    script = """
import socket, sys
import renaissance
assert "torch" not in sys.modules, "importing is to be fast"
def refuse(*args, **keywords):
    raise AssertionError("the network was asked")
socket.socket.connect = socket.getaddrinfo = refuse
model = renaissance.load(sys.argv[1])
print(model.encode_text(["a red circle"]).shape, model.predict([]))
heavy = {"pytorch_lightning", "lightning", "sacred", "config"} & {name.partition(".")[0] for name in sys.modules}
assert not heavy, heavy
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(moved)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "torch.Size([1, 64]) []"
    assert not done.stderr


def test_encodings_are_the_towers_pooled(pretrained):
    checkpoint = read_checkpoint(pretrained())
    model = renaissance.load(pretrained())
    tokenizer = TextProcessor.from_state(checkpoint.description.text)
    found = model.encode_text(TEXTS)
    assert (found.shape, found.dtype, found.requires_grad) == ((4, 64), torch.float32, False)
    with torch.no_grad():
        for vector, text in zip(found, TEXTS, strict=True):
            ((ids, _),) = tokenizer.encode([text])
            hidden = model.encoder.text_encoder.encoder(torch.tensor(ids)[None]).last_hidden_state
            assert torch.allclose(vector, hidden[0].mean(0), atol=1e-5), text
        picture = of_size(model.settings.image_size)
        hidden = model.encoder.image_encoder.encoder(by_hand(checkpoint, picture)).last_hidden_state
    assert torch.allclose(model.encode_image([picture]), hidden[:, 0], atol=1e-5)


@pytest.mark.parametrize("kind", MODELS)
def test_nothing_depends_on_the_batch(pretrained, rows, kind):
    model = renaissance.load(pretrained(*MODELS[kind]))
    examples = [{"image": row["image"], "text": text} for row, text in zip(rows("scenes_test"), TEXTS, strict=False)]
    examples[3]["text"] = "a [MASK] circle and [MASK]"
    texts, images = ([example[name] for example in examples] for name in ("text", "image"))
    assert torch.allclose(model.encode_text(texts), model.encode_text(texts, batch_size=1), atol=1e-5)
    assert torch.allclose(model.encode_image(images), model.encode_image(images, batch_size=3), atol=1e-5)
    together = model.predict(examples)
    alone = [model.predict([example])[0] for example in examples]
    assert [answer["itm"]["match"] for answer in together] == pytest.approx(
        [answer["itm"]["match"] for answer in alone], abs=1e-5
    )
    assert [len(answer["mlm"]["words"]) for answer in together] == [0, 0, 0, 2]
    for one, other in zip(together[3]["mlm"]["words"], alone[3]["mlm"]["words"], strict=True):
        chances = [{word["word"]: word["probability"] for word in words} for words in (one, other)]
        assert chances[0] == pytest.approx(chances[1], abs=1e-5)


@pytest.mark.parametrize("task", ["cifar10", "imdb"])
def test_probabilities_are_those_that_a_test_measures(run, trained, rows, scenes_root, task):
    checkpoint = trained(f"task_finetune_{task}")
    _, final = run(f"task_finetune_{task}", "scenes", load_path=str(checkpoint), test_only=True)
    model = renaissance.load(checkpoint)
    with pa.memory_map(str(scenes_root / f"scenes_{task}_test.arrow")) as file:
        names = json.loads(pa.ipc.open_file(file).schema.metadata[b"label_names"])
    field = model.inputs[task][0].field
    split = rows(f"scenes_{task}_test")
    answers = model.predict([{field: row[field]} for row in split], task=task, batch_size=17)
    right = [answer["answer"] == names[row["label"]] for answer, row in zip(answers, split, strict=True)]
    losses = [
        -math.log(answer["probabilities"][names[row["label"]]]) for answer, row in zip(answers, split, strict=True)
    ]
    assert np.mean(right) == pytest.approx(final[f"{task}/test/accuracy"], abs=1e-6)
    assert np.mean(losses) == pytest.approx(final[f"{task}/test/loss"], rel=1e-5)
    assert all(sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5) for answer in answers)
    assert sorted(model.label_names[task]) == sorted(names)
    assert json.loads(json.dumps(answers)) == answers, "plain values"


def test_matches_and_words_are_the_heads_of_a_pair(pretrained, rows):
    """Computed by hand, a pair alone, from the towers to the heads."""
    model, checkpoint = renaissance.load(pretrained()), read_checkpoint(pretrained())
    picture = of_size(model.settings.image_size)
    text = "[MASK] " + rows("scenes_test")[0]["caption"][0].partition(" ")[2]
    ((ids, _),) = model.text.encode([text])
    with torch.no_grad():
        encoder = model.encoder
        words = encoder.text_projection(encoder.text_encoder.encoder(torch.tensor(ids)[None]).last_hidden_state)
        patches = encoder.image_encoder.encoder(by_hand(checkpoint, picture)).last_hidden_state
        mask, outputs = torch.ones(1, len(ids), dtype=torch.bool), frozenset(("text", "pooled"))
        seen = encoder.fuser(words, encoder.image_projection(patches), text_mask=mask, image_mask=None, outputs=outputs)
        match = model.tasks["itm"].head(seen.pooled).softmax(-1)[0, 1].item()
        place = ids.tolist().index(model.text.mask_id)
        chances = model.tasks["mlm"].head(seen.text[:, place]).softmax(-1)[0]
    (answer,) = model.predict([{"image": picture, "text": text}])
    assert answer["itm"] == {"match": pytest.approx(match, abs=1e-5)}
    (best,) = answer["mlm"]["words"]
    assert [word["probability"] for word in best] == sorted((word["probability"] for word in best), reverse=True)
    for word in best:
        ((own, _),) = model.text.encode([word["word"]])
        assert word["probability"] == pytest.approx(chances[own[1]].item(), abs=1e-5), word
    assert answer["mlm"]["text"].split()[0] == best[0]["word"]


@pytest.mark.parametrize("settings", [{"generation_strategy": "beam"}, PREFIXED], ids=["beam", "sampled"])
def test_captions_do_not_depend_on_the_batch_nor_on_the_call(trained, rows, settings):
    model = renaissance.load(trained("task_foundation_captioning", **settings))
    images = [row["image"] for row in rows("scenes_test")[:5]]
    torch.manual_seed(0)
    captions = model.caption(images)
    torch.manual_seed(1)
    assert model.caption(images, batch_size=2) == captions
    assert model.caption(images[::-1])[::-1] == captions
    assert [
        answer["caption"] for answer in model.predict([{"image": image} for image in images], task="caption")
    ] == captions
    assert len(set(captions)) > 1 or settings["generation_strategy"] == "beam"
    assert all(caption.startswith("a red") for caption in model.caption(images, prefix="a red"))


def test_a_picture_is_the_same_however_it_is_given(pretrained, tmp_path):
    """Also one that lies on its side, and one that is see-through."""
    model = renaissance.load(pretrained())
    sideways = Image.new("RGBA", (90, 60), (200, 30, 30, 128))
    sideways.paste((0, 200, 0, 255), (0, 0, 20, 60))
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "sideways.png"
    sideways.save(path, exif=exif)
    found = model.encode_image([path, str(path), path.read_bytes(), Image.open(path)])
    assert all(torch.equal(vector, found[0]) for vector in found)
    upright = sideways.transpose(Image.Transpose.ROTATE_270)
    white = Image.new("RGB", upright.size, "white")
    white.paste(upright, mask=upright)
    assert torch.equal(model.encode_image([white])[0], found[0])
    assert not torch.equal(model.encode_image([sideways])[0], found[0])


def test_nothing_is_nothing(pretrained, trained):
    model = renaissance.load(pretrained())
    assert model.encode_text([]).shape == model.encode_image([]).shape == (0, 64)
    assert model.predict([]) == model.predict([], task="itm") == []
    assert renaissance.load(trained("task_foundation_captioning", **PREFIXED)).caption([]) == []


PICTURE = Image.new("RGB", (8, 8))


MISTAKES = {
    "missing": (lambda model: model.predict([{"image": PICTURE, "text": "a"}, {"text": "a"}]),
                r"examples\[1\]\['image'\]: is missing"),
    "a number": (lambda model: model.predict([{"image": PICTURE, "text": 3}]),
                 r"examples\[0\]\['text'\]: is of type int"),
    "an array": (lambda model: model.predict([{"image": np.zeros(3), "text": ""}]),
                 r"\['image'\]: is of type ndarray; give a path"),
    "no dictionary": (lambda model: model.predict(["a"]), r"examples\[0\]: is of type str; give a dictionary"),
    "no list": (lambda model: model.predict({"image": PICTURE}), "examples: is of type dict; give a list"),
    "no such task": (lambda model: model.predict([], task="imdb"), "task='imdb': this model was trained on itm, mlm"),
    "bad bytes": (lambda model: model.encode_image([PICTURE] * 3 + [b"no"], batch_size=2),
                  r"images\[3\]: the image cannot be read"),
    "no file": (lambda model: model.encode_image([PICTURE, "no/such.png"]),
                r"images\[1\]: no/such.png cannot be read \(No such"),
    "a folder": (lambda model: model.encode_image(["."]), r"images\[0\]: \. cannot be read \(Is a directory"),
    "one path": (lambda model: model.encode_image("scene.png"), "images: is of type str; give a list"),
    "one text": (lambda model: model.encode_text("a red circle"), "texts: is of type str; give a list"),
    "None": (lambda model: model.encode_text(["a", None]), r"texts\[1\]: is missing"),
    "no batch": (lambda model: model.encode_text(["a"], batch_size=0), "batch_size=0: must be a whole number"),
    "no writer": (lambda model: model.caption([PICTURE]), "writes no captions: it was trained on itm, mlm"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_place(pretrained, mistake):
    ask, said = MISTAKES[mistake]
    model = renaissance.load(pretrained())
    with pytest.raises(UserError, match=said):
        ask(model)
    assert torch.is_grad_enabled()


def test_a_side_that_a_model_lacks_is_named(trained):
    with pytest.raises(UserError, match="looks at no images: it was trained on imdb"):
        renaissance.load(trained("task_finetune_imdb")).encode_image([PICTURE])
    with pytest.raises(UserError, match="reads no texts: it was trained on cifar10"):
        renaissance.load(trained("task_finetune_cifar10")).encode_text(["a"])


def test_a_device_that_is_not_there_is_named(pretrained):
    with pytest.raises(UserError, match="device='nonsense': cannot be used here"):
        renaissance.load(pretrained(), device="nonsense")


def test_loading_leaves_the_users_process_as_it_was(pretrained):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    model = renaissance.load(pretrained())
    assert torch.equal(torch.rand(3), expected), "random numbers go on as they would have"
    modules = [model.encoder, *model.tasks.values()]
    assert not any(module.training for whole in modules for module in whole.modules())
    assert not any(parameter.requires_grad for whole in modules for parameter in whole.parameters())


def test_what_each_task_needs_is_said(pretrained, trained):
    needed = {name: [given.field for given in fields] for name, fields in renaissance.load(pretrained()).inputs.items()}
    assert needed == {"itm": ["image", "text"], "mlm": ["image", "text"]}
    captioning = renaissance.load(trained("task_foundation_captioning", **PREFIXED))
    assert [given.field for given in captioning.inputs["caption"]] == ["image"]


def test_the_bytes_of_a_large_jpeg_and_its_picture_nearly_agree(pretrained):
    """Bytes are decoded at a fraction of their size, which a picture that is there already cannot be."""
    model = renaissance.load(pretrained())
    file = io.BytesIO()
    of_size(8).resize((800, 600), Image.Resampling.BICUBIC).save(file, "JPEG", quality=95)
    drafted, whole = model.encode_image([file.getvalue(), Image.open(file)])
    assert torch.nn.functional.cosine_similarity(drafted, whole, dim=0) > 0.999
