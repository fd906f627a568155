"""Captioning: how captions are cut, what the loss is, and that what was learnt can be written."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from renaissance.data.batches.batch import Batch, Tokens
from renaissance.data.batches.collate import BatchMaker
from renaissance.data.batches.loader import make_train_loader
from renaissance.data.examples.tables import open_split
from renaissance.data.images.pixels import Pixels
from renaissance.data.images.transform import ImageStatistics, ImageTransform
from renaissance.data.streams import stream
from renaissance.data.text.processor import TextProcessor
from renaissance.models.build import build_model
from renaissance.tasks.behaviours.captioning import CaptioningTask, CutPrefix, first_part, teacher_forcing
from renaissance.tasks.common.evaluation import Split
from renaissance.tasks.common.pictures import SplitPictures
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.task import TaskContext
from renaissance.tasks.registry import declaration_of
from tests.models.decoders import language_model_folder
from tests.tasks.conftest import EXAMPLES, TINY

STATISTICS = ImageStatistics.of_key("imagenet")


def tokens_of(*texts: list[int]) -> Tokens:
    """Texts as a batch, padded with 0."""
    longest = max(map(len, texts))
    ids = torch.tensor([[*text, *[0] * (longest - len(text))] for text in texts])
    mask = torch.tensor([[place < len(text) for place in range(longest)] for text in texts])
    return Tokens(ids, mask, torch.zeros_like(ids))


def test_the_decoder_is_given_the_last_token_before_the_cut_and_says_the_rest():
    tokens = tokens_of([1, 5, 6, 7, 2], [1, 8, 2])
    inputs, targets, there = teacher_forcing(tokens, torch.tensor([1, 2]))
    assert inputs[there].tolist() == [1, 5, 6, 7, 8]
    assert targets[there].tolist() == [5, 6, 7, 2, 2]
    prefix = first_part(tokens, torch.tensor([1, 2]))
    assert prefix.ids[prefix.mask].tolist() == [1, 1, 8]


def test_cuts_have_an_address_and_reach_from_the_start_token_to_the_last_word():
    tokens = tokens_of([1, 5, 6, 7, 2], [1, 8, 2])

    def draw(epoch, batch=tokens, indices=(0, 1)):
        streams = [stream(3, epoch, index, "draw caption") for index in indices]
        return CutPrefix()(Batch(index=torch.tensor(indices), tokens=batch), None, streams)["cut"].tolist()

    assert draw(0) == draw(0)
    assert draw(5) == [*draw(5, tokens_of([1, 5, 6, 7, 2]), (0,)), *draw(5, tokens_of([1, 8, 2]), (1,))]
    cuts = np.array([draw(epoch) for epoch in range(300)])
    assert set(cuts[:, 0]) == {1, 2, 3, 4}
    assert set(cuts[:, 1]) == {1, 2}
    assert 0.3 < (cuts[:, 0] == 1).mean() < 0.6, "the empty prefix is drawn often"


@pytest.fixture
def make(make_settings, data_root):
    """Makes a captioning task on a tiny model, with a training batch of sixteen examples and the images."""

    def build(**overrides):
        settings = make_settings(
            **{**TINY, "data_root": str(data_root), "datasets": ["sixteen"], "loss_names": {"caption": 1}, **overrides}
        )
        declaration = declaration_of("caption")
        source = open_split(settings, declaration.needs, "train")
        text = TextProcessor.from_settings(settings, source.texts)
        torch.manual_seed(0)
        sides = CaptioningTask.sides(declaration, settings)
        model = build_model(
            settings,
            vocab_size=text.vocab_size,
            pad_id=text.pad_id,
            image=True,
            text=sides.text,
            fused=sides.fused,
            decoder=text if sides.decoder else None,
        )
        task = CaptioningTask(TaskContext(declaration, settings, model, text, None))
        transform = ImageTransform.of_settings(settings, STATISTICS, training=False, captioned=True)
        images = SplitPictures(source, transform, Pixels(STATISTICS, 9), batch_size=5, seed=3)
        collate = CaptioningTask.collate(declaration, settings, text, training=True)
        maker = BatchMaker(source, transform, text, {"caption": collate} if collate else {}, seed=3, training=True)
        loader = make_train_loader([maker], batch_size=EXAMPLES, total_batches=20, seed=3, num_workers=0)
        return model, task, loader, images

    return build


def image_features(model, images, row):
    """What the model makes of one image."""
    with torch.no_grad():
        return model.encode_image(images.pixels([images._bytes(row)], [images.where(row)]))


def evaluated(model, task, loader, images):
    """The metrics of a validation on the training examples."""
    evaluation = task.evaluation(Split("val", images.examples, seed=3))
    with torch.no_grad():
        step = Step(model, next(iter(loader)), images.to_pixels)
        evaluation.update(step, task(step))
    return evaluation.compute()


@pytest.mark.parametrize("model_type", ["two-tower", "one-tower"])
@pytest.mark.parametrize("prefix", [False, True])
def test_captions_that_were_learnt_by_heart_are_written(make, model_type, prefix):
    model, task, loader, images = make(model_type=model_type, caption_prefix_encoder=prefix, num_samples=3)
    assert {part.name for part in model.parts()} >= ({"image_encoder"} if model_type == "two-tower" else {"encoder"})
    assert not {"fuser", "pooler"} & {part.name for part in model.parts()}
    optimizer = torch.optim.AdamW([*model.parameters(), *task.parameters()], lr=3e-3)
    batches = list(loader)
    for number in range(350 if prefix else 200):
        outcome = task(Step(model, batches[number % len(batches)], images.to_pixels))
        optimizer.zero_grad()
        outcome.loss.backward()
        optimizer.step()
    model.eval()
    task.eval()
    assert evaluated(model, task, loader, images)["bleu_1"] > 0.95
    for sample in task.samples(model, images):
        assert sample.generated == sample.references[0]
    # A prefix is gone on with.
    (text,) = images.texts(3)
    (written,) = task.write(
        model, image_features(model, images, 3), [np.random.default_rng(0)], prefix=" ".join(text.split()[:2])
    )
    assert written == text


@pytest.mark.parametrize(("kind", "prefix", "frozen"), [("gpt2", False, False), ("gpt2", True, False),
                                                         ("bert", False, False), ("gpt2", False, True)])  # fmt: skip
def test_a_language_model_learns_captions_by_heart(make, tmp_path, kind, prefix, frozen):
    folder = language_model_folder(tmp_path / kind, kind, ["a b c d e f g h i j k l m n o p"] * 2)
    model, task, loader, images = make(decoder=folder, caption_prefix_encoder=prefix, freeze_decoder=frozen)
    part = model.parts()[-1]
    assert (part.name, part.role) == ("decoder", "head" if frozen else "tower")
    before = {name: value.clone() for name, value in model.decoder.model.state_dict().items()}
    optimizer = torch.optim.AdamW([*model.parameters(), *task.parameters()], lr=3e-3)
    batches, losses = list(loader), []
    for number in range(10 if frozen else 300):
        outcome = task(Step(model, batches[number % len(batches)], images.to_pixels))
        optimizer.zero_grad()
        outcome.loss.backward()
        optimizer.step()
        losses.append(outcome.loss.item())
    model.eval()
    task.eval()
    changed = {name for name, value in model.decoder.model.state_dict().items() if not torch.equal(value, before[name])}
    assert losses[-1] < losses[0]
    assert frozen == all("cross" in name for name in changed)
    if not frozen:
        assert evaluated(model, task, loader, images)["bleu_1"] > 0.95
        (text,) = images.texts(3)
        (written,) = task.write(
            model, image_features(model, images, 3), [np.random.default_rng(0)], prefix=" ".join(text.split()[:2])
        )
        assert written == text


def test_label_smoothing_is_pytorchs_and_perplexity_is_not_smoothed(make):
    model, task, loader, images = make(label_smoothing=0.2, image_encoder_drop_rate=0.0)
    step = Step(model, next(iter(loader)), images.to_pixels)
    smoothed, plain = task(step), task.eval()(step)
    tokens = step.batch.tokens
    inputs, targets, there = teacher_forcing(tokens, torch.ones(EXAMPLES, dtype=torch.long))
    logits = model.decoder(inputs, task._context(model, None, step.image))
    expected = F.cross_entropy(logits[there], targets[there], label_smoothing=0.2)
    torch.testing.assert_close(smoothed.loss, expected)
    torch.testing.assert_close(plain.loss, F.cross_entropy(logits[there], targets[there]))
    torch.testing.assert_close(smoothed.values["nll"], plain.values["nll"])
    means = {"loss": 2.0, "nll": 1.5, "accuracy": 0.5}
    assert task.derived(means) == {"loss": 2.0, "accuracy": 0.5, "perplexity": pytest.approx(np.exp(1.5))}


def test_a_prefix_that_is_too_long_is_cut(make):
    for prefix_encoder in (False, True):
        model, task, _, images = make(caption_prefix_encoder=prefix_encoder, max_text_len=6)
        features = image_features(model.eval(), images, 0)
        (written,) = task.eval().write(model, features, [np.random.default_rng(0)], prefix="a b c d e f g h")
        assert written.startswith("a b c d")
        assert len(written.split()) <= 5
