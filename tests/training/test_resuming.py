"""A resumed run's settings: what stays, what may change and then does, and how long its schedule is."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, get_args, get_origin

import pytest
import pytorch_lightning as pl
import torch
from transformers import get_polynomial_decay_schedule_with_warmup

from config import ex
from renaissance.errors import Interrupted, UserError
from renaissance.settings import Settings, check_settings
from renaissance.settings.chosen import Chosen
from renaissance.settings.on_resume import OnResume, on_resume
from renaissance.tracking.history import read_history
from renaissance.tracking.run_folder import RunFolder
from renaissance.training.assemble import assemble
from renaissance.training.devices import Devices
from renaissance.training.resuming import Resumption, find_resumption
from renaissance.training.session import Session
from tests.training.conftest import Runner
from tests.training.interrupting import stop_at

STEP, STEPS = 2, 6  # where the runs were stopped, and what they were to be
BEGUN = {"max_steps": STEPS, "max_epoch": None, "warmup_steps": 1, "learning_rate": 1e-3, "log_interval": 1,
         "val_check_interval": 100, "batch_size": 8, "per_gpu_batchsize": 8}  # fmt: skip
TASKS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "itm": (("task_itm", "scenes", "tiny"), {}),
    "sgd": (("task_itm", "scenes", "tiny"), {"optim_type": "sgd", "learning_rate": 0.1}),
    "lion": (("task_itm", "scenes", "tiny"), {"optim_type": "lion"}),
    "muon": (("task_itm", "scenes", "tiny"), {"optim_type": "muon"}),
    "cosine": (("task_itm", "scenes", "tiny"), {"schedule": "cosine"}),
    "step": (("task_itm", "scenes", "tiny"), {"schedule": "step"}),
    "caption": (("task_foundation_captioning", "scenes"), {"caption_metric_images": 0, "num_samples": 0}),
}
# Of each setting that may change and that weights depend on: the run to try it on, and another value.
TRAINING: dict[str, tuple[str, Any]] = {
    "precision": ("itm", "bf16-mixed"),
    "patch_dropout": ("itm", 0.5),
    "label_smoothing": ("caption", 0.2),
    "learning_rate": ("itm", 5e-3),
    "weight_decay": ("itm", 0.9),
    "adam_betas": ("itm", [0.5, 0.9]),
    "adam_epsilon": ("itm", 1e-2),
    "momentum": ("sgd", 0.1),
    "lion_betas": ("lion", [0.5, 0.9]),
    "muon_momentum": ("muon", 0.1),
    "schedule": ("itm", "none"),
    "decay_power": ("itm", 3),
    "cosine_cycles": ("cosine", 2),
    "step_size": ("step", 1),
    "gamma": ("step", 0.9),
    "end_lr": ("itm", 5e-4),
    "warmup_steps": ("itm", 5),
    "lr_mult_head": ("itm", 5),
    "lr_mult_cross_modal": ("itm", 5),
    "gradient_clip_val": ("itm", 1e-3),
    "max_steps": ("itm", 4),
    "max_epoch": ("itm", 1),
}
# Those that only validation depends on, or when it comes.
EVALUATION = {"eval_batch_size", "caption_metric_images", "generation_strategy", "num_beams", "top_k", "top_p",
              "temperature", "repetition_penalty", "max_generated_tokens", "val_check_interval",
              "early_stopping_patience", "early_stopping_min_delta"}  # fmt: skip
# Below, in test_finite.py, test_extending.py and test_many_devices.py.
ELSEWHERE = {"resume_schedule", "max_skipped_steps", "plugins", "strategy"}
OTHER_VALUES: dict[str, Any] = {
    "datasets": ["coco"], "loss_names": {"mlm": 2}, "load_path": "other.ckpt", "load_modules": {"fuser": "other.ckpt"},
    "original_image_size": 32, "patch_size": 8, "vocab_size": 10, "max_text_len": 50, "text_encoder_window_size": 4,
    "tokenizer": "bert-base-uncased", "vocab_file": "vocabulary.json", "text_encoder_config": {"num_hidden_layers": 1},
    "decoder": "gpt2", "top_k": 5, "max_generated_tokens": 9, "gradient_clip_val": 1.0, "early_stopping_patience": 3,
    "monitor": "itm/val/accuracy", "step_shares": {"itm": 2.0},
    "max_epoch": 100, "sample_interval": 7, "checkpoint_interval": 7, "manual_inputs": [],
    "adam_betas": [0.5, 0.9], "num_gpus": 1, "devices": 1, "wandb_project": "a", "mongo_url": "mongodb://a/b",
    "sql_url": "sqlite:///a.db", "trackio_project": "a", "clip_model": "openai/clip-vit-base-patch32",
    "lion_betas": [0.5, 0.9], "optim_type": "lion", "caption_crop_area": 0.5,
    "train_transform_keys": ["clip"], "val_transform_keys": ["clip"], "max_steps": 9, "precision": "bf16-mixed",
    "runs": ["a"], "where": "seed=1", "sort_by": "best", "limit": 5, "compare_dir": "a", "plot_dir": "a",
    "plot_formats": ["pdf"], "export_dir": "a", "dataset": "coco", "raw_root": "a", "dataset_name": "a",
    "report_dir": "a", "dashboard_host": "a", "dashboard_port": 1,
    "templates": ["a {}"], "class_names": ["a"], "query": "a", "split": "val",
    "serve_models": ["a.ckpt"], "serve_hosts": ["a"], "serve_token": "(not shown)", "serve_images": "a",
    "dataset_weights": {"scenes": 2.0}, "caption_weights": {"caption": 2.0},
    "input": "a.csv", "output": "b.csv", "task": "itm", "columns": {"a": "text"}, "keep": ["a"],
    "image_column": "a", "caption_columns": ["a"],
    "seeds": [3], "sweep": {"learning_rate": [0.1, 0.2]}, "sweep_trials": 3, "sweep_pruning": "median",
    "submit": "local", "slurm_partition": "a", "slurm_gpus": 1, "slurm_cpus": 1, "slurm_memory_gb": 1.0,
    "slurm_setup": ["a"], "slurm_parameters": {"account": "a"},
}  # fmt: skip


def kind_of(name: str) -> OnResume:
    return on_resume(Settings.model_fields[name])


def of_kind(kind: OnResume) -> list[str]:
    return [name for name in Settings.model_fields if kind_of(name) is kind]


def another(name: str, value: Any) -> Any:
    """Another value that a setting may have."""
    annotation = Settings.model_fields[name].annotation
    if name in OTHER_VALUES:
        return OTHER_VALUES[name]
    if get_origin(annotation) is Literal:
        return next(choice for choice in get_args(annotation) if choice != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return f"{value}x"
    return value + 1 if isinstance(value, int) else value / 2 + 0.1


@pytest.fixture(scope="module")
def stopped(scenes_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], RunFolder]:
    """Gives a run that was stopped at step 2 of 6, trained once; not to be resumed in its folder."""
    known: dict[str, RunFolder] = {}

    def begin(task: str) -> RunFolder:
        if task not in known:
            run = Runner(scenes_root, tmp_path_factory.mktemp("stopped"))
            named, settings = TASKS[task]
            stop = stop_at(STEP, "caption/train/loss" if task == "caption" else "itm/train/loss")
            with pytest.raises(Interrupted):
                run(*named, **{**BEGUN, **settings}, exp_name="stopped", log_scalar=stop)
            known[task] = RunFolder(run.log_dir / "stopped" / "1")
        return known[task]

    return begin


def resumption(checkpoint: Path, *named: str, **given: Any) -> Resumption:
    """What becomes of a run that is resumed with named configurations and settings."""
    given = {**given, "resume_from": str(checkpoint)}
    values = dict(ex.configurations[0]())
    for name in named:
        values.update(ex.named_configs[name](preset=values))
    if "loss_names" in given:
        values["loss_names"] = {**values["loss_names"], **given["loss_names"]}
    settings = check_settings(
        {**values, **{name: value for name, value in given.items() if name != "loss_names"}}, "train"
    )
    chosen = Chosen({name: frozenset(ex.named_configs[name]()) for name in named}, given)
    found = find_resumption(settings, chosen)
    assert found is not None
    return found


class RatesOf(pl.Callback):
    """Notes the first group's learning rate at each step, as the optimiser uses it."""

    def __init__(self, rates: list[float]) -> None:
        self._rates = rates

    def on_before_optimizer_step(self, trainer: pl.Trainer, module: pl.LightningModule, optimizer: Any) -> None:
        self._rates.append(optimizer.param_groups[0]["lr"])


def trained_on(checkpoint: Path, tmp_path: Path, rates: list[float] | None = None, **given: Any) -> SimpleNamespace:
    """The rest of a run's training, with neither validation nor test: weights, optimiser's groups, step and plan."""
    found = resumption(checkpoint, **given)
    assembly = assemble(found.settings, (), found.checkpoint)
    folder = RunFolder(tmp_path / "resumed")
    folder.path.mkdir(exist_ok=True)
    session = Session(assembly, Devices("cpu", 1, 1), folder, lambda *_: None, found.checkpoint, time.time())
    assert session.plan is not None
    loader = session.loaders.training(session.plan, found.checkpoint.global_step)
    session.trainer.callbacks.append(RatesOf([] if rates is None else rates))  # type: ignore[attr-defined]
    session.trainer.fit(session.module, loader, ckpt_path=str(checkpoint))
    weights = {name: tensor.clone() for name, tensor in session.module.state_dict().items()}
    groups = session.trainer.optimizers[0].param_groups
    return SimpleNamespace(weights=weights, groups=groups, step=session.trainer.global_step, plan=session.plan)


def differ(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return any(not torch.equal(tensor, other[name]) for name, tensor in one.items())


def copy_of(folder: RunFolder, tmp_path: Path) -> Path:
    return Path(shutil.copy(folder.last_checkpoint, tmp_path / "copy.ckpt"))


# Every setting has its kind, and the kind is true


def test_every_setting_says_what_becomes_of_it_on_resume() -> None:
    for name, field in Settings.model_fields.items():
        kinds = [mark for mark in field.metadata if isinstance(mark, OnResume)]
        assert len(kinds) == 1, f"{name}: write its type as Fixed[...], Changes[...], ... (settings/on_resume.py)"
    assert set(of_kind(OnResume.CHANGES)) == {*TRAINING, *EVALUATION, *ELSEWHERE}, "each has its test"


@pytest.mark.parametrize("name", of_kind(OnResume.FIXED))
def test_a_setting_that_stays_is_refused_with_another_value(stopped, tmp_path, name):
    checkpoint = copy_of(stopped("itm"), tmp_path)
    begun = read_history(stopped("itm"))
    assert begun is not None
    other = another(name, begun.settings[name])
    message = rf"cannot be resumed(.|\n)*  {name}: .*, the run has|{name} and resume_from cannot both be given"
    with pytest.raises(UserError, match=message):
        resumption(checkpoint, **{name: other})
    again = {**begun.settings, "load_path": "", "load_modules": None}[name]
    assert resumption(checkpoint, **{name: again}).changed == {}


@pytest.mark.parametrize("name", [*of_kind(OnResume.NO_EFFECT), *of_kind(OnResume.DEVICES), *sorted(EVALUATION)])
def test_other_settings_are_taken_as_given(stopped, tmp_path, name):
    checkpoint = copy_of(stopped("itm"), tmp_path)
    other = another(name, getattr(resumption(checkpoint).settings, name))
    assert getattr(resumption(checkpoint, **{name: other}).settings, name) == other


@pytest.mark.parametrize("name", list(TRAINING))
def test_a_setting_that_may_change_really_does(stopped, tmp_path, name):
    task, value = TRAINING[name]
    checkpoint = copy_of(stopped(task), tmp_path)
    more = {"max_steps": None} if name == "max_epoch" else {}
    other = trained_on(checkpoint, tmp_path, **{name: value}, **more)
    same = trained_on(checkpoint, tmp_path)
    assert differ(same.weights, other.weights)
    assert other.step == {"max_steps": value, "max_epoch": other.plan.epoch_batches}.get(name, STEPS)
    options = {"learning_rate": "initial_lr", "weight_decay": "weight_decay", "adam_betas": "betas",
               "adam_epsilon": "eps", "momentum": "momentum", "lion_betas": "betas",
               "muon_momentum": "momentum"}  # fmt: skip
    if name in options:
        decayed = [group for group in other.groups if group["part"] == "text_encoder" and group["weight_decay"]]
        (group,) = [group for group in decayed if group.get("matrices", True)]
        assert group[options[name]] == (tuple(value) if isinstance(value, list) else value)


# Training longer


@pytest.fixture(scope="module")
def finished(scenes_root: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of 6 steps that came to its end."""
    run = Runner(scenes_root, tmp_path_factory.mktemp("finished"))
    settings: dict[str, Any] = BEGUN
    return run("task_itm", "scenes", "tiny", **settings)[0]


@pytest.mark.parametrize("warmup_steps", [1, 0.25])
def test_a_longer_training_follows_the_schedule_of_its_length(finished, tmp_path, warmup_steps):
    rates = []
    longer = trained_on(finished.last_checkpoint, tmp_path, rates=rates, max_steps=12, warmup_steps=warmup_steps)
    assert differ(torch.load(finished.last_checkpoint, weights_only=True)["state_dict"], longer.weights)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    warm = warmup_steps if isinstance(warmup_steps, int) else round(warmup_steps * 12)
    reference = get_polynomial_decay_schedule_with_warmup(optimizer, warm, 12, lr_end=0.0).lr_lambdas[0]
    assert rates == pytest.approx([1e-3 * reference(step) for step in range(6, 12)])


def test_training_longer_says_what_the_learning_rate_was_and_is(run, finished, capsys):
    folder, _ = run("task_itm", "scenes", "tiny", max_steps=12, resume_from=str(finished.last_checkpoint))
    said = capsys.readouterr().out
    assert "changed on resume: max_steps 6 → 12" in said
    # 1e-3 * (1 - (6 - 1) / (12 - 1)), by hand
    assert "learning rate from step 6 on: 0.000545, by schedule=polynomial over 12 steps (so far: 0, by " in said
    first, second = (torch.load(f.last_checkpoint, weights_only=True) for f in (finished, folder))
    assert (first["global_step"], second["global_step"]) == (6, 12)
    assert differ(first["state_dict"], second["state_dict"])
    config = json.loads(folder.config.read_text())
    assert (config["max_steps"], config["batch_size"], config["learning_rate"]) == (12, 8, 1e-3), "its own settings"
    assert config["resume_from"] == str(finished.last_checkpoint)


def test_training_longer_at_a_constant_rate_has_nothing_to_say(run, capsys):
    folder, _ = run("task_itm", "scenes", "tiny", **BEGUN, schedule="none")
    run("task_itm", "scenes", "tiny", max_steps=9, resume_from=str(folder.last_checkpoint))
    said = capsys.readouterr().out
    assert "changed on resume: max_steps 6 → 9" in said
    assert "learning rate from step" not in said
    run("task_itm", "scenes", "tiny", max_steps=9, resume_from=str(folder.last_checkpoint), resume_schedule="kept")
    run("task_itm", "scenes", "tiny", max_steps=9, resume_from=str(folder.last_checkpoint), schedule="step")
    said = capsys.readouterr().out
    # The step is 0.3 of the 8 steps after the warm-up, so 2: the rate fell at the steps 3 and 5.
    assert "step 6 on: 1e-05, by schedule=step over 9 steps (so far: 0.001, by schedule=none over 6 steps)" in said


def test_the_schedule_can_be_kept_but_not_at_a_rate_of_0(finished, stopped, tmp_path):
    with pytest.raises(UserError, match=r"resume_schedule=kept(.|\n)*nothing would be learnt in the steps from 6 to 9"):
        trained_on(finished.last_checkpoint, tmp_path, max_steps=9, resume_schedule="kept")
    kept = trained_on(finished.last_checkpoint, tmp_path, max_steps=9, resume_schedule="kept", end_lr=2e-4)
    assert kept.plan.schedule_steps == 6
    assert {group["lr"] for group in kept.groups if group["part"] == "text_encoder"} == {2e-4}
    new = trained_on(finished.last_checkpoint, tmp_path, max_steps=9, end_lr=2e-4)
    assert differ(kept.weights, new.weights)
    shorter = trained_on(copy_of(stopped("itm"), tmp_path), tmp_path, max_steps=4, resume_schedule="kept")
    assert shorter.groups[0]["lr"] == pytest.approx(1e-3 * (1 - 3 / 5)), "of 6 steps, at step 4"


# A run's own settings


def test_a_named_configuration_is_compared_where_no_command_of_the_run_had_it(stopped, tmp_path):
    folder, named = stopped("itm"), ("task_itm", "scenes", "tiny")
    assert resumption(folder.last_checkpoint, *named).changed == {}, "it sets batch_size=16, the run had 8"
    assert resumption(folder.last_checkpoint, "step25k").settings.max_steps == 25_000
    with pytest.raises(UserError, match=r"freeze_text_encoder: True \(of freeze_text\), the run has False"):
        resumption(folder.last_checkpoint, *named, "freeze_text")
    # Of a copy on its own nothing is known but its settings, so a named configuration is taken at its word.
    alone = copy_of(folder, tmp_path)
    with pytest.raises(UserError, match=r"batch_size: 16 \(of tiny\), the run has 8"):
        resumption(alone, *named)
    assert resumption(alone).settings.batch_size == 8


def test_other_tables_than_the_runs_are_refused(stopped, tmp_path):
    checkpoint = copy_of(stopped("itm"), tmp_path)
    run = Runner(tmp_path / "arrow", tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"train/scenes_train\.arrow: [0-9,]+ bytes, the run has [0-9,]+ bytes"):
        run(exp_name="stopped", resume_from=str(checkpoint), num_scenes=66)


def test_a_setting_that_came_after_a_run_had_begun_has_its_default_there(stopped, tmp_path):
    """Otherwise the command line's value would pass for the run's own: taken, not recorded, and gone at the next."""
    folder = RunFolder(Path(shutil.copytree(stopped("itm").path, tmp_path / "exp" / "1")))
    began = json.loads(folder.config.read_text())
    for name in ("patch_dropout", "dataset_weights"):
        del began[name]
    folder.config.write_text(json.dumps(began))
    assert resumption(folder.last_checkpoint).changed == {}
    assert resumption(folder.last_checkpoint, patch_dropout=0.5).changed == {"patch_dropout": (0.0, 0.5)}
    with pytest.raises(UserError, match=r"dataset_weights: \{'scenes': 0.5\}, the run has \{\}"):
        resumption(folder.last_checkpoint, dataset_weights={"scenes": 0.5})
