"""The folder that `export` writes: whole or not at all, in any form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from renaissance.atomic_files import whole_folder
from renaissance.errors import UserError
from renaissance.settings.schema import Settings


@contextmanager
def export_folder(settings: Settings) -> Iterator[Path]:
    """A temporary folder, which becomes `export_dir` when the block ends well.

    Raises:
        UserError: it cannot be written.
    """
    assert settings.export_dir is not None
    try:
        with whole_folder(Path(settings.export_dir).absolute()) as temporary:
            yield temporary
    except OSError as error:
        raise UserError(f"export_dir={settings.export_dir!r}: cannot be written ({error.strerror or error})") from error
