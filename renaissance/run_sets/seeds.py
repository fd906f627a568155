"""The same configuration once for each seed: trained, tested, and put together in a table.

Comes in: settings with `seeds`, and the command line. Goes out: a run folder for each seed, and in the set's folder
`results.csv`, with the mean, spread and 95 % confidence interval of each metric.
"""

from __future__ import annotations

from renaissance.errors import RunError, UserError
from renaissance.run_sets.command_line import CommandLine, check_several
from renaissance.run_sets.launchers.choice import launcher_of
from renaissance.run_sets.member import Member, State
from renaissance.run_sets.objective import Objective
from renaissance.run_sets.scheduler import MISTAKE, Scheduler
from renaissance.run_sets.seeds_table import write_table
from renaissance.run_sets.set_folder import RunSet, identity_of, set_to_go_on_with
from renaissance.settings import Settings, check_settings
from renaissance.tracking.drawing.run_curves import Look

KIND = "seeds"  # the folder under log_dir


class SeedSource:
    """The runs of a set of seeds, in the order of `seeds`; each that has not finished is tried once.

    Args:
        members: the runs.
    """

    def __init__(self, members: list[Member]) -> None:
        self._members = members
        self._tried: set[str] = set()

    def next(self) -> Member | None:
        """The next seed's run."""
        for member in self._members:
            if member.name not in self._tried and member.state not in (State.FINISHED, State.RUNNING):
                self._tried.add(member.name)
                return member
        return None

    def validated(self, member: Member, step: int, value: float) -> bool:
        """Nothing is given up."""
        return False

    def ended(self, member: Member, status: int) -> None:
        """Others go on when one fails; but what was wrong in what was given is wrong for all.

        Raises:
            UserError: that is so.
        """
        if status == MISTAKE:
            raise UserError(member.problem)


def run_seeds(settings: Settings, command_line: CommandLine) -> None:
    """Train and test with each seed, and show what came of all.

    Args:
        settings: checked for a training, with `seeds`.
        command_line: the set's.

    Raises:
        UserError: for a mistake in what the user gave.
        RunError: a run failed; the others have gone on.
        Interrupted: after Ctrl-C or SIGTERM, when the runs have saved their states.
    """
    assert settings.seeds is not None
    check_several(settings, command_line, "seeds")
    # A training that goes on is checked for less, and a set that goes on may be a new one.
    check_settings({**settings.model_dump(), "resume_from": None}, "train")
    run_set = _set_of(settings, command_line)
    with run_set.at_work():
        _work_through(settings, command_line, run_set)


def _set_of(settings: Settings, command_line: CommandLine) -> RunSet:
    """The set that goes on, with its runs; or a new one."""
    assert settings.seeds is not None
    identity = identity_of(settings, ["seed"])
    wanted = [Member(f"seed {seed}", {"seed": seed}) for seed in settings.seeds]

    def is_done(found: RunSet) -> bool:
        finished = {member.name for member in found.members if member.state is State.FINISHED}
        return found.status == "finished" and finished >= {member.name for member in wanted}

    run_set = set_to_go_on_with(settings, KIND, identity, is_done, command_line.of_set())
    known = {member.name: member for member in run_set.members}
    run_set.members = [known.pop(member.name, member) for member in wanted] + list(known.values())
    return run_set


def _work_through(settings: Settings, command_line: CommandLine, run_set: RunSet) -> None:
    assert settings.seeds is not None
    objective = Objective.of_settings(settings)
    launcher = launcher_of(settings, run_set, command_line)
    members = run_set.members[: len(settings.seeds)]
    print(f"{len(members)} seeds, {min(settings.runs_at_once, len(members))} at once: {run_set.path}")
    where = settings.log_dir, settings.exp_name
    source = SeedSource(members)
    ended = "stopped"
    try:
        Scheduler(run_set, source, launcher, objective, settings.runs_at_once, where, len(members)).run()
        ended = "finished" if all(member.state is State.FINISHED for member in members) else "failed"
    finally:
        run_set.status = ended
        run_set.save()
    finished = [member for member in members if member.state is State.FINISHED]
    if finished:
        write_table(run_set, finished, objective, Look.of_settings(settings))
    print(f"set of seeds: {run_set.path}")
    failed = [member for member in members if member.state is not State.FINISHED]
    if failed:
        raise RunError(failures_in_words(run_set, failed, len(members)))


def failures_in_words(run_set: RunSet, failed: list[Member], total: int) -> str:
    """Which runs failed, what each said last, and how to go on."""
    lines = [f"{len(failed)} of {total} runs failed:"]
    for member in failed:
        said = member.problem.strip().splitlines()
        lines.append(f"  * {member.name}: {said[-1] if said else 'it said nothing'} ({run_set.output_of(member)})")
    return "\n".join([*lines, "The same command with resume_from=auto keeps what has finished and goes on with these."])
