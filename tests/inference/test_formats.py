"""Checkpoints of earlier formats are migrated, those of later ones refused; what is unknown is said or refused."""

from __future__ import annotations

import pytest
import torch

import renaissance
from config import ex
from renaissance.checkpoints import migration
from renaissance.checkpoints.checkpoint import read_checkpoint
from renaissance.checkpoints.migration import FORMAT
from renaissance.checkpoints.restore import restore
from renaissance.errors import UserError
from renaissance.settings.defaults import default_settings
from renaissance.tracking.history import History
from renaissance.training.checkpoint_io import SafeCheckpointIO


@pytest.fixture
def changed(pretrained, tmp_path):
    """Writes the checkpoint anew with changes to its content."""

    def write(change):
        content = torch.load(pretrained(), weights_only=True)
        change(content)
        torch.save(content, tmp_path / "changed.ckpt")
        return tmp_path / "changed.ckpt"

    return write


def entry_with(**values):
    return lambda content: content["renaissance"].update(values)


def settings_with(**values):
    return lambda content: content["renaissance"]["settings"].update(values)


def encoded(path):
    return renaissance.load(path).encode_text(["a red circle above a blue square"])


def unnumbered(content):
    """As before formats had numbers."""
    del content["renaissance"]["format"]


def test_a_run_writes_the_format(pretrained):
    assert torch.load(pretrained(), weights_only=True)["renaissance"]["format"] == FORMAT


def test_a_checkpoint_without_a_number_is_loaded_as_it_was(pretrained, changed, capsys):
    assert torch.equal(encoded(changed(unnumbered)), encoded(pretrained()))
    assert not capsys.readouterr().err


def test_a_run_of_an_earlier_format_goes_on_as_it_would_have(run, tmp_path):
    settings = {"max_steps": 2, "warmup_steps": 0, "batch_size": 8, "per_gpu_batchsize": 8}
    folder, _ = run("task_mlm_itm", "scenes", "tiny", **settings)
    old = tmp_path / "old.ckpt"
    content = torch.load(folder.last_checkpoint, weights_only=True)
    unnumbered(content)
    torch.save(content, old)
    curves, going_on = [], {"max_steps": 4, "exp_name": "resumed"}
    for path in (folder.last_checkpoint, old):
        resumed, _ = run(**going_on, resume_from=str(path), chosen=(*going_on, "resume_from"))
        curves.append(resumed.metrics.read_text())
        assert torch.load(resumed.last_checkpoint, weights_only=True)["renaissance"]["format"] == FORMAT
    assert curves[0] == curves[1]


@pytest.mark.parametrize("read", [read_checkpoint, SafeCheckpointIO().load_checkpoint, renaissance.load])
def test_a_later_format_is_refused_by_its_number(changed, read):
    path = changed(entry_with(format=FORMAT + 6))
    with pytest.raises(
        UserError, match=f"changed.ckpt: was written by format {FORMAT + 6}, this version reads up to {FORMAT}: install"
    ):
        read(path)


@pytest.mark.parametrize("number", ["1", -1, True, None, 1.0])
def test_a_format_that_is_no_number_is_refused(changed, number):
    with pytest.raises(UserError, match=r"its format is .*, and should be a whole number"):
        read_checkpoint(changed(entry_with(format=number)))


def test_every_migration_on_the_way_is_made_in_order(pretrained, changed, monkeypatch):
    """Both where weights are read and where a run goes on, whose other entries stay."""

    def renamed(old, new):
        def migrate(content):
            state = {name.replace(old, new): tensor for name, tensor in content["state_dict"].items()}
            return {**content, "state_dict": state}

        return migrate

    def earlier(content):
        content["renaissance"]["format"] = FORMAT
        state = content["state_dict"]
        content["state_dict"] = {name.replace(".fuser.", ".crossing."): tensor for name, tensor in state.items()}

    path = changed(earlier)
    with pytest.raises(UserError, match="have no place here"):
        renaissance.load(path)
    steps = {FORMAT: renamed(".crossing.", ".meeting."), FORMAT + 1: renamed(".meeting.", ".fuser.")}
    monkeypatch.setattr(migration, "MIGRATIONS", {**migration.MIGRATIONS, **steps})
    monkeypatch.setattr(migration, "FORMAT", FORMAT + 2)
    expected = torch.load(pretrained(), weights_only=True)
    for content in (read_checkpoint(path).state_dict, SafeCheckpointIO().load_checkpoint(path)["state_dict"]):
        assert content.keys() == expected["state_dict"].keys()
    assert SafeCheckpointIO().load_checkpoint(path)["optimizer_states"]
    assert SafeCheckpointIO().load_checkpoint(path)["renaissance"]["format"] == FORMAT + 2


def test_a_cosine_of_before_there_were_schedules_stays_one(changed):
    """In a checkpoint, and in what a run says that it began with."""
    before = {"decay_power": "cosine"}
    path = changed(lambda content: (settings_with(**before)(content), content["renaissance"].update(format=1)))
    settings = read_checkpoint(path).description.settings
    assert (settings["schedule"], settings["decay_power"]) == ("cosine", 1)
    assert History(before, {}, []).settings_now() == {"schedule": "cosine", "decay_power": 1}
    assert History({"decay_power": 2}, {}, []).settings_now() == {"decay_power": 2}
    resumed = History(before, {}, [{"changed": {"schedule": ["cosine", "none"]}}])
    assert resumed.settings_now()["schedule"] == "none", "what a resume changed is not undone"


def test_every_format_has_its_migration():
    assert sorted(migration.MIGRATIONS) == list(range(FORMAT))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (entry_with(tracker_ids={"x": 1}), "tracker_ids"),
        (settings_with(momentum_schedule="cosine"), "momentum_schedule=cosine"),
    ],
    ids=["entry", "setting"],
)
def test_what_is_unknown_is_left_out_with_a_word(run, pretrained, changed, capsys, change, said):
    path = changed(change)
    assert torch.equal(encoded(path), encoded(pretrained()))
    expected = f"{path}: left out what this version does not know: {said}\n"
    assert capsys.readouterr().err == expected
    run("task_mlm_itm", "scenes", load_path=str(path), test_only=True)
    assert expected in capsys.readouterr().out


def test_a_task_that_was_off_and_is_unknown_does_no_harm(changed, capsys):
    weights = ex.configurations[0]()["loss_names"]
    assert encoded(changed(settings_with(loss_names={**weights, "mlm": 1.0, "itm": 1.0, "vcr": 0.0}))).shape == (1, 64)
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"loss_names": {"vcr": 1.0, "itm": 1.0}}, "was trained on vcr, which is no task here"),
        ({"loss_names": {}}, "says of no task"),
        ({"model_type": "three-tower"}, "(?s)settings are none of this version.*model_type='three-tower'"),
        ({"num_cross_layers": 1}, "(?s)have no place here.*Install the version that wrote it"),
        (
            {"loss_names": {"itm": 1.0}},
            r"8 tensors have no place here \(tasks\.mlm\.|6 tensors have no place here \(tasks\.mlm\.",
        ),
    ],
    ids=["task", "no task", "value", "fewer layers", "fewer tasks"],
)
def test_what_does_harm_is_refused_by_its_name(changed, values, said):
    with pytest.raises(UserError, match=said):
        renaissance.load(changed(settings_with(**values)))


def test_a_plug_ins_optimiser_is_not_needed_to_use_a_model(pretrained, changed):
    trained = settings_with(optim_type="adagrad", plugins=["my/adagrad.py"])
    assert torch.equal(encoded(changed(trained)), encoded(pretrained()))
    with pytest.raises(UserError, match=r"(?s)optim_type: must be .*not 'adagrad'$"):
        renaissance.load(changed(settings_with(optim_type="adagrad")))
    faulty = settings_with(model_type="three-tower", plugins=["my/adagrad.py"])
    with pytest.raises(UserError, match=r"(?s)mean two-tower\?\nIt was made with plug-ins .*my/adagrad.py"):
        renaissance.load(changed(faulty))


def test_a_refusal_of_weights_names_the_settings_that_may_explain_them(changed):
    def change(content):
        settings_with(layer_scale=True)(content)
        content["state_dict"]["model.fuser.layers.0.scale"] = torch.ones(3)

    with pytest.raises(
        UserError, match=r"(?s)1 tensors have no place here \(model.fuser.layers.0.scale\).*layer_scale=True"
    ):
        renaissance.load(changed(change))


def test_weights_that_are_not_in_it_are_refused(changed):
    def change(content):
        del content["state_dict"]["tasks.itm.head.output.bias"]

    with pytest.raises(UserError, match=r"1 tensors are not in it \(tasks.itm.head.output.bias\)"):
        renaissance.load(changed(change))


def test_a_setting_that_is_missing_has_its_default(changed):
    def change(content):
        for name in ("image_pooling", "num_beams", "adam_betas"):
            del content["renaissance"]["settings"][name]

    settings = restore(read_checkpoint(changed(change))).settings
    assert (settings.image_pooling, settings.num_beams) == ("cls", ex.configurations[0]()["num_beams"])


def test_defaults_are_those_of_the_command_line():
    expected = dict(ex.configurations[0]())
    expected.pop("loss_names")
    assert default_settings() == expected


@pytest.mark.parametrize(
    ("entry", "said"), [("text", "has no vocabulary"), ("image_statistics", "has no image statis")]
)
def test_an_entry_that_a_task_needs_is_missed_by_its_name(changed, entry, said):
    with pytest.raises(UserError, match=said):
        renaissance.load(changed(entry_with(**{entry: None})))
