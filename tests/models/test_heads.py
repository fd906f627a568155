"""The heads: shapes, and that what comes in matters."""

from __future__ import annotations

import torch

from renaissance.models.layers.heads import POOLINGS, Classifier, MlmHead, PairHead, mean_over


def test_shapes() -> None:
    assert MlmHead(8, 50)(torch.randn(5, 8)).shape == (5, 50)
    assert PairHead(16)(torch.randn(3, 16)).shape == (3, 2)
    assert Classifier(8, 10)(torch.randn(3, 8)).shape == (3, 10)


def test_heads_learn() -> None:
    """Each tells a handful of random vectors apart after a few steps."""
    for head, size, classes in ((MlmHead(16, 30), 16, 30), (PairHead(16), 16, 2), (Classifier(16, 4), 16, 4)):
        inputs, labels = torch.randn(8, size), torch.arange(8) % classes
        optimiser = torch.optim.Adam(head.parameters(), lr=0.03)
        for _ in range(150):
            loss = torch.nn.functional.cross_entropy(head(inputs), labels)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        assert loss.item() < 0.1


def test_mean_leaves_padding_out() -> None:
    hidden = torch.randn(2, 4, 3)
    mask = torch.tensor([[True, True, False, False], [False] * 4])
    means = mean_over(hidden, mask)
    torch.testing.assert_close(means[0], hidden[0, :2].mean(0))
    assert torch.equal(means[1], torch.zeros(3))  # no position at all: no division by zero
    assert not means.isnan().any()


def test_classifier_learns_from_small_differences() -> None:
    """Vectors that have far more in common than they differ by, as an encoder from scratch hands them out."""
    torch.manual_seed(0)
    labels = torch.arange(64) % 2
    inputs = torch.randn(16) + 0.05 * (torch.randn(64, 16) + 4 * labels[:, None] * torch.eye(16)[0])
    head = Classifier(16, 2).train()
    optimiser = torch.optim.Adam(head.parameters(), lr=0.01)
    for _ in range(100):
        loss = torch.nn.functional.cross_entropy(head(inputs), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert (head(inputs).argmax(-1) == labels).float().mean() > 0.9


def test_poolings() -> None:
    hidden = torch.tensor([[[1.0, -5.0], [3.0, -7.0], [9.0, 9.0]], [[1.0, 2.0], [3.0, 0.0], [5.0, 1.0]]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    expected = {"cls": [[1, -5], [1, 2]], "mean": [[2, -6], [3, 1]], "max": [[3, -5], [5, 2]]}
    assert {name: pool(hidden, mask).tolist() for name, pool in POOLINGS.items()} == expected
