"""A language model of transformers as the decoder: against transformers itself, cached, from folders, refused."""

from __future__ import annotations

import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from renaissance.data.text.processor import TextProcessor
from renaissance.data.text.vocabulary import load_vocabulary
from renaissance.errors import UserError
from renaissance.models.decoders.build import build_decoder
from renaissance.models.decoders.generation import Choice, generate
from renaissance.models.decoders.interface import DecoderState
from renaissance.models.interface import Features
from renaissance.models.pretrained.sources import config_to_dict
from renaissance.settings.decoder import decoder_settings
from tests.models.decoders import END, language_model, language_model_folder
from tests.models.references import IMAGE, TEXT, randomise, reference

TEXTS = ["a small red circle", "two dogs running", "a dog"]
KINDS = ["gpt2", "bert", "roberta", "electra"]
DISTILBERT = {"vocab_size": 60, "dim": 32, "n_heads": 4, "n_layers": 1}
SIZES = {"image": 6, "text": 5}


@pytest.fixture
def build(make_settings, tmp_path):
    """Builds a decoder of a kind from a folder, or from what a checkpoint says; with the folder's name."""

    def make(kind="gpt2", config=None, folder=None, text=None, **overrides):
        folder = folder or language_model_folder(tmp_path / kind, kind, TEXTS)
        settings = make_settings(**{"decoder": folder, "loss_names": {"caption": 1}, "max_text_len": 12, **overrides})
        text = text or TextProcessor.from_settings(settings, lambda: TEXTS * 2)
        notes = []
        decoder = build_decoder(decoder_settings(settings), text, SIZES, config, notes)
        randomise(decoder)
        return decoder.eval(), folder, notes

    return make


def features(rows=2):
    mask = torch.tensor([[True, True, True], [True, False, False]])[:rows]
    image = Features(torch.randn(rows, 4, 6), torch.ones(rows, 4, dtype=torch.bool))
    return {"image": image, "text": Features(torch.randn(rows, 3, 5), mask)}


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_transformers_own_with_the_same_weights(build, kind):
    decoder, _, _ = build(kind)
    config = decoder.model.config
    plain = CONFIG_MAPPING[kind].from_dict({**config_to_dict(config), "is_decoder": True, "add_cross_attention": True})
    theirs = AutoModelForCausalLM.from_config(plain, attn_implementation="eager").eval()
    theirs.load_state_dict(decoder.model.state_dict())
    given = features()
    context = decoder.read_context(given)
    hidden = torch.cat([decoder.context[name](given[name].hidden) for name in ("image", "text")], dim=1)
    ids = torch.randint(5, config.vocab_size, (2, 7))
    mask = torch.cat([given[name].mask for name in ("image", "text")], dim=1)
    expected = theirs(input_ids=ids, encoder_hidden_states=hidden, encoder_attention_mask=mask.long()).logits
    torch.testing.assert_close(decoder(ids, context), expected, atol=1e-4, rtol=1e-4)
    counted = torch.rand(2, 7) < 0.5
    torch.testing.assert_close(decoder(ids, context, counted=counted), expected[counted], atol=1e-4, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cuts", [[1, 1, 1, 1, 1, 1], [3, 1, 2]])
def test_cached_logits_equal_uncached_ones(build, kind, cuts):
    decoder, _, _ = build(kind)
    context, ids = decoder.read_context(features()), torch.randint(0, 9, (2, 6))
    whole, state, position = decoder(ids, context), DecoderState(decoder, context), 0
    for cut in cuts:
        scores = state.advance(ids[:, position : position + cut])
        position += cut
        torch.testing.assert_close(scores, whole[:, position - 1], atol=1e-4, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_texts_that_are_reordered_go_on_as_if_alone_and_no_token_sees_a_later_one(build, kind):
    decoder, _, _ = build(kind)
    context, ids = decoder.read_context(features()), torch.randint(0, 9, (2, 5))
    rows, state = torch.tensor([1, 1, 0]), DecoderState(decoder, context)
    state.advance(ids[:, :4])
    state.select(rows)
    alone = decoder(ids[rows], context.select(rows))
    torch.testing.assert_close(state.advance(ids[rows, 4:]), alone[:, -1], atol=1e-4, rtol=1e-4)
    changed = torch.cat((ids[:, :4], 8 - ids[:, 4:]), dim=1)
    torch.testing.assert_close(decoder(changed, context)[:, :4], decoder(ids, context)[:, :4], atol=1e-4, rtol=1e-4)
    other = Features(torch.where(context.mask[..., None], context.hidden, 100.0), context.mask)
    torch.testing.assert_close(decoder(ids, other), decoder(ids, context), atol=1e-4, rtol=1e-4)


class Uncached:
    """A decoder that reads its texts from the start for every token."""

    def __init__(self, decoder, context):
        self.decoder, self.context, self.ids = decoder, context, torch.empty(len(context.mask), 0, dtype=torch.long)

    def advance(self, ids):
        self.ids = torch.cat((self.ids, ids), dim=1)
        return self.decoder(self.ids, self.context)[:, -1]

    def select(self, rows):
        self.ids, self.context = self.ids[rows], self.context.select(rows)


@pytest.mark.parametrize("kind", ["gpt2", "bert", "electra"])  # transformers' generate miscounts RoBERTa's positions
def test_generation_equals_transformers_and_beams_those_without_a_cache(build, kind):
    decoder, _, _ = build(kind)
    context, start = decoder.read_context(features()), torch.tensor([[1], [1]])
    theirs = decoder.model.generate(
        start, attention_mask=torch.ones_like(start), max_new_tokens=8, do_sample=False, num_beams=1, eos_token_id=7,
        encoder_hidden_states=context.hidden, encoder_attention_mask=context.mask, pad_token_id=7, use_cache=False,
    )  # fmt: skip
    expected = [[*row, 7][: [*row, 7].index(7)] for row in theirs[:, 1:].tolist()]
    assert generate(DecoderState(decoder, context), start, Choice("greedy", max_tokens=8), end_id=7) == expected
    choice = Choice("beam", num_beams=3, max_tokens=8)
    found, naive = (generate(kept(decoder, context), start, choice, end_id=7) for kept in (DecoderState, Uncached))
    assert found == naive


@pytest.mark.parametrize("kind", KINDS)
def test_pretrained_weights_stay_and_cross_attention_is_new(make_settings, tmp_path, kind):
    folder = language_model_folder(tmp_path / kind, kind, TEXTS)
    settings = make_settings(decoder=folder, loss_names={"caption": 1}, max_text_len=12)
    text, notes = TextProcessor.from_settings(settings, None), []
    decoder = build_decoder(decoder_settings(settings), text, SIZES, None, notes)
    assert notes == ["decoder: the cross-attention, which the weights lack, begins at random"]
    before, after = AutoModelForCausalLM.from_pretrained(folder).state_dict(), decoder.model.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    new = {name for name in after if name not in before}
    assert new
    assert all("cross" in name for name in new)
    decoder.freeze()
    decoder.train()
    assert not decoder.model.training
    trained = {name for name, parameter in decoder.named_parameters() if parameter.requires_grad}
    assert {name.removeprefix("model.") for name in trained if not name.startswith("context.")} == new
    assert {name.split(".")[1] for name in trained if name.startswith("context.")} == {"image", "text"}


def test_an_own_tokenizer_begins_ends_and_pads_texts_with_what_gpt2_has(tmp_path, make_settings):
    folder = language_model_folder(tmp_path / "gpt2", "gpt2", TEXTS)
    settings = make_settings(decoder=folder, loss_names={"caption": 1}, max_text_len=12)
    text = TextProcessor.from_settings(settings, None)
    assert text.cls_id == text.sep_id == text.pad_id == load_vocabulary(folder, "decoder").tokenizer.token_to_id(END)
    ((ids, _),) = text.encode(["two dogs running"])
    assert ids[0] == ids[-1] == text.sep_id
    assert text.decode(ids) == "two dogs running"
    with pytest.raises(UserError, match="no mask token"):
        _ = text.mask_id
    restored = TextProcessor.from_state(text.state())
    assert [ids.tolist() for ids, _ in restored.encode(TEXTS)] == [ids.tolist() for ids, _ in text.encode(TEXTS)]
    others = make_settings(text_encoder=folder, loss_names={"mlm": 1})
    with pytest.raises(UserError, match="no padding token"):
        TextProcessor.from_settings(others, None)


def test_who_reads_the_tokens_of_a_decoder(tmp_path, make_settings):
    gpt2, bert = (language_model_folder(tmp_path / kind, kind, TEXTS) for kind in ("gpt2", "bert"))
    given = {"decoder": gpt2, "text_encoder": bert, "loss_names": {"caption": 1}}
    size = TextProcessor.from_settings(make_settings(**given), None).vocab_size
    assert size > 256, "no encoder reads texts, so GPT-2's byte pairs it is"
    with pytest.raises(UserError, match="have different vocabularies"):
        TextProcessor.from_settings(make_settings(**given, caption_prefix_encoder=True), None)
    random = make_settings(**given, caption_prefix_encoder=True, random_init_text_encoder=True)
    assert TextProcessor.from_settings(random, None).vocab_size == size
    built = make_settings(**{**given, "random_init_decoder": True, "random_init_text_encoder": True})
    assert TextProcessor.from_settings(built, lambda: TEXTS * 2).vocab_size < 100
    silent = make_settings(**{**given, "loss_names": {"itm": 1}})
    assert TextProcessor.from_settings(silent, None).vocab_size < 100, "nothing is written, so it is the encoder's"


def test_tokens_that_a_decoder_does_not_know_are_refused(build, tmp_path):
    other = language_model_folder(tmp_path / "other", "bert", ["other words"])
    with pytest.raises(UserError, match="knows the tokens of its own tokenizer, and this run has others"):
        build("gpt2", tokenizer=other)


@pytest.mark.parametrize("kind", KINDS)
def test_random_weights_take_the_dimensions_and_a_vocabulary_of_their_own(build, kind):
    decoder, folder, notes = build(kind, random_init_decoder=True, random_init_text_encoder=True, max_text_len=60)
    assert notes == []
    own = CONFIG_MAPPING[kind].from_pretrained(folder)
    assert (decoder.model.config.hidden_size, decoder.model.config.num_hidden_layers) == (32, 2)
    assert decoder.model.config.vocab_size < own.vocab_size + 60
    assert decoder.model.config.max_position_embeddings >= 60 > own.max_position_embeddings
    assert decoder(torch.zeros(2, 60, dtype=torch.long), decoder.read_context(features())).shape[:2] == (2, 60)


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoints_description_builds_the_same_with_nothing_fetched(build, kind, tmp_path):
    decoder, folder, _ = build(kind)
    text = TextProcessor(load_vocabulary(folder, "decoder"), 12)
    again, _, _ = build(kind, config=config_to_dict(decoder.model.config), folder=str(tmp_path / "gone"), text=text)
    again.load_state_dict(decoder.state_dict())
    context, ids = decoder.read_context(features()), torch.randint(0, 9, (2, 6))
    torch.testing.assert_close(again(ids, context), decoder(ids, context))


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        ("gpt_neo", {"num_layers": 2, "attention_types": [[["global"], 2]]}, "no cross-attention"),
        ("llama", {}, "no cross-attention"),
        ("gpt_bigcode", {"n_embd": 32, "n_head": 4, "n_layer": 1}, "no cross-attention: .*MQA"),
    ],
)
def test_architectures_without_cross_attention_are_refused(build, tmp_path, kind, changes, reason):
    tokens = language_model_folder(tmp_path / "tokens", "bert", TEXTS)
    folder = tmp_path / "refused"
    language_model(kind, 60, **changes).save_pretrained(folder)
    with pytest.raises(UserError, match=f"is a {kind} model, which cannot be the decoder: .*{reason}.*gpt2"):
        build(folder=str(folder), random_init_decoder=True, tokenizer=tokens)


@pytest.mark.parametrize(
    ("kind", "values"), [("vit", IMAGE), ("distilbert", {"vocab_size": 60, "dim": 32, "n_heads": 4, "n_layers": 1})]
)
def test_what_does_not_write_is_refused(build, save, tmp_path, kind, values):
    tokens = language_model_folder(tmp_path / "tokens", "bert", TEXTS)
    with pytest.raises(UserError, match=f"is a {kind} model, which cannot be the decoder: it is no language model"):
        build(folder=save(reference(kind, values)), random_init_decoder=True, tokenizer=tokens)


def test_more_tokens_than_positions_are_refused(build):
    with pytest.raises(UserError, match=r"max_text_len = 41 is more than decoder = .* has positions \(40\)"):
        build("gpt2", max_text_len=41)


def test_weights_without_a_language_head_are_noted(build, tmp_path):
    tokens = language_model_folder(tmp_path / "folder", "bert", TEXTS)
    size = CONFIG_MAPPING["bert"].from_pretrained(tokens).vocab_size
    reference("bert", {**TEXT, "vocab_size": size}).save_pretrained(tokens)
    _, _, notes = build(folder=tokens)
    assert [note.split(",")[0] for note in notes] == [
        "decoder: the cross-attention",
        "decoder: 6 tensors that the weights lack begin at random",
    ]
