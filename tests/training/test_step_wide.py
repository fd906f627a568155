"""A loss over a whole optimiser step is that of one large batch, however the step is cut into batches and devices.

The references are plain PyTorch: one large batch without dropout, or with it, the step's batches computed one after
the other with all that their backward pass needs.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from renaissance.errors import UserError
from renaissance.registrations import Registrations
from renaissance.tasks import registry
from renaissance.tasks.common.step import Step
from renaissance.training.assemble import assemble
from renaissance.training.devices import Devices
from renaissance.training.draws import BatchDraws
from renaissance.training.loaders import Loaders
from renaissance.training.module import TrainingModule
from renaissance.training.plan import AskedLength, Plan, TrainingData, make_plan
from renaissance.training.report import compared_in_words
from tests.command_line import execute
from tests.training.conftest import Runner
from tests.training.interrupting import run_whole_and_broken, stop_at
from tests.training.pairing import NORMALISED_PAIRING, PAIRING, PairingTask
from tests.training.test_accumulation import SETTINGS, STEPS, assert_same_training, metrics, weights

NAMED = ("task_mlm_itm", "scenes", "tiny")
PLAIN = {**SETTINGS, "itm_false_from": "dataset", "exp_name": "pairing"}
# Its epsilon is above most gradients, or else it makes rounding errors of the smallest ones large.
ADAMW = {"optim_type": "adamw", "learning_rate": 1e-2, "adam_epsilon": 1e-3}
RUNS: dict[str, dict[str, Any]] = {
    "alone": {"loss_names": {"pairing": 1, "mlm": 0, "itm": 0}, **ADAMW},
    "beside": {"loss_names": {"contrastive": 0.5, "mlm": 1, "itm": 2}},
    "in_turn": {"loss_names": {"contrastive": 1, "imdb": 1, "mlm": 0, "itm": 0}, "contrastive_loss": "siglip"},
}
DRAWN = {
    "image_encoder_drop_rate": 0.1, "text_encoder_drop_rate": 0.1, "cross_layer_drop_rate": 0.1,
    "train_transform_keys": ["imagenet_randaug"], "text_modality_dropout": 0.2, "image_modality_dropout": 0.1,
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def known_tasks():
    """The tests' own tasks, known for this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_registered", Registrations("task"))
        registry.register_task(PAIRING)
        registry.register_task(NORMALISED_PAIRING)
        yield


@pytest.fixture(scope="module")
def whole(scenes_root, tmp_path_factory):
    """Gives a run in batches of 32 on one device, made once."""
    known: dict[str, Path] = {}

    def run(name: str) -> Path:
        if name not in known:
            folder, _ = Runner(scenes_root, tmp_path_factory.mktemp(name))(
                *NAMED, **{**PLAIN, **RUNS[name], "per_gpu_batchsize": 32}
            )
            known[name] = folder.path
        return known[name]

    return run


@pytest.mark.parametrize("name", RUNS)
def test_cached_batches_make_the_step_of_a_large_one(run, whole, name):
    folder, _ = run(*NAMED, **{**PLAIN, **RUNS[name], "per_gpu_batchsize": 8})
    assert_same_training(folder.path, whole(name))
    if name == "alone":
        twins = [value for (metric, _), value in metrics(folder.path).items() if metric == "pairing/train/twins"]
        assert max(twins) > 0, "captions of one image lie in one step"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "device_batch"), [("alone", 16), ("beside", 8)])
def test_two_devices_make_the_step_of_a_large_batch(scenes_root, tmp_path, whole, name, device_batch):
    plugin = tmp_path / "small_tasks.py"
    plugin.write_text(
        "from renaissance.extend import register_task\nfrom tests.training.pairing import PAIRING\n"
        "register_task(PAIRING)\n"
    )
    given = {**PLAIN, **RUNS[name], "per_gpu_batchsize": device_batch, "num_scenes": 120, "num_gpus": 0,
             "num_workers": 0, "devices": 2, "data_root": scenes_root, "log_dir": tmp_path,
             "plugins": [str(plugin)]}  # fmt: skip
    execute("with", *NAMED, *(f"{setting}={value}" for setting, value in given.items()))
    # A split is cut into other batches for two devices, and this small task compares within these.
    folder = tmp_path / "pairing" / "1"
    assert_same_training(folder, whole(name), without=("pairing/val", "pairing/test"))


def plain_step(settings) -> dict[str, torch.Tensor]:
    """The weights and buffers after one step of gradient descent, with the graphs of all its batches in memory."""
    assembly = assemble(settings, (), None)
    (group,) = assembly.groups
    plan, _ = make_plan(AskedLength.of_settings(settings), [TrainingData(len(group.examples["train"]))], 1)
    modules = torch.nn.ModuleDict({"model": assembly.model, "tasks": torch.nn.ModuleDict(assembly.tasks)}).train()
    contributions: dict[str, dict[str, list[torch.Tensor]]] = defaultdict(lambda: defaultdict(list))
    loss = torch.zeros(())
    loaders = Loaders(assembly, Devices("cpu", 1, 1))
    for number, batch in zip(range(plan.accumulate), loaders.training(plan, 0), strict=False):
        torch.manual_seed(int(np.random.SeedSequence([settings.seed, number, 0]).generate_state(1, np.uint64)[0] >> 1))
        dropout = BatchDraws(settings, number, rank=0).modality_dropout(batch)
        step = Step(assembly.model, batch, assembly.pixels, None, dropout)
        for task in assembly.tasks.values():
            if isinstance(task, PairingTask):
                for name, tensor in task.contribute(step).items():
                    contributions[task.name][name].append(tensor)
        for task in assembly.tasks.values():
            if not isinstance(task, PairingTask):
                loss = loss + settings.loss_names[task.name] * task(step).share_of_step(batch.step_items[task.name])
    loaders.close()
    for name, parts in contributions.items():
        joined = {part: torch.cat(tensors) for part, tensors in parts.items()}
        task = assembly.tasks[name]
        assert isinstance(task, PairingTask)
        loss = loss + settings.loss_names[name] * task.loss_over(joined).loss
    loss.backward()
    with torch.no_grad():
        for parameter in modules.parameters():
            if parameter.grad is not None:
                parameter.sub_(parameter.grad, alpha=settings.learning_rate)
    return modules.state_dict()


@pytest.mark.parametrize("name", ["pairing", "normalised_pairing"])
def test_a_batch_draws_and_keeps_the_same_both_times(run, name):
    """Dropout, RandAugment, modality dropout, and the statistics of batch norm."""
    given = {**PLAIN, **DRAWN, "loss_names": {"mlm": 1, "itm": 1, name: 1}, "per_gpu_batchsize": 8, "max_steps": 1,
             "weight_decay": 0, "gradient_clip_val": None}  # fmt: skip
    folder, _ = run(*NAMED, **given)
    state = torch.load(folder.last_checkpoint, weights_only=True)["state_dict"]
    expected = plain_step(run.settings(*NAMED, **given))
    assert state.keys() >= expected.keys()
    for key, tensor in expected.items():
        torch.testing.assert_close(state[key], tensor, rtol=1e-5, atol=5e-7, msg=key)


def test_a_resumed_run_equals_one_that_ran_through(run):
    drawn = {name: value for name, value in DRAWN.items() if name != "train_transform_keys"}
    settings = {**PLAIN, **drawn, **RUNS["alone"], "per_gpu_batchsize": 8, "num_scenes": 60}
    del settings["exp_name"]
    one, other = run_whole_and_broken(run, *NAMED, stop=stop_at(3, "pairing/train/loss"), **settings)
    assert metrics(one.path) == metrics(other.path)
    assert all(torch.equal(weights(one.path)[name], tensor) for name, tensor in weights(other.path).items())


def test_no_more_is_kept_for_a_backward_pass_than_one_batch_needs(run, monkeypatch):
    kept: list[int] = []
    training_step = TrainingModule.training_step

    def counting(module, batch, batch_idx):
        kept.append(0)

        def count(tensor):
            kept[-1] += tensor.numel() * tensor.element_size()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            return training_step(module, batch, batch_idx)

    monkeypatch.setattr(TrainingModule, "training_step", counting)
    settings = {**PLAIN, **RUNS["alone"], "max_steps": 1}
    run(*NAMED, **settings, per_gpu_batchsize=32)
    run(*NAMED, **settings, per_gpu_batchsize=4)
    large, *small = kept
    assert len(small) == 8
    assert max(small) < large / 4


def test_rows_that_are_no_examples_are_refused(run, monkeypatch):
    contribute = PairingTask.contribute
    monkeypatch.setattr(
        PairingTask, "contribute", lambda task, step: {**contribute(task, step), "row": step.batch.row[1:]}
    )
    with pytest.raises(UserError, match=r"pairing: `contribute` gave 7 rows of 'row' for 8 examples"):
        run(*NAMED, **{**PLAIN, **RUNS["alone"], "per_gpu_batchsize": 8})


def test_a_step_that_is_left_out_leaves_nothing_behind(run, monkeypatch, capsys):
    """Also where its loss alone is not finite, which every batch of the step hands on."""
    loss_over, calls = PairingTask.loss_over, []

    def spoilt(task, contributions):
        outcome = loss_over(task, contributions)
        if task.training:
            calls.append(len(contributions["row"]))
        return type(outcome)({"loss": outcome.values["loss"] * (float("nan") if len(calls) == 2 else 1)})

    monkeypatch.setattr(PairingTask, "loss_over", spoilt)
    settings = {**PLAIN, **RUNS["alone"], "per_gpu_batchsize": 8, "max_skipped_steps": 1, "num_scenes": 60}
    folder, _ = run(*NAMED, **settings)
    assert calls == [32] * STEPS
    said = capsys.readouterr().out
    assert "step 2 is left out, 1 of at most 1: pairing: the loss is nan at step 2, in batch 5 (training" in said
    assert "nan" not in folder.metrics.read_text()


def test_a_run_says_over_how_many_examples_the_loss_is(run, capsys):
    run(*NAMED, **{**PLAIN, **RUNS["alone"], "per_gpu_batchsize": 8, "fast_dev_run": True})
    line = "pairing compares all 32 examples of a step with each other (4 batches of 8, whose features are cached)"
    assert line in capsys.readouterr().out.splitlines()
    plan = Plan(device_batch=8, accumulate=1, world_size=2, epoch_batches=9, total_steps=9, validate_every=9,
                warmup_steps=0, schedule_steps=9)  # fmt: skip
    assert compared_in_words("pairing", plan).endswith("16 examples of a step with each other (of 2 devices)")
    assert "(" not in compared_in_words("pairing", replace(plan, world_size=1))
    both = compared_in_words("pairing", replace(plan, accumulate=3))
    assert both.endswith(
        "48 examples of a step with each other (3 batches of 8, whose features are cached, of each of 2 devices)"
    )
