"""Optimisers: each learns and resumes exactly; Lion and Muon step as their papers say; what Muon is used for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel

from renaissance.errors import UserError
from renaissance.models.build import build_model
from renaissance.models.decoders.pretrained import PretrainedDecoder
from renaissance.models.decoders.transformer import TextDecoder
from renaissance.models.interface import Part
from renaissance.registrations import Registrations
from renaissance.training.optimizers import registry
from renaissance.training.optimizers.build import build_optimizer
from renaissance.training.optimizers.groups import hidden_matrices, parameter_groups
from renaissance.training.optimizers.interface import OptimizerDeclaration
from renaissance.training.optimizers.registry import (
    declared_optimizer,
    optimizer_names,
    register_optimizer,
    unread_settings,
)
from tests.training.interrupting import run_whole_and_broken, stop_at
from tests.training.test_optimizer import TINY

REPOSITORY = Path(__file__).resolve().parents[2]
RATES = {"sgd": 0.1, "lion": 3e-3, "muon": 2e-2}  # the others: 1e-2


def weights(checkpoint):
    return torch.load(checkpoint, weights_only=True)["state_dict"]


# Every optimiser


@pytest.mark.parametrize("name", optimizer_names())
def test_each_overfits_a_handful(make_settings, name):
    torch.manual_seed(0)
    tower = nn.Sequential(nn.Embedding(16, 16), nn.Linear(16, 32), nn.LayerNorm(32), nn.ReLU(), nn.Linear(32, 16))
    head = nn.Linear(16, 4)
    settings = make_settings(optim_type=name, learning_rate=RATES.get(name, 1e-2), lr_mult_head=1)
    parts = [Part("tower", tower, "tower"), Part("head", head, "head")]
    optimizer = build_optimizer(parameter_groups(parts, settings), settings)
    labels = torch.arange(16) % 4
    for _ in range(100):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(head(tower(torch.arange(16))), labels)
        loss.backward()
        optimizer.step()
    assert loss < 0.05  # chance: log 4 = 1.39


@pytest.mark.parametrize("name", optimizer_names())
def test_a_resumed_run_equals_the_run_through(run, name):
    settings = {"optim_type": name, "learning_rate": RATES.get(name, 1e-2), "max_steps": 6, "warmup_steps": 2,
                "gradient_clip_val": 1.0, "val_check_interval": 4, "log_interval": 1, "batch_size": 8,
                "per_gpu_batchsize": 4}  # fmt: skip
    stop = stop_at(3, "itm/train/loss")
    whole, broken = run_whole_and_broken(run, "task_itm", "scenes", "tiny", stop=stop, **settings)
    first, second = weights(whole.last_checkpoint), weights(broken.last_checkpoint)
    assert all(torch.equal(first[tensor], second[tensor]) for tensor in first)
    assert whole.metrics.read_text() == broken.metrics.read_text()


@pytest.mark.parametrize("name", optimizer_names())
def test_a_declaration_names_settings_that_there_are(make_settings, name):
    settings = make_settings(optim_type=name)
    assert declared_optimizer(name).reads <= settings.model_dump().keys()
    assert declared_optimizer(name).numbers_kept(settings) in (1, 2)


@pytest.mark.parametrize("name", optimizer_names())
def test_what_is_kept_for_each_parameter_is_as_declared(make_settings, name):
    layer = nn.Linear(32, 32, bias=False)
    settings = make_settings(optim_type=name)
    optimizer = build_optimizer(parameter_groups([Part("layer", layer, "tower")], settings), settings)
    layer(torch.ones(1, 32)).sum().backward()
    optimizer.step()
    kept = sum(value.numel() for value in optimizer.state[layer.weight].values() if value.ndim)
    assert kept == declared_optimizer(name).numbers_kept(settings) * 32 * 32


# Lion and Muon


def test_lion_steps_as_its_paper_says(make_settings):
    """Algorithm 2 of https://arxiv.org/abs/2302.06675, by hand, for three steps."""
    torch.manual_seed(0)
    rate, decay, (beta1, beta2) = 0.01, 0.1, (0.9, 0.99)
    parameter = nn.Parameter(torch.randn(3, 2))
    module = nn.Module()
    module.weight = parameter
    settings = make_settings(optim_type="lion", learning_rate=rate, weight_decay=decay, lion_betas=[beta1, beta2])
    optimizer = build_optimizer(parameter_groups([Part("layer", module, "tower")], settings), settings)
    expected, mean = parameter.detach().clone(), torch.zeros(3, 2)
    for _ in range(3):
        gradient = torch.randn(3, 2)
        parameter.grad = gradient.clone()
        optimizer.step()
        update = torch.sign(beta1 * mean + (1 - beta1) * gradient)
        expected = expected - rate * (update + decay * expected)
        mean = beta2 * mean + (1 - beta2) * gradient
        assert torch.allclose(parameter, expected, atol=1e-6)


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """Five Newton-Schulz steps on a matrix (A, B), as https://kellerjordan.github.io/posts/muon/ has them."""
    x = matrix.double() / matrix.double().norm()
    x = x.T if matrix.shape[0] > matrix.shape[1] else x
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


@pytest.mark.parametrize("shape", [(24, 8), (8, 24), (16, 16)])
def test_muon_steps_as_its_authors_say(make_settings, shape):
    """With Nesterov momentum; scaled by 0.2 √max(A, B), https://arxiv.org/abs/2502.16982; bfloat16's accuracy."""
    torch.manual_seed(0)
    rate, decay, momentum = 0.01, 0.1, 0.95
    layer = nn.Linear(shape[1], shape[0], bias=False)
    settings = make_settings(optim_type="muon", learning_rate=rate, weight_decay=decay, muon_momentum=momentum)
    optimizer = build_optimizer(parameter_groups([Part("layer", layer, "tower")], settings), settings)
    mean = torch.zeros(shape, dtype=torch.float64)
    for _ in range(3):
        before, gradient = layer.weight.detach().double(), torch.randn(shape)
        layer.weight.grad = gradient.clone()
        optimizer.step()
        mean = momentum * mean + (1 - momentum) * gradient
        update = orthogonal((1 - momentum) * gradient + momentum * mean)
        expected = before - rate * decay * before - rate * 0.2 * max(shape) ** 0.5 * update
        step = layer.weight.detach().double() - before
        assert (step - (expected - before)).norm() < 0.03 * step.norm()


def test_what_is_no_hidden_matrix_goes_as_with_adamw(make_settings):
    """An embedding, norms, biases and a head: the same weights as under AdamW alone."""

    def trained(name):
        torch.manual_seed(0)
        tower = nn.Sequential(nn.Embedding(4, 8), nn.LayerNorm(8), nn.Linear(8, 8))
        head = nn.Linear(8, 2)
        settings = make_settings(optim_type=name, learning_rate=1e-2, weight_decay=0.1, lr_mult_head=3)
        parts = [Part("tower", tower, "tower"), Part("head", head, "head")]
        optimizer = build_optimizer(parameter_groups(parts, settings), settings)
        generator = torch.Generator().manual_seed(1)
        for _ in range(3):
            for parameter in [*tower.parameters(), *head.parameters()]:
                parameter.grad = torch.randn(parameter.shape, generator=generator)
            optimizer.step()
        return {**dict(tower.named_parameters("tower")), **dict(head.named_parameters("head"))}

    muon, adamw = trained("muon"), trained("adamw")
    assert {name for name in muon if not torch.equal(muon[name], adamw[name])} == {"tower.2.weight"}


@pytest.mark.parametrize("overrides", [{}, {"model_type": "one-tower"}], ids=str)
def test_muon_takes_the_linear_maps_of_encoders_and_no_embedding(make_settings, overrides):
    settings = make_settings(**TINY, **overrides, optim_type="muon")
    model = build_model(settings, vocab_size=100, pad_id=0, image=True, text=True)
    groups = parameter_groups(model.parts(), settings)
    names = {parameter: name for name, parameter in model.named_parameters()}
    chosen = {names[parameter] for group in groups if group["matrices"] for parameter in group["params"]}
    others = {names[parameter] for group in groups if not group["matrices"] for parameter in group["params"]}
    assert chosen | others == set(names.values())
    assert not [name for name in chosen if "embeddings." in name or model.get_parameter(name).ndim != 2]
    assert not [name for name in others if "embeddings." not in name and model.get_parameter(name).ndim == 2]
    assert len(chosen) >= 6, "a layer's queries, keys, values, output and feed-forward"


def test_a_decoders_output_layer_is_no_hidden_matrix(make_settings):
    own = TextDecoder(make_settings().decoder_dimensions(), 50, 10, {"text": 16})
    chosen = hidden_matrices(Part("decoder", own, "head"))
    assert own.word_embeddings.weight not in chosen
    assert own.layers[0].inner.weight in chosen, "its role is a head's for its learning rate, but it has hidden layers"
    assert not hidden_matrices(Part("itm_head", nn.Linear(8, 8), "head"))
    tied = nn.ModuleList([nn.Embedding(8, 8), nn.Linear(8, 8)])
    tied[1].weight = tied[0].weight
    assert not hidden_matrices(Part("tower", tied, "tower")), "a plain module whose output is its embedding"
    for shares in (True, False):
        config = GPT2Config(vocab_size=50, n_positions=8, n_embd=16, n_layer=1, n_head=2, add_cross_attention=True,
                            tie_word_embeddings=shares)  # fmt: skip
        model = GPT2LMHeadModel(config)
        chosen = hidden_matrices(Part("decoder", PretrainedDecoder(model, {"text": 16}), "tower"))
        assert model.lm_head.weight not in chosen
        assert model.transformer.wte.weight not in chosen
        assert model.transformer.h[0].mlp.c_fc.weight in chosen


# The table


def test_settings_that_the_optimiser_does_not_read_are_named():
    assert unread_settings("sgd", ["adam_betas", "momentum", "learning_rate", "weight_decay"]) == ["adam_betas"]
    assert unread_settings("muon", ["adam_betas", "momentum", "muon_momentum"]) == ["momentum"]
    assert unread_settings("adamw", ["lion_betas", "adam_betas"]) == ["lion_betas"]


def test_a_run_says_which_of_the_users_settings_have_no_effect(run, capsys):
    settings = {"max_steps": 1, "warmup_steps": 0, "batch_size": 8, "per_gpu_batchsize": 8}
    run("task_itm", "scenes", "tiny", **settings, optim_type="lion", momentum=0.8)
    assert "warning: momentum is without effect: optim_type=lion does not read it" in capsys.readouterr().err
    run("task_itm", "scenes", "tiny", **settings, optim_type="sgd", momentum=0.8)
    assert "without effect" not in capsys.readouterr().err


def test_an_optimiser_from_elsewhere_is_known_to_settings_and_runs(run, make_settings, monkeypatch):
    monkeypatch.setattr(registry, "_registered", Registrations("optimiser"))

    def build(groups, settings):
        return torch.optim.NAdam(groups, lr=settings.learning_rate, betas=tuple(settings.adam_betas))

    nadam = OptimizerDeclaration("nadam", build, frozenset({"adam_betas"}), lambda settings: 2)
    with pytest.raises(UserError, match="'nadam'"):
        make_settings(optim_type="nadam")
    register_optimizer(nadam)
    register_optimizer(nadam)
    with pytest.raises(UserError, match="must be adam, adamw, lion, muon, nadam or sgd, not 'nadan'; did you mean nad"):
        make_settings(optim_type="nadan")
    with pytest.raises(UserError, match="optimiser sgd: there is one of this name already"):
        register_optimizer(OptimizerDeclaration("sgd", build, frozenset(), lambda settings: 2))
    folder, _ = run("task_itm", "scenes", "tiny", max_steps=1, warmup_steps=0, optim_type="nadam")
    (state,) = torch.load(folder.last_checkpoint, weights_only=True)["optimizer_states"]
    assert "mu_product" in state["state"][0], "NAdam's own"


def test_declarations_load_no_torch():
    program = (
        "import sys; from renaissance.training.optimizers.registry import optimizer_names; optimizer_names()\n"
        "assert not {'torch', 'lion_pytorch', 'transformers'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
