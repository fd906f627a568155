"""Attention of captions that a language model of transformers writes is what transformers hands out itself."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

import renaissance
from renaissance.attributions import attention
from renaissance.attributions.subject import WHOLE, Subject
from renaissance.data.batches.batch import Tokens
from renaissance.models.pretrained.sources import config_to_dict
from tests.models.decoders import language_model_folder
from tests.models.references import randomise
from tests.training.conftest import Runner

WORDS = ["there is one small red circle", "two large blue squares above a green cross", "the yellow triangle left of"]
SHORT = {
    "max_steps": 2, "warmup_steps": 0, "max_epoch": None, "caption_metric_images": 0, "num_samples": 0,
    "sample_interval": None, "max_generated_tokens": 8,
}  # fmt: skip


@pytest.fixture(scope="module")
def writers(scenes_root, tmp_path_factory):
    """Gives models that write captions with a language model of a kind, in a two-tower or a one-tower model."""
    folder = tmp_path_factory.mktemp("writers")
    known = {}

    def make(kind, *named, **overrides):
        key = (kind, named, repr(overrides))
        if key not in known:
            language = language_model_folder(folder / f"language {len(known)}", kind, WORDS)
            run = Runner(scenes_root, folder / f"result {len(known)}")
            ran, _ = run("task_foundation_captioning", "scenes", "tiny", *named, decoder=language, **SHORT, **overrides)
            known[key] = ran
        model = renaissance.load(known[key].best_checkpoint)
        torch.manual_seed(3)
        randomise(model.encoder)  # so that no row of weights is like another
        return model, known[key]

    return make


@torch.no_grad()
def transformers_own(model, subject, ids):
    """What a copy of the decoder in eager mode hands out where it reads some tokens; and where its image begins."""
    decoder = model.encoder.decoder
    config = decoder.model.config
    plain = CONFIG_MAPPING[config.model_type].from_dict({**config_to_dict(config), "is_decoder": True})
    theirs = AutoModelForCausalLM.from_config(plain, attn_implementation="eager").eval()
    theirs.load_state_dict(decoder.model.state_dict())
    image = model.encoder.fuse(None, subject.step([WHOLE]).image).image
    parts = {"image": decoder.context["image"](image)}
    if "text" in decoder.context:  # it is given the start token alone
        start = torch.tensor([ids[:1]])
        tokens = Tokens(start, torch.ones_like(start, dtype=torch.bool), torch.zeros_like(start))
        parts["text"] = decoder.context["text"](model.encoder.fuse(model.encoder.encode_text(tokens), None).text)
    output = theirs(
        input_ids=torch.tensor([ids]),
        encoder_hidden_states=torch.cat([parts[name] for name in decoder.context], dim=1),
        output_attentions=True,
    )
    names = list(decoder.context)
    before = sum(parts[name].shape[1] for name in names[: names.index("image")])
    return output, slice(before, before + parts["image"].shape[1])


@pytest.mark.parametrize(
    ("kind", "named", "overrides"),
    [
        ("gpt2", (), {}),
        ("bert", (), {"caption_prefix_encoder": True}),
        ("roberta", ("onetower_electra",), {}),
        ("gpt2", (), {"caption_prefix_encoder": True, "random_init_text_encoder": True}),
    ],
)
def test_a_words_weights_are_transformers_own(writers, rows, monkeypatch, kind, named, overrides):
    model, _ = writers(kind, *named, **overrides)
    caption = "two large blue squares"
    monkeypatch.setattr(model.tasks["caption"], "captions", lambda step: [caption])
    example = {"image": rows("scenes_val")[0]["image"]}
    implementation = model.encoder.decoder.model.config._attn_implementation
    found = [attention(model, example, "caption", number) for number in range(4)]
    mean = attention(model, example, "caption")
    assert model.encoder.decoder.model.config._attn_implementation == implementation
    assert [word.text for word in mean.words] == caption.split()
    ids = model.text.encode([caption])[0][0].tolist()
    output, image = transformers_own(model, Subject(model, "caption", example), ids[:-1])
    across, itself = output.cross_attentions[-1][0].mean(0)[:, image], output.attentions[-1][0].mean(0)
    before = model.encoder.image_positions.before
    columns = columns_of(model, caption)
    for number, one in enumerate(found):
        wrote = [column - 1 for column in columns[number]]  # a token is written where the one before it stands
        flat = [value for line in one.patches["image"] for value in line]
        assert flat == pytest.approx(across[wrote].mean(0)[before:].tolist(), abs=1e-5)
        seen = [float(itself[wrote].mean(0)[own].sum()) for own in columns]
        assert [word.value for word in one.words] == pytest.approx(seen, abs=1e-5)
    everything = [column - 1 for own in columns for column in own]
    flat = [value for line in mean.patches["image"] for value in line]
    assert flat == pytest.approx(across[everything].mean(0)[before:].tolist(), abs=1e-5)
    json.dumps(mean.plain(), allow_nan=False)


def columns_of(model, caption):
    """The places of each word's tokens, found by reading one word more each time; a token of a space is no word's."""
    special = len(model.text.encode([""])[0][0])
    parts = [" ".join(caption.split()[:number]) for number in range(len(caption.split()) + 1)]
    ends = [len(model.text.encode([part])[0][0]) - special for part in parts]
    ids = model.text.encode([caption])[0][0].tolist()
    return [
        [column for column in range(1 + start, 1 + end) if model.text.decode(ids[column : column + 1]).strip()]
        for start, end in pairwise(ends)
    ]


def test_a_run_tells_what_such_captions_rest_on(writers, rows):
    """The caption is the model's own, and its log-probability what transformers' logits make of it."""
    _, folder = writers("gpt2", attributions=True, attributions_examples=2)
    first, second = json.loads((folder.attributions / "caption.json").read_text())["examples"]
    assert (folder.plots / "attributions_caption.png").is_file()
    assert any(value for one in (first, second) for line in one["patches"]["image"] for value in line)
    model = renaissance.load(folder.best_checkpoint)
    example = {"image": rows("scenes_val")[0]["image"]}
    assert first["target"] == model.caption([example["image"]])[0]
    ids = model.text.encode([first["target"]])[0][0].tolist()
    output, _ = transformers_own(model, Subject(model, "caption", example), ids[:-1])
    wanted = output.logits.log_softmax(-1)[0].gather(1, torch.tensor(ids[1:])[:, None]).sum()
    assert first["score"] == pytest.approx(float(wanted), abs=1e-3)
