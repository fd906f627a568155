"""Completion of the command line in a shell: `python run.py completion bash` prints a script for it.

Comes in: the commands, flags and named configurations; settings and their types are read off `config.py` and
`Settings`. Goes out: a script for bash, zsh or fish with all words in it, so that the Tab key starts no Python.
Nothing here imports PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable

from renaissance.errors import UserError
from renaissance.settings.completion import bash, fish, zsh
from renaissance.settings.completion.words import Word, Words, words_of
from renaissance.settings.discovery import suggestion

__all__ = ["SHELLS", "Word", "Words", "completion_script", "words_of"]

SHELLS: dict[str, Callable[[Words], str]] = {"bash": bash.script, "zsh": zsh.script, "fish": fish.script}


def completion_script(shell: str | None, words: Words) -> str:
    """The script that makes a shell complete our command line; docs/command-line.md says how it is installed.

    Args:
        shell: "bash", "zsh" or "fish".
        words: what to complete.

    Raises:
        UserError: it is none of these.
    """
    if shell not in SHELLS:
        near = suggestion(shell, SHELLS) if shell else ""
        wrong = f"There is no completion for {shell!r}{near}" if shell else "Say for which shell"
        raise UserError(f"{wrong}: python run.py completion {' or '.join(SHELLS)}")
    return SHELLS[shell](words)
