"""Where encoders come from: folders, and what is said, how fast, when they cannot be had."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import huggingface_hub
import pytest
import torch
from transformers import PreTrainedModel

from renaissance import hub
from renaissance.errors import UserError
from renaissance.hub import hub_answers
from renaissance.models.build import build_model
from renaissance.models.pretrained.sources import EncoderRequest, find_config, load_pretrained
from renaissance.settings import Settings
from tests.models.references import IMAGE, TEXT, reference

Make = Callable[..., Settings]
Save = Callable[[PreTrainedModel], str]


@pytest.fixture(autouse=True)
def ask_anew() -> Iterator[None]:
    hub_answers.cache_clear()
    yield
    hub_answers.cache_clear()


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def ask(name: str, random: bool = False) -> EncoderRequest:
    return EncoderRequest(name, "text_encoder", "random_init_text_encoder", random)


@pytest.mark.usefixtures("no_hub")
def test_missing_pretrained_weights_are_one_message_within_seconds(make_settings: Make) -> None:
    settings = make_settings(loss_names={"mlm": 1}, text_encoder="google/electra-base-discriminator")
    begin = time.monotonic()
    with pytest.raises(UserError) as caught:
        build_model(settings, vocab_size=30522, pad_id=0, image=False, text=True)
    assert time.monotonic() - begin < 5
    message = str(caught.value)
    assert "text_encoder = 'google/electra-base-discriminator'" in message
    assert "random_init_text_encoder=True" in message
    assert "folder" in message
    assert "\n" not in message


@pytest.mark.usefixtures("no_hub")
@pytest.mark.parametrize("random", [True, False])
def test_unknown_name(random: bool) -> None:
    with pytest.raises(UserError, match="Did you mean 'google/electra-small-discriminator'"):
        find_config(ask("google/electra-smal-discriminator", random), None)


@pytest.mark.usefixtures("no_hub")
def test_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        find_config(ask(str(tmp_path / "none")), None)


def write_config(folder: Path, **values: object) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize(
    "contents",
    [None, "not json", "[]", '{"hidden_size": 3}', '{"model_type": "no_such_model"}', '{"model_type": "bert"}'],
)
def test_broken_folder(contents: str | None, tmp_path: Path) -> None:
    """Empty, not JSON, of no known type, or without weights: a message that names the folder, never a traceback."""
    if contents is not None:
        (tmp_path / "config.json").write_text(contents, encoding="utf-8")
    request = ask(str(tmp_path))
    with pytest.raises(UserError, match="this folder cannot be opened as a Hugging Face model"):
        load_pretrained(request, find_config(request, "text"), [])


def test_truncated_weights(save: Save) -> None:
    folder = Path(save(reference("bert", TEXT)))
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    request = ask(str(folder))
    with pytest.raises(UserError, match="cannot be opened"):
        load_pretrained(request, find_config(request, "text"), [])


def test_weights_of_another_model(save: Save, tmp_path: Path) -> None:
    text, image = Path(save(reference("bert", TEXT))), Path(save(reference("vit", IMAGE)))
    (text / "model.safetensors").write_bytes((image / "model.safetensors").read_bytes())
    request = ask(str(text))
    with pytest.raises(UserError, match="most of its tensors are missing"):
        load_pretrained(request, find_config(request, "text"), [])


def test_missing_layers_are_noted(save: Save) -> None:
    folder = Path(save(reference("bert", TEXT)))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    write_config(folder, **{**config, "num_hidden_layers": 3})
    request, notes = ask(str(folder)), list[str]()
    load_pretrained(request, find_config(request, "text"), notes)
    assert len(notes) == 1
    assert "16 tensors" in notes[0]


@torch.no_grad()
def test_half_precision_weights_become_fp32(save: Save) -> None:
    request = ask(save(reference("bert", TEXT).half()))
    model = load_pretrained(request, find_config(request, "text"), [])
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_folder_goes_before_the_built_in_table(save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path / "bert-base-uncased", model_type="bert", hidden_size=48, num_attention_heads=4)
    assert find_config(ask("bert-base-uncased", random=True), None).hidden_size == 48


def test_switched_off_hub_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(hub, "HUB_SECONDS", 60)
    assert not hub_answers()


def test_hub_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(hub, "HUB_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        begin = time.monotonic()
        assert not hub_answers()
        assert time.monotonic() - begin < 3


def test_hub_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    server = HTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.handle_request, daemon=True).start()
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    assert hub_answers()
    server.server_close()


def test_hub_that_refuses_is_given_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(hub, "HUB_SECONDS", 60)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    begin = time.monotonic()
    assert not hub_answers()
    assert time.monotonic() - begin < 3
