"""What is declared of a task holds: in its file, in the settings and in the metrics.

That a run reports what is declared: `tests/training/test_monitoring.py`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from config import ex
from renaissance.data.examples.schema import CAPTIONS, Column, DataNeeds, Schema
from renaissance.errors import UserError
from renaissance.registrations import Registrations
from renaissance.settings import check_settings
from renaissance.settings.decoder import encoders_read_texts, pretrained_decoder
from renaissance.settings.discovery import monitored_fault, task_reads
from renaissance.tasks import registry
from renaissance.tasks.behaviours import load_behaviour
from renaissance.tasks.behaviours.classification import ClassificationTask
from renaissance.tasks.common.task import Task
from renaissance.tasks.declaration import ACCURACY, LOSS, Metric, TaskDeclaration
from renaissance.tasks.registry import declaration_of, register_task, task_names
from renaissance.tracking.metrics import Point
from renaissance.tracking.summary import best_values
from renaissance.training.inputs import task_groups
from renaissance.training.monitoring import Monitor

IMDB = declaration_of("imdb")


@pytest.fixture
def registered(monkeypatch):
    """Registers a task for one test."""
    monkeypatch.setattr(registry, "_registered", Registrations("task"))

    def add(declaration):
        register_task(declaration)
        return declaration

    return add


@pytest.mark.parametrize(("changes", "fault"), [
    ({"name": "two words"}, "a task's name must be letters"),
    ({"metrics": ()}, "metrics must be one or more"),
    ({"metrics": (LOSS, ACCURACY, Metric("loss", True))}, "each of another name"),
    ({"monitor": "f1"}, "monitor must be one of its metrics .loss, accuracy., not 'f1'"),
    ({"behaviour": "package.module"}, "behaviour must be 'package.module:Class'"),
    ({"behaviour": "some/file.py:Class"}, "behaviour must be 'package.module:Class'"),
])  # fmt: skip
def test_a_faulty_declaration_is_refused_where_it_is_made(changes, fault):
    with pytest.raises(ValueError, match=fault):
        replace(IMDB, **changes)
    with pytest.raises(ValueError, match="a metric's name must be"):
        Metric("val/loss", more_is_better=False)


@pytest.mark.parametrize(("behaviour", "fault"), [
    ("renaissance.nowhere:Task", "cannot be imported: No module named 'renaissance.nowhere'"),
    ("renaissance.tasks.common.task:Nothing", "the module renaissance.tasks.common.task has no class Nothing"),
    ("renaissance.tasks.common.task:Outcome", "is no subclass of renaissance.tasks.common.task.Task"),
    (int, "is no subclass of renaissance.tasks.common.task.Task"),
])  # fmt: skip
def test_a_behaviour_that_is_not_there_is_named(behaviour, fault):
    with pytest.raises(UserError, match=f"task imdb: behaviour=.*{fault}"):
        load_behaviour(replace(IMDB, behaviour=behaviour))


def test_a_behaviour_is_a_path_or_a_class_and_serves_several_tasks():
    assert load_behaviour(IMDB) is load_behaviour(declaration_of("cifar10")) is ClassificationTask
    assert load_behaviour(replace(IMDB, behaviour=ClassificationTask)) is ClassificationTask
    assert all(issubclass(load_behaviour(declaration_of(name)), Task) for name in task_names())


def test_a_task_from_outside_is_known_as_ours_are(registered):
    needs = declaration_of("imdb").needs
    mine = registered(TaskDeclaration("mine", needs, ClassificationTask, (Metric("error", False), ACCURACY), "error"))
    assert declaration_of("mine") is mine
    assert task_names() == sorted([*task_names()])
    assert "mine" in task_names()
    settings = check_settings({**ex.configurations[0](), "loss_names": {"mine": 1}})
    assert settings.active_tasks() == ["mine"]
    assert task_reads("mine") == {"text"}
    for taken in (replace(mine), replace(IMDB)):
        with pytest.raises(UserError, match=f"task {taken.name}: there is one of this name already"):
            register_task(taken)
    monitor = Monitor.of_settings(settings)
    assert monitor.name == "mine/val/error"
    assert monitor.score({"mine/val/error": 0.25}) == -0.25, "its declaration says that less is better"
    points = {"mine/val/error": [Point(1, 0.0, 0.5), Point(2, 0.0, 0.25)], "mine/val/accuracy": [Point(1, 0.0, 0.5)]}
    assert best_values(points) == {"mine/val/error": 0.25, "mine/val/accuracy": 0.5}


def test_what_a_task_takes_over_from_another_is_known_to_the_settings(registered):
    """What a task had from another one's class was once unknown to the settings, in silence."""
    registered(replace(declaration_of("caption"), name="story", monitor="cider_d"))
    settings = check_settings({**ex.configurations[0](), "loss_names": {"story": 1}, "decoder": "gpt2"})
    assert pretrained_decoder(settings) == "gpt2"
    assert not encoders_read_texts(settings)
    assert monitored_fault("story/val/cider_d", ["story"]) is None
    assert "did you mean story/val/bleu_4" in str(monitored_fault("story/val/blue_4", ["story"]))
    with pytest.raises(UserError, match="story cannot be mixed"):
        check_settings({**settings.model_dump(), "mixing_alpha": 0.2})


def test_a_file_declares_the_task_of_its_name(monkeypatch):
    registry._read.cache_clear()
    module = "renaissance.tasks.imdb"
    monkeypatch.setattr(f"{module}.TASK", replace(IMDB, name="reviews"))
    with pytest.raises(ValueError, match=r"tasks/imdb\.py declares the task 'reviews'"):
        declaration_of("imdb")


def test_what_a_task_reads_has_to_be_a_column_of_its_schema():
    words = Schema("words", {"caption": Column("caption", "text")})
    with pytest.raises(ValueError, match=r"mine: reads texts .* schema 'words' has no column 'text' .* has caption"):
        TaskDeclaration("mine", DataNeeds(words, image=False, text=True), "a.b:C", (ACCURACY,), "accuracy")
    with pytest.raises(ValueError, match="column 'scene': there is no type 'clas'"):
        Column("scene", "clas")


def test_tasks_of_one_schema_read_the_columns_of_all_and_differ_in_none(make_settings):
    def needs(**columns):
        return DataNeeds(Schema("caption", {**CAPTIONS.columns, **columns}), image=True, text=True)

    settings = make_settings(loss_names={"mlm": 1})
    mine, others = needs(scene=Column("scene", "id")), needs(image=Column("picture", "image"))
    (group,) = task_groups({"mlm": needs(), "mine": mine}, settings)
    assert set(group.needs.schema.columns) == {*CAPTIONS.columns, "scene"}
    with pytest.raises(UserError, match="mlm and others read different columns of caption examples as 'image'"):
        task_groups({"mlm": needs(), "others": others}, settings)
