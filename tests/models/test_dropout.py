"""Our dropout does what PyTorch's does: the share, the mean, the gradient, the seed."""

from __future__ import annotations

import pytest
import torch

from renaissance.models.layers.dropout import Dropout


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_share_and_the_mean(rate):
    hidden = torch.full((300, 1001), 2.0)
    result = Dropout(rate)(hidden)
    dropped = result == 0
    assert dropped.float().mean().item() == pytest.approx(rate, abs=0.005)
    assert result.mean().item() == pytest.approx(2.0, rel=0.02)
    assert torch.allclose(result[~dropped], torch.tensor(2.0 / (1 - rate)), rtol=1e-3)
    # neither rows nor neighbours are dropped together
    assert dropped.float().mean(1).std() < 0.05
    both = (dropped[:, :-1] & dropped[:, 1:]).float().mean().item()
    assert both == pytest.approx(rate**2, abs=0.01)


def test_the_gradient_passes_where_the_element_did():
    hidden = torch.randn(50, 7, requires_grad=True)
    result = Dropout(0.3)(hidden)
    result.sum().backward()
    assert torch.allclose(hidden.grad * hidden.detach(), result.detach())


def test_the_seed_decides():
    hidden, dropout = torch.ones(1000), Dropout(0.5)
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(dropout(hidden))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_evaluation_and_rate_0_change_nothing():
    hidden = torch.randn(10)
    assert Dropout(0.5).eval()(hidden) is hidden
    assert Dropout(0.0)(hidden) is hidden
    assert not Dropout(1.0)(hidden).any()
