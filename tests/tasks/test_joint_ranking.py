"""A joint space judged on a whole split gives what the whole matrix gives, whatever the blocks, batches and devices."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from renaissance.tasks.common import joint_ranking
from renaissance.tasks.common.evaluation import Split
from renaissance.tasks.common.joint_ranking import JointSpaceEvaluation
from renaissance.tasks.common.outcome import Outcome
from renaissance.tasks.metrics.recall import chance_recalls
from tests.tasks.conftest import picture, write_table

IMAGES = 40


@pytest.fixture
def features() -> dict[str, Tensor]:
    """Texts of forty images, one to four each, some of them alike, and some images alike: there are many ties."""
    random = torch.Generator().manual_seed(0)
    row = torch.arange(IMAGES).repeat_interleave(torch.randint(1, 5, (IMAGES,), generator=random))
    images = F.normalize(torch.randn(IMAGES, 6, generator=random), dim=-1)
    images[20:26] = images[0:6]
    texts = F.normalize(images[row] + torch.randn(len(row), 6, generator=random), dim=-1)
    texts[30:40] = texts[0:10]
    return {"text": texts, "image": images[row], "row": row, "index": torch.arange(len(row))}


def by_hand(features: dict[str, Tensor]) -> dict[str, float]:
    """Every rank by going through the whole matrix, pair by pair."""
    rows, texts = features["row"].tolist(), features["text"].double()
    images = features["image"].double()[[rows.index(row) for row in range(IMAGES)]]
    table = (texts @ images.T).tolist()
    of_images = [1 + sum(scores[other] >= scores[own] - 1e-9 for other in range(IMAGES) if other != own)
                 for own, scores in zip(rows, table, strict=True)]  # fmt: skip
    of_texts = []
    for image in range(IMAGES):
        best = max(table[text][image] for text in range(len(rows)) if rows[text] == image)
        others = [table[text][image] for text in range(len(rows)) if rows[text] != image]
        of_texts.append(1 + sum(score >= best - 1e-9 for score in others))
    found: dict[str, float] = {}
    for direction, ranks in (("ir", of_images), ("tr", of_texts)):
        found |= {f"{direction}_r{most}": float(np.mean([rank <= most for rank in ranks])) for most in (1, 5, 10)}
        found[f"{direction}_median_rank"] = float(np.median(ranks))
    return found


class Judged:
    """Stands for the task: its loss of an example is the number of those that it is compared with."""

    def loss_over(self, contributions: dict[str, Tensor]) -> Outcome:
        size = len(contributions["text"])
        return Outcome({name: torch.full((size,), float(size)) for name in ("loss", "accuracy")})


def evaluated(features: dict[str, Tensor], batches: list[Tensor]) -> dict[str, float]:
    evaluation = JointSpaceEvaluation(Judged(), Split("val", None))  # type: ignore[arg-type]
    for chosen in batches:
        batch = SimpleNamespace(index=features["index"][chosen], row=features["row"][chosen])
        details = {name: features[name][chosen] for name in ("text", "image")}
        identifiers = dict.fromkeys(("text_id", "image_id"), features["index"][chosen])
        evaluation.update(SimpleNamespace(batch=batch), Outcome({}, {**details, **identifiers}))  # type: ignore[arg-type]
    found = evaluation.compute()
    texts = torch.bincount(features["row"])
    assert evaluation.chance() == chance_recalls(texts), "whatever batches the split comes in"
    return found


@pytest.mark.parametrize("pairs", [1, 100, 2**21])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_equals_the_whole_matrix_with_its_ties(monkeypatch, features, pairs, size):
    monkeypatch.setattr(joint_ranking, "PAIRS", pairs)
    expected = by_hand(features)
    assert expected["ir_r1"] < expected["ir_r10"] < 1
    found = evaluated(features, list(features["index"].split(size)))
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def test_the_order_of_batches_does_not_matter(features):
    batches = list(features["index"].split(7))
    assert evaluated(features, batches[::2] + batches[1::2]) == evaluated(features, batches)


def test_what_differs_by_rounding_alone_is_a_tie(features):
    """One caption, padded differently: none is to be found by chance."""
    texts = F.normalize(torch.ones_like(features["text"]), dim=-1)
    apart = features | {"text": texts + 1e-7 * torch.randn(texts.shape, generator=torch.Generator().manual_seed(0))}
    assert len(apart["text"].unique(dim=0)) > 10
    assert evaluated(apart, [features["index"]])["tr_r10"] == 0


def test_equal_features_find_nothing(features):
    same = features | {"text": torch.ones_like(features["text"]), "image": torch.ones_like(features["image"])}
    found = evaluated(same, [features["index"]])
    assert (found["ir_r10"], found["tr_r10"], found["ir_median_rank"]) == (0.0, 0.0, float(IMAGES))


def test_features_that_are_no_numbers_find_nothing(features):
    none = features | {"text": torch.full_like(features["text"], torch.nan)}
    found = evaluated(none, [features["index"]])
    assert (found["ir_r10"], found["tr_r10"]) == (0.0, 0.0)


def test_the_loss_is_over_batches_that_are_equally_large_as_near_as_can_be(monkeypatch, features):
    monkeypatch.setattr(joint_ranking, "COMPARED", 16)
    number = len(features["index"])
    batches = -(-number // 16)
    sizes = [len(part) for part in np.array_split(range(number), batches)]
    assert max(sizes) <= 16
    expected = sum(size * size for size in sizes) / number
    assert evaluated(features, [features["index"]])["loss"] == pytest.approx(expected)


@pytest.mark.parametrize("model_type", ["two-tower", "one-tower"])
@torch.no_grad()
def test_a_task_on_a_split_does_not_depend_on_its_batches(ask, tmp_path, monkeypatch, model_type):
    """Neither the loss nor the ranks, although captions of an image are in several batches."""
    texts = [["a b c", "d"], ["e f"], ["g h i j k", "c b a", "k"], ["f e"], ["b"], ["h i"], ["j a"]]
    write_table(tmp_path / "sixteen_train.arrow", {"image": [picture(n) for n in range(7)], "caption": texts})
    asked = ask("contrastive", root=tmp_path, model_type=model_type)
    monkeypatch.setattr(joint_ranking, "COMPARED", 4)

    def whole(size: int) -> dict[str, float]:
        evaluation = asked.task.evaluation(Split("val", asked.examples))
        for start in range(0, 10, size):
            step = asked.step(range(start, min(start + size, 10)))
            evaluation.update(step, asked.task(step))
        return evaluation.compute()

    found = whole(10)
    assert 0 < found["loss"] < 20
    assert {metric.name for metric in asked.task.declaration.metrics} == set(found)
    for size in (4, 1):
        assert whole(size) == pytest.approx(found, rel=1e-4), size
