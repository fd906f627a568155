"""The decoder against its own uncached form and against PyTorch's decoder layer; generation against naive search."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from transformers import (
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from renaissance.models.decoders.generation import Choice, generate, keep_top_k, keep_top_p, penalise_repetition
from renaissance.models.decoders.interface import DecoderState
from renaissance.models.decoders.transformer import DecoderLayer, LayerCache, TextDecoder
from renaissance.models.interface import Features
from renaissance.settings import EncoderDimensions

SIZES = EncoderDimensions(hidden_size=16, num_heads=4, num_layers=2, mlp_ratio=2, drop_rate=0.0, embedding_size=None)
END = 4


@pytest.fixture
def decoder():
    torch.manual_seed(0)
    decoder = TextDecoder(SIZES, vocab_size=11, max_text_len=9, context_sizes={"image": 6, "text": 5}).eval()
    for parameter in decoder.parameters():  # far from uniform, so that a mistake shows
        parameter.data += 0.3 * torch.randn_like(parameter)
    return decoder


@pytest.fixture
def context(decoder):
    mask = torch.tensor([[True, True, True], [True, False, False]])
    image = Features(torch.randn(2, 4, 6), torch.ones(2, 4, dtype=torch.bool))
    return decoder.read_context({"image": image, "text": Features(torch.randn(2, 3, 5), mask)})


def test_a_layer_equals_pytorchs_pre_norm_decoder_layer():
    torch.manual_seed(0)
    ours = DecoderLayer(SIZES).eval()
    theirs = nn.TransformerDecoderLayer(
        16, 4, 32, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    ).eval()
    for attention, reference in ((ours.self_attention, theirs.self_attn),
                                 (ours.cross_attention, theirs.multihead_attn)):  # fmt: skip
        reference.in_proj_weight.data = torch.cat((attention.query.weight, attention.key_value.weight)).detach()
        reference.in_proj_bias.data = torch.cat((attention.query.bias, attention.key_value.bias)).detach()
        reference.out_proj.load_state_dict(attention.output.state_dict())
    theirs.linear1.load_state_dict(ours.inner.state_dict())
    theirs.linear2.load_state_dict(ours.outer.state_dict())
    hidden, context = torch.randn(2, 5, 16), torch.randn(2, 3, 16)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    causal = nn.Transformer.generate_square_subsequent_mask(5)
    expected = theirs(hidden, context, tgt_mask=causal, memory_key_padding_mask=~mask)
    torch.testing.assert_close(ours(hidden, context, mask[:, None, None], LayerCache()), expected)


@pytest.mark.parametrize("cuts", [[1, 1, 1, 1, 1, 1], [3, 1, 2], [1, 5], [2, 4]])
def test_cached_logits_equal_uncached_ones(decoder, context, cuts):
    ids = torch.randint(0, 11, (2, 6))
    whole = decoder(ids, context)
    state, position = DecoderState(decoder, context), 0
    for cut in cuts:
        scores = state.advance(ids[:, position : position + cut])
        position += cut
        torch.testing.assert_close(scores, whole[:, position - 1])


def test_a_selected_text_goes_on_as_if_it_were_alone(decoder, context):
    ids = torch.randint(0, 11, (2, 5))
    rows = torch.tensor([1, 1, 0])
    state = DecoderState(decoder, context)
    state.advance(ids[:, :4])
    state.select(rows)
    scores = state.advance(ids[rows, 4:])
    alone = decoder(ids[rows], context.select(rows))[:, -1]
    torch.testing.assert_close(scores, alone)


def test_no_token_sees_a_later_one_nor_masked_context(decoder, context):
    ids = torch.randint(0, 11, (2, 6))
    changed = ids.clone()
    changed[:, 4:] = 10 - changed[:, 4:]
    before, after = decoder(ids, context), decoder(changed, context)
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])
    other = Features(torch.where(context.mask[..., None], context.hidden, 100.0), context.mask)
    torch.testing.assert_close(decoder(ids, other), before)


class Toy:
    """Scores of the next token that depend on the last two tokens, for B texts with tables of their own."""

    def __init__(self, tables):
        self.tables = tables  # (B, V, V, V)
        self.ids = torch.empty(len(tables), 0, dtype=torch.long)

    def advance(self, ids):
        self.ids = torch.cat((self.ids, ids), dim=1)
        last = self.ids[:, -1]
        before = self.ids[:, -2] if self.ids.shape[1] > 1 else torch.zeros_like(last)
        return self.tables[torch.arange(len(last)), before, last]

    def select(self, rows):
        self.tables, self.ids = self.tables[rows], self.ids[rows]


def tables(seed=0, texts=3, vocabulary=5):
    return 2 * torch.randn(texts, *[vocabulary] * 3, generator=torch.Generator().manual_seed(seed))


def mean_chance(table, text, penalty=1.0):
    """The mean log-probability a token of `text`, which begins with 0, one token after the other."""
    total = 0.0
    for place in range(1, len(text)):
        model = Toy(table[None])
        scores = model.advance(torch.tensor([text[:place]]))
        scores = penalise_repetition(scores, torch.tensor([text[:place]]), penalty)
        total += float(scores.log_softmax(-1)[0, text[place]])
    return total / (len(text) - 1)


@pytest.mark.parametrize(("seed", "penalty"), [(0, 1.0), (1, 1.0), (2, 1.3)])
def test_a_wide_beam_finds_what_exhaustive_search_finds(seed, penalty):
    longest = 3
    choice = Choice("beam", num_beams=64, max_tokens=longest, repetition_penalty=penalty)
    found = generate(Toy(tables(seed)), torch.zeros(3, 1, dtype=torch.long), choice, end_id=END)
    for table, text in zip(tables(seed), found, strict=True):
        everything = [
            [0, *body, END] for length in range(longest) for body in itertools.product(range(4), repeat=length)
        ]
        everything += [[0, *body] for body in itertools.product(range(4), repeat=longest)]
        best = max(everything, key=lambda text: mean_chance(table, text, penalty))
        assert [0, *text] == [token for token in best if token != END]


def test_greedy_takes_the_best_token_each_time_and_one_beam_never_finds_worse():
    start = torch.zeros(3, 1, dtype=torch.long)
    greedy = generate(Toy(tables()), start, Choice("greedy", max_tokens=6), end_id=END)
    for table, text in zip(tables(), greedy, strict=True):
        expected = [0]
        while len(expected) < 7:
            token = int(Toy(table[None]).advance(torch.tensor([expected])).argmax())
            if token == END:
                break
            expected.append(token)
        assert [0, *text] == expected


def test_banned_tokens_are_never_written(decoder, context):
    start = torch.ones(2, 1, dtype=torch.long)
    for strategy in ("greedy", "beam", "sample"):
        choice = Choice(strategy, num_beams=3, max_tokens=8)
        streams = [np.random.default_rng(row) for row in range(2)]
        texts = generate(
            DecoderState(decoder, context), start, choice, end_id=END, banned=[0, 1, 2, END], streams=streams
        )
        assert not {0, 1, 2, END} & {token for text in texts for token in text}


@pytest.mark.parametrize("strategy", ["greedy", "beam"])
def test_ending_repeats_nothing_where_texts_begin_with_the_end_token(strategy):
    flat = torch.full((1, 5, 5, 5), 0.5)
    flat[..., END] = 5.0
    choice = Choice(strategy, num_beams=2, max_tokens=3, repetition_penalty=100.0)
    assert generate(Toy(flat), torch.full((1, 1), END), choice, end_id=END) == [[]]


def test_texts_are_the_same_in_any_batch(decoder, context):
    start = torch.ones(2, 1, dtype=torch.long)
    for strategy in ("greedy", "beam", "sample"):
        choice = Choice(strategy, num_beams=3, max_tokens=8)

        def write(rows, choice=choice):
            streams = [np.random.default_rng(row) for row in rows]
            state = DecoderState(decoder, context.select(torch.tensor(rows)))
            return generate(state, start[rows], choice, end_id=END, streams=streams)

        assert write([0, 1]) == [*write([0]), *write([1])]


def test_masks_and_penalty_equal_transformers():
    torch.manual_seed(0)
    scores, ids = 3 * torch.randn(4, 50), torch.randint(0, 50, (4, 7))
    torch.testing.assert_close(
        penalise_repetition(scores, ids, 1.2), RepetitionPenaltyLogitsProcessor(1.2)(ids, scores.clone())
    )
    torch.testing.assert_close(keep_top_k(scores, 5), TopKLogitsWarper(5)(ids, scores))
    for share in (0.1, 0.5, 0.9):
        torch.testing.assert_close(keep_top_p(scores, share), TopPLogitsWarper(share)(ids, scores))
    assert torch.equal(keep_top_k(scores, None), scores)
    assert torch.equal(keep_top_p(scores, 1.0), scores)


def test_sampled_frequencies_follow_the_warped_probabilities():
    scores = torch.tensor([[2.0, 1.0, 0.5, -1.0, -9.0]]).expand(1, 5)
    table = scores[:, None, None].expand(1, 5, 5, 5)
    choice = Choice("sample", top_k=3, temperature=0.8, max_tokens=1)
    draws = 4000
    stream = np.random.default_rng(0)
    texts = generate(
        Toy(table.expand(draws, 5, 5, 5)), torch.zeros(draws, 1, dtype=torch.long), choice, end_id=END,
        streams=[stream] * draws,
    )  # fmt: skip
    counts = torch.bincount(torch.tensor([text[0] for text in texts]), minlength=5) / draws
    warped = TopKLogitsWarper(3)(None, TemperatureLogitsWarper(0.8)(None, scores)).softmax(-1)[0]
    torch.testing.assert_close(counts, warped, atol=0.03, rtol=0)
