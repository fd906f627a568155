"""Plug-ins: what is imported and what never is, what is said of one that fails, and what of them a run keeps."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from renaissance import plugins, registrations
from renaissance.data.sets import data_sets
from renaissance.errors import UserError
from renaissance.extend import register_data_set, register_task
from renaissance.plugins import how_to_name, load_plugins, loaded_plugins, missing_plugins, plugin_sources
from renaissance.processes import map_in_order
from renaissance.tasks.registry import declaration_of, task_names
from renaissance.tracking.plugin_copies import keep_sources
from renaissance.tracking.run_folder import RunFolder
from renaissance.training.optimizers.registry import optimizer_names
from tests.command_line import ROOT, run_py

OPTIMIZER = """
from renaissance.extend import register_optimizer
from renaissance.training.optimizers.interface import OptimizerDeclaration
register_optimizer(OptimizerDeclaration("{name}", None, frozenset(), lambda settings: 1))
"""
NAMED = (
    OPTIMIZER.format(name="tuned")
    + '''
from renaissance.extend import register_named_config
@register_named_config
def tuned():
    """A high rate."""
    return {"optim_type": "tuned", "learning_rate": 0.25, "loss_names": {"mlm": 1}}
'''
)
DATA_SET = """
from renaissance.data.sets import data_sets
from renaissance.data.sets.interface import DataSet, TableNames
from renaissance.extend import register_data_set

@register_data_set
class Mine(DataSet):
    name = "mine"
    schemas = ("caption",)
    def tables(self, schema, split): return TableNames()
    def prepare(self, options): return []

def known(word): return word, sorted(data_sets())
"""

Write = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test begins and ends without plug-ins."""
    monkeypatch.setattr(plugins, "_loaded", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    before, places = dict(sys.modules), [(one, one._things, one._places) for one in registrations._kinds]
    for one in registrations._kinds:
        one._things, one._places = {}, {}
    yield
    for one, things, found in places:
        one._things, one._places = things, found
    for name in sys.modules.keys() - before.keys():
        if not name.startswith("renaissance"):
            del sys.modules[name]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file under the test's folder."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def command(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python run.py <words>` in a process of its own."""
    return run_py(*words, environment=environment, timeout=120)


# What is imported


def test_a_file_is_imported_once_by_whatever_path(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("counting.py", f"open({str(write('count', ''))!r}, 'a').write('x')" + OPTIMIZER.format(name="mine"))
    monkeypatch.chdir(path.parent)
    load_plugins(["counting.py", "./counting.py"])
    load_plugins([str(path)])
    assert (path.parent / "count").read_text() == "x"
    assert [plugin.name for plugin in loaded_plugins()] == ["counting.py"]
    assert "mine" in optimizer_names()


def test_a_link_to_a_file_is_a_plug_in_of_its_own_name(write: Write, tmp_path: Path) -> None:
    (tmp_path / "linked.py").symlink_to(write("versions/of_today.py", OPTIMIZER.format(name="linked")))
    load_plugins([str(tmp_path / "linked.py")])
    load_plugins([str(tmp_path / "linked.py")])
    assert "linked" in optimizer_names()
    assert missing_plugins({"plugins": ["linked.py"]}) == []


def test_a_module_is_imported_by_its_name(write: Write) -> None:
    folder = write("my_package/tuning.py", OPTIMIZER.format(name="of_module")).parent
    sys.path.append(str(folder.parent))
    load_plugins(["my_package.tuning"])
    assert "of_module" in optimizer_names()
    assert plugin_sources() == {"my_package/tuning.py": (folder / "tuning.py").read_bytes()}
    assert missing_plugins({"plugins": ["my_package.tuning"]}) == []


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("nowhere.py", "'nowhere.py' is no Python file that is there"),
        ("nowhere.at_all", "Python finds no module 'nowhere.at_all'"),
        ("my-task.py", "'my-task.py' must be a file whose name, without .py, is letters, digits and _"),
        ("a b", "'a b' must be a file or a module"),
        ("json.py", "has the name of another module, json"),
        ("config.py", "has the name of another module, config"),
        ("other/mine.py", "'other/mine.py' and 'mine.py' are two plug-ins of one name, mine"),
    ],
)
def test_what_cannot_be_a_plug_in_is_named(
    name: str, fault: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    import config  # noqa: F401  (as run.py has it)

    for file in ("json.py", "config.py", "my-task.py", "mine.py", "other/mine.py"):
        monkeypatch.chdir(write(file, "").parents[len(Path(file).parts) - 1])
    load_plugins(["mine.py"])
    with pytest.raises(UserError, match="plugins: .*" + fault):
        load_plugins([name])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("\n\nunknown_name", r"faulty\.py, line 3: NameError: name 'unknown_name' is not defined"),
        ("\ndef f(:", r"faulty\.py, line 2: SyntaxError: "),
        ("import json\njson.loads('{')", r"faulty\.py, line 2: JSONDecodeError: "),
        ("import not_installed", r"faulty\.py, line 1: ModuleNotFoundError: No module named 'not_installed'"),
        ("import sys\nsys.exit(0)", r"faulty\.py, line 2: SystemExit: 0"),
        ("\n" + OPTIMIZER.format(name="sgd"), r"faulty\.py, line 5: optimiser sgd: there is one of this name"),
        (OPTIMIZER.format(name="first"), r"faulty\.py, line 4: optimiser first: .*, of .*first\.py, line 4"),
        ("import renaissance.tasks.declaration as d\nd.Metric('a/b', True)", r"faulty\.py, line 2: ValueError: a m"),
        ("import faulty_beside", r"faulty_beside\.py, line 1: ZeroDivisionError: division by zero"),
    ],
)  # fmt: skip
def test_a_plug_in_that_fails_is_told_by_file_and_line(text: str, fault: str, write: Write) -> None:
    load_plugins([str(write("first.py", OPTIMIZER.format(name="first")))])
    write("faulty_beside.py", "1 / 0")
    path = write("faulty.py", text)
    with pytest.raises(UserError, match="^plugins: .*" + fault):
        load_plugins([str(path)])


def test_what_a_failing_plug_in_registered_does_not_stay(write: Write) -> None:
    path = write("half.py", OPTIMIZER.format(name="half") + "1 / 0  # as yet")
    with pytest.raises(UserError, match="ZeroDivisionError"):
        load_plugins([str(path)])
    assert "half" not in optimizer_names()
    assert missing_plugins({"plugins": ["half.py"]}) == ["half.py"]
    path.write_text("\n" + OPTIMIZER.format(name="half"))
    load_plugins([str(path)])
    assert "half" in optimizer_names()


def test_names_are_registered_once_and_cells_again(monkeypatch: pytest.MonkeyPatch) -> None:
    imdb = declaration_of("imdb")
    with pytest.raises(UserError, match="task imdb: there is one of this name already, of Renaissance itself"):
        register_task(imdb)
    cell = OPTIMIZER.format(name="cell")
    exec(compile(cell, "<cell 1>", "exec"), {"__name__": "__main__"})
    exec(compile("\n" + cell, "<cell 2>", "exec"), {"__name__": "__main__"})  # changed, and run again
    with pytest.raises(UserError, match="optimiser cell: there is one of this name already, of <cell 2>, line 5"):
        exec(compile(cell, "<cell 3>", "exec"), {"__name__": "elsewhere"})
    assert "imdb" in task_names()


def test_what_is_no_data_set_is_told_what_it_lacks() -> None:
    from renaissance.data.sets.interface import DataSet

    with pytest.raises(UserError, match="is no data set"):
        register_data_set(dict)  # type: ignore[type-var]
    with pytest.raises(UserError, match="data set Half: lacks name, schemas, prepare, tables"):
        register_data_set(type("Half", (DataSet,), {}))


def test_registering_loads_no_pytorch(write: Write) -> None:
    path = write("light.py", NAMED)
    program = (
        f"import sys; from renaissance.plugins import load_plugins; load_plugins([{str(path)!r}])\n"
        "assert 'renaissance.extend' in sys.modules\n"
        "assert not {'torch', 'transformers', 'pytorch_lightning', 'sacred'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_processes_that_are_spawned_find_a_plug_ins_functions(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("renaissance.processes.ALONE_SECONDS", 0.0)
    load_plugins([str(write("sets_of_mine.py", DATA_SET))])
    known = sys.modules["sets_of_mine"].known
    found = list(map_in_order(known, ["a", "b"], processes=2))
    assert found == [("a", sorted(data_sets())), ("b", sorted(data_sets()))]
    assert "mine" in data_sets()


# The command line


def test_the_command_line_knows_what_a_plug_in_adds(write: Write) -> None:
    plugin = f"plugins={write('tuning.py', NAMED)}"
    listed = command("print_named_configs", "with", plugin)
    assert "tuned   # A high rate." in listed.stdout
    shown = command("print_config", "with", plugin, "tuned", "learning_rate=0.5").stdout
    assert "* optim_type = 'tuned'" in shown
    assert "learning_rate = 0.5 " in shown, "what is given holds over the named configuration"
    assert "'imdb': 0" in shown, "the other tasks are off"
    faults = command("print_config", "with", plugin, "optim_type=tund").stderr
    assert "must be adam, adamw, lion, muon, sgd or tuned, not 'tund'; did you mean tuned?" in faults
    assert "did you mean tuned?" in command("with", plugin, "tund").stderr
    told = command("help", "optim_type", "with", plugin).stdout
    assert "must be: adam, adamw, lion, muon, sgd or tuned" in told
    assert re.search(r"\btuned +'tuned'", told), "set by"
    assert "tuned" in command("completion", "bash", "with", plugin).stdout
    assert "tuned" not in command("completion", "bash").stdout


def test_plug_ins_are_found_where_settings_are_and_the_later_place_holds(write: Write) -> None:
    first, second = write("first.py", NAMED), write("second.py", OPTIMIZER.format(name="other"))
    file = write("settings.json", f'{{"plugins": ["{first}"], "optim_type": "tuned"}}')
    assert "* optim_type = 'tuned'" in command("print_config", "with", str(file)).stdout
    done = command("print_config", "with", str(file), f'plugins=["{second}"]')
    assert "must be adam, adamw, lion, muon, other or sgd, not 'tuned'" in done.stderr
    write("second.py", NAMED.replace('{"optim_type"', '{"plugins": "third.py", "optim_type"').replace("tuned", "own"))
    file.write_text(f'{{"plugins": ["{second}"]}}')
    assert (
        "plugins: third.py is named by a plug-in: name it" in command("print_config", "with", str(file), "own").stderr
    )
    write("second.py", OPTIMIZER.format(name="other"))
    both = command("print_config", "with", str(file), f'plugins=["{second}", "{first}"]', "optim_type=other")
    assert "* optim_type = 'other'" in both.stdout


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("1 / 0", (), "mine.py, line 1: ZeroDivisionError: division by zero"),
        (NAMED.replace("def tuned", "def tiny"), (), "the named configuration 'tiny' is one of Renaissance's"),
        (NAMED.replace('"learning_rate": 0.25', '"learning_rat": 0.25'), ("tuned",), "did you mean learning_rate?"),
        (NAMED.replace("return {", "{"), (), "must return a dictionary of settings by name, not None"),
        ("", ("plugins=5",), "plugins=5: must be a Python file, a module, or a list of these"),
        ("", ("plugins=[",), "'[' must be a file or a module"),
    ],
)
def test_mistakes_of_plug_ins_are_one_message_and_status_2(
    text: str, words: tuple[str, ...], expected: str, write: Write
) -> None:
    done = command("print_config", "with", f"plugins={write('mine.py', text)}", *words)
    assert done.returncode == 2, done.stderr
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


# What a checkpoint says, and what a run keeps


def test_a_checkpoint_names_its_plug_ins_and_nothing_is_believed_of_it() -> None:
    assert missing_plugins({}) == missing_plugins({"plugins": "x.py"}) == missing_plugins({"plugins": None}) == []
    assert missing_plugins({"plugins": [3, "a/x.py", "b.c", {}]}) == ["a/x.py", "b.c"]
    assert how_to_name([]) == ""
    assert """plugins='["a/x.py", "b.c"]' on the command line""" in how_to_name(["a/x.py", "b.c"])
    assert len(how_to_name(["x" * 10_000] * 10_000)) < 4000


def test_a_run_keeps_the_source_and_what_changed_of_it(write: Write, tmp_path: Path) -> None:
    write("helper_of_mine.py", "VALUE = 1")
    path = write("mine_too.py", "import helper_of_mine, json")
    load_plugins([str(path)])
    sources = plugin_sources()
    assert sources == {"mine_too.py": b"import helper_of_mine, json", "helper_of_mine.py": b"VALUE = 1"}
    folder = RunFolder(tmp_path / "run")
    assert keep_sources(folder, sources) == []
    assert keep_sources(folder, sources, step=5) == [], "a run that goes on with the same"
    changed = {**sources, "helper_of_mine.py": b"VALUE = 2"}
    assert keep_sources(folder, changed, step=7) == ["helper_of_mine.py"]
    assert (folder.plugins / "helper_of_mine.py").read_bytes() == b"VALUE = 1"
    assert (folder.plugins / "from_step_7" / "helper_of_mine.py").read_bytes() == b"VALUE = 2"
    assert not (folder.plugins / "from_step_5").exists()
