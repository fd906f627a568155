"""The command line of a set of runs, and those of its runs: the same words, with what a run has of its own.

python run.py -F observed with task_itm scenes tiny seeds=[0,1]
python run.py --file_storage=observed with task_itm scenes tiny seed=0
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from renaissance.errors import UserError
from renaissance.settings.groups.run_sets import SeedSetSettings, SubmitSettings, SweepSettings
from renaissance.settings.schema import Settings

# Settings of the set, which its runs are not told.
OF_SET = frozenset(
    {"resume_from"}.union(*(group.model_fields for group in (SeedSetSettings, SweepSettings, SubmitSettings)))
)
TESTED_ALONE = "{} with test_only=True: nothing is trained, and a test asks the same of every run."
PLAIN = re.compile(r"[A-Za-z_./][\w./:-]*")  # texts that need no quotes, unless Python takes them for something else
# Flags of Sacred's that are of one process or one record, and cannot be shared by runs.
OF_ONE = {"--id": "every run has an id of its own", "--queue": "nothing would be run"}
NOT_HANDED_ON = ("--help", "--pdb")


def check_several(settings: Settings, command_line: CommandLine, what: str) -> None:
    """Refuse what several runs cannot share.

    Args:
        settings: of the command line.
        command_line: the one that was given.
        what: makes several runs, for the message, such as "seeds".

    Raises:
        UserError: naming the first such setting or flag.
    """
    command_line.check(what)
    if settings.seeds is not None and "seed" in command_line.given:
        raise UserError(f"seed beside seeds={settings.seeds}: each run has its own of these. Leave out seed, or seeds.")
    if settings.test_only:
        raise UserError(TESTED_ALONE.format(what))
    if settings.resume_from not in (None, "auto"):
        raise UserError(
            f"resume_from={settings.resume_from!r} is one run's, and {what} makes several: "
            "resume_from=auto goes on with the newest unfinished set of the same settings."
        )


def without_effect(settings: Settings, given: Collection[str]) -> list[str]:
    """What to say of settings for several runs that a training is given and does not read.

    Args:
        settings: of a training; not those of `sweep`, which reads them.
        given: names of the settings on the command line.
    """
    of_sweep = (name for name in SweepSettings.model_fields if name in given)
    said = [f"{name} is without effect: only the command sweep reads it" for name in of_sweep]
    if settings.seeds is None and "runs_at_once" in given:
        said.append("runs_at_once is without effect: without seeds there is one run")
    return said


def makes_a_set(settings: SeedSetSettings | Mapping[str, Any]) -> bool:
    """Whether a training with these settings is started by this process rather than done by it."""
    values = settings if isinstance(settings, Mapping) else settings.model_dump()
    return values.get("seeds") is not None or values.get("submit") is not None


@dataclass(frozen=True)
class CommandLine:
    """What stands before and behind `with`.

    Attributes:
        program: `run.py`.
        flags: Sacred's flags with their values, such as "--file_storage=observed".
        words: named configurations and settings.
        by_names: the settings that named configurations set.
    """

    program: str
    flags: tuple[str, ...]
    words: tuple[str, ...]
    by_names: frozenset[str] = frozenset()

    @property
    def given(self) -> frozenset[str]:
        """The settings that are given as name=value."""
        return frozenset(_setting(word) for word in self.words if "=" in word)

    @classmethod
    def of_options(
        cls, program: str, options: Mapping[str, Any], words: Sequence[str], by_names: frozenset[str]
    ) -> CommandLine:
        """From what was parsed.

        Args:
            program: `run.py`.
            options: the flags' values by their long names; None or False where a flag was not given.
            words: what stands behind `with`.
            by_names: the settings that named configurations set.
        """
        flags = {name: value for name, value in options.items() if name.startswith("--") and value}
        shown = (name if value is True else f"{name}={value}" for name, value in flags.items()
                 if name not in NOT_HANDED_ON)  # fmt: skip
        return cls(program, tuple(shown), tuple(words), by_names)

    def check(self, what: str) -> None:
        """Refuse flags that several runs cannot share.

        Args:
            what: makes several runs, for the message, such as "seeds".

        Raises:
            UserError: naming the first.
        """
        for flag in self.flags:
            name = flag.partition("=")[0]
            if name in OF_ONE:
                raise UserError(f"{name} cannot be given with {what}: {OF_ONE[name]}.")

    def of_set(self) -> list[str]:
        """The set's own command line."""
        return [self.program, *self.flags, "with", *self.words]

    def of_run(self, settings: Mapping[str, Any]) -> list[str]:
        """The command line of a run, from the program on.

        Args:
            settings: its own, which hold over those of the words.
        """
        taken_out = OF_SET | settings.keys()
        words = [word for word in self.words if not ("=" in word and _setting(word) in taken_out)]
        # What a named configuration says of the set is undone: the run would be a set itself.
        words += [f"{name}={_default(name)}" for name in sorted(self.by_names & OF_SET)]
        words += [f"{name}={as_word(value)}" for name, value in settings.items()]
        return [self.program, *self.flags, "with", *words]


def as_word(value: Any) -> str:
    """A setting's value as the command line takes it: a word that Sacred, which asks `ast.literal_eval`, reads back.

    NaN, which no literal is, is the one value that arrives as a text.
    """
    if not isinstance(value, str):
        return _literal(value)
    return value if PLAIN.fullmatch(value) and not _is_literal(value) else repr(value)


def _literal(value: Any) -> str:
    """A value as a literal of Python; infinity as a number that is too large."""
    if isinstance(value, float) and math.isinf(value):
        return "1e999" if value > 0 else "-1e999"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_literal(one)}' for key, one in value.items())}}}"
    return repr(value)


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return False
    return True


def _setting(word: str) -> str:
    return word.partition("=")[0].partition(".")[0].strip()


def _default(name: str) -> str:
    from renaissance.settings.defaults import default_settings

    return as_word(default_settings()[name])
