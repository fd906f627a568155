"""The classes of a table: their names, and one numbering for tables that name them in different orders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from renaissance.errors import UserError


def class_map(
    path: Path, own: Sequence[str] | None, names: Sequence[str] | None, whose: str
) -> NDArray[np.int64] | None:
    """The number in `names` of each of a table's classes (C,); None where they have the same numbers.

    Args:
        path: the table.
        own: its classes; None where it names none.
        names: the classes as they are numbered.
        whose: begins the reason in messages, such as "the checkpoint has".

    Raises:
        UserError: the table has a class that is not among them, or only one of the two has names.
    """
    if own == names or (own is not None and names is not None and list(names[: len(own)]) == list(own)):
        return None
    unknown = [] if own is None or names is None else [name for name in own if name not in names]
    if own is None or names is None or unknown:
        reason = f"{', '.join(unknown)} is unknown there" if unknown else "without names they cannot be told apart"
        raise UserError(
            f"{path} has the classes {own}, but {whose} {names}: {reason}. Classes are matched by their names, "
            "in any order; a table may lack some, but has no other ones. Prepare it again with the same classes."
        )
    return np.array([list(names).index(name) for name in own], np.int64)
