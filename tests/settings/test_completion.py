"""The Tab key: scripts of `completion` in real shells, installed by the lines that docs/command-line.md gives.

bash's function is called as bash calls it, with the words of a line; bash and zsh are typed into besides, through a
terminal; fish answers by itself what it would complete (`complete -C`).
"""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from config import ex
from renaissance.errors import UserError
from renaissance.settings import Settings
from renaissance.settings.completion import SHELLS, Word, Words, completion_script
from run import _words
from tests.command_line import ROOT, documented_commands

BASH_CALL = r"""
source "$1"
COMP_LINE=$2; COMP_POINT=${#2}; shift 2
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_renaissance python "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\n' "${COMPREPLY[@]}"
"""
# Lines, and what Tab offers at their end: exactly, or with "…" among others.
LINES = {
    "python run.py prep": ["prepare"],
    "python run.py ": ["with", "prepare", "help", "completion", "…"],
    "python run.py prepare ": ["with"],
    "python run.py prepare w": ["with"],
    "python run.py -F runs w": ["with"],
    "python run.py help learning": ["learning_rate"],
    "python run.py help quick": ["quickstart"],
    "python run.py completion ": ["bash", "fish", "zsh"],
    "python run.py --sq": ["--sql"],
    "python run.py with quick": ["quickstart"],
    "python run.py with task_mlm max_st": ["max_steps="],
    "python run.py with loss_names.i": ["loss_names.imdb=", "loss_names.irtr=", "loss_names.itm="],
    "python run.py with model_type=": ["two-tower", "one-tower", "late-fusion"],
    "python run.py with tiny model_type=one": ["one-tower"],
    "python run.py with test_only=": ["True", "False"],
    "python run.py with precision=b": ["bf16-mixed"],
    "python run.py with batch_size=": [],
    "python run.py with load_path=res/1/be": ["res/1/best file.ckpt"],
    "python run.py with resume_from=res/1/l": ["res/1/last.ckpt"],
    "python run.py with resume_from=au": ["auto"],
    "python run.py with data_root=res": ["res"],
    "python3 ./run.py with quick": ["quickstart"],
    "/usr/bin/python ~/run.py with quick": ["quickstart"],
    "python -q run.py with quick": ["quickstart"],
    "python other/run.py with quick": [],
    "python setup.py with quick": [],
    "python -m pytest with quick": [],
}


@pytest.fixture(scope="module")
def words() -> Words:
    return _words()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder that is also a project's root, where the documented lines have installed all completions."""
    home = tmp_path_factory.mktemp("home")
    (home / "renaissance" / "settings").mkdir(parents=True)
    (home / "other").mkdir()
    (home / "run.py").touch()
    (home / "other" / "run.py").touch()
    (home / "res" / "1").mkdir(parents=True)
    for name in ("best file.ckpt", "last.ckpt"):
        (home / "res" / "1" / name).touch()
    lines = [line for line in documented_commands(ROOT / "docs" / "command-line.md") if "~/." in line]
    assert len(lines) == 6
    for line in lines:
        subprocess.run(
            ["bash", "-c", line.replace("python", sys.executable)], cwd=ROOT, env=_environment(home), check=True
        )
    return home


def _environment(home: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(home), "ZDOTDIR": str(home), "XDG_CONFIG_HOME": str(home / ".config"),
            "XDG_DATA_HOME": str(home / ".local"), "TERM": "dumb", "PS1": "> ", "COLUMNS": "200"}  # fmt: skip


def _needs(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here")


def _offered(answers: list[str], expected: list[str]) -> bool:
    return set(expected) - {"…"} <= set(answers) if "…" in expected else sorted(answers) == sorted(expected)


@pytest.mark.parametrize("line", LINES)
def test_bash_offers(line: str, home: Path) -> None:
    pieces = re.findall(r"=|[^\s=]+", line) + ([""] if line.endswith(" ") else [])  # `=` breaks words in bash
    script = str(home / ".renaissance-completion.bash")
    done = subprocess.run(
        ["bash", "--norc", "-c", BASH_CALL, "bash", script, line, *pieces],
        cwd=home, env=_environment(home), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert _offered([answer for answer in done.stdout.splitlines() if answer], LINES[line]), done.stdout


def test_fish_offers(home: Path) -> None:
    _needs("fish")
    asked = "; ".join(f"complete -C '{line}'; echo ==" for line in LINES)
    done = subprocess.run(
        ["fish", "-c", asked], cwd=home, env=_environment(home), capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    answers = [part.strip("\n").splitlines() for part in done.stdout.split("==\n")][:-1]
    for (line, expected), answer in zip(LINES.items(), answers, strict=True):
        offered = [_value(word.partition("\t")[0], line) for word in answer]
        assert _offered(offered, expected), (line, answer)


def _value(word: str, line: str) -> str:
    """What fish completes, as bash would: without the setting's name, and without the slash behind a folder."""
    name, equals, _ = line.rpartition(" ")[2].partition("=")
    return word.removeprefix(name + equals).rstrip("/") if equals else word


# In each shell, a key (Ctrl-G) that prints the line as it stands.
SHOWN = {
    "bash": """PS1='READY> '; bind 'set bell-style none'
source ~/.renaissance-completion.bash
show() { printf 'LINE<%s>\\n' "$READLINE_LINE"; }; bind -x '"\\C-g": show'
""",
    "zsh": """PS1='READY> '; unsetopt beep; autoload -Uz compinit && compinit -u
source ~/.renaissance-completion.zsh
show() { print -r -- "LINE<$BUFFER>" }; zle -N show; bindkey '^G' show
""",
}


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_lines_that_are_typed(shell: str, home: Path) -> None:
    _needs(shell)
    typed = {
        "python run.py prep\twi\t": "python run.py prepare with ",
        "python run.py with quicks\tmax_st\t": "python run.py with quickstart max_steps=",
        "python run.py with model_type=o\t": "python run.py with model_type=one-tower ",
        "python run.py with load_path=res\t1/b\t": "python run.py with load_path=res/1/best\\ file.ckpt ",
        "python run.py help warm\t": "python run.py help warmup_steps ",
        "python -q ./run.py with num_gpus=au\t": "python -q ./run.py with num_gpus=auto ",
        "python other/run.py with quicks\t": "python other/run.py with quicks",  # not ours
        "python othe\t": "python other/",  # as without us
    }
    with _terminal(shell, home) as type_in:
        assert {keys: type_in(keys) for keys in typed} == typed


@contextmanager
def _terminal(shell: str, home: Path) -> Iterator[Callable[[str], str]]:
    """A shell at a terminal; gives a function that types keys and answers the line that they make."""
    start = home / ("start.bash" if shell == "bash" else ".zshrc")
    start.write_text(SHOWN[shell])
    command = ["bash", "--noprofile", "--rcfile", str(start), "-i"] if shell == "bash" else ["zsh", "-d", "-i"]
    above, below = pty.openpty()
    environment = {**_environment(home), "TERM": "xterm"}
    process = subprocess.Popen(
        command, cwd=home, env=environment, stdin=below, stdout=below, stderr=below, start_new_session=True
    )
    os.close(below)

    def read_until(pattern: str) -> str:
        text, ends = "", time.monotonic() + 30
        while not (found := re.findall(pattern, text)):
            assert time.monotonic() < ends, text
            if select.select([above], [], [], 0.1)[0]:
                text += os.read(above, 65536).decode(errors="replace")
        answer: str = found[-1]
        return answer

    def type_in(keys: str) -> str:
        os.write(above, f"\x15{keys}\x07".encode())  # Ctrl-U empties the line, Ctrl-G shows it
        return read_until(r"LINE<(.*?)>")

    try:
        read_until("READY> ")
        yield type_in
    finally:
        process.kill()
        process.wait()
        os.close(above)


def test_every_word_is_offered(words: Words) -> None:
    assert {word.text for word in words.commands} == {*ex.commands, "help", "completion"}
    assert [word.text for word in words.configurations] == list(ex.named_configs)
    named = {word.text.rstrip("=").partition(".")[0] for word in words.settings}
    assert named == set(Settings.model_fields) == {word.text for word in words.setting_names}
    assert {"adamw", "sgd"} <= set(words.choices["optim_type"])
    assert words.choices["pooler_type"] == ("double", "single")
    assert {"input", "load_path", "output", "plugins", "query", "resume_from", "templates", "vocab_file"} == set(
        words.files
    )
    assert {"log_dir", "data_root", "raw_root", "export_dir"} < set(words.folders)
    assert "scenes" in words.choices["dataset"]
    assert all(word.meaning for word in (*words.commands, *words.configurations, *words.settings, *words.flags))


def test_a_meaning_with_quotes_is_no_code(words: Words, tmp_path: Path) -> None:
    strange = Word("strange", """it's "$(touch made)" `touch made` \\' : | ; a meaning""")
    for shell in SHELLS:
        if shutil.which(shell):
            file = tmp_path / f"script.{shell}"
            file.write_text(completion_script(shell, replace(words, configurations=(strange,))))
            setup = "autoload -Uz compinit && compinit -u; " if shell == "zsh" else ""
            subprocess.run([shell, "-c", f"{setup}source {file}"], cwd=tmp_path, check=True, env=_environment(tmp_path))
    assert not (tmp_path / "made").exists()


def test_another_shell_is_refused(words: Words) -> None:
    with pytest.raises(UserError, match="Say for which shell"):
        completion_script(None, words)
    with pytest.raises(UserError, match="no completion for 'bsh'; did you mean bash"):
        completion_script("bsh", words)


def test_a_script_is_printed_without_pytorch_and_a_mistake_has_status_2() -> None:
    done = _run("-X", "importtime", "run.py", "completion", "fish")
    assert done.returncode == 0
    assert not re.search(r"\| +(torch|transformers)\b", done.stderr)
    done = _run("run.py", "completion")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Say for which shell")


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
