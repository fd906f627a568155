"""The command `search`: the images, and for an image the captions too, that go best with a text or an image.

Comes in: `load_path`, `query`, and the tables of `dataset` (or of the checkpoint's data sets) under `data_root`. Goes
out: the matches on the terminal and in a new numbered folder `<log_dir>/searches/<n>`: results.json, matches.csv and a
contact sheet. Features of a table are kept beside it (`store.py`).
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from renaissance.atomic_files import write_csv, write_json
from renaissance.data.examples.interface import TRAIN, VAL
from renaissance.data.examples.schema import CAPTIONS
from renaissance.data.examples.tables import TableExamples
from renaissance.data.images.decode import BadImage, open_image
from renaissance.data.images.files import read_image_file
from renaissance.data.tables.find import find_tables, sets_without, splits_there
from renaissance.errors import UserError
from renaissance.inference.features import device_of
from renaissance.inference.model import Model, load
from renaissance.inference.search.matches import Found, best_matches
from renaissance.inference.search.sheet import MOST_ON_SHEET, SIDE, Cell, draw_sheet
from renaissance.inference.search.store import NEEDS, FeatureStore, Side
from renaissance.settings import Settings
from renaissance.text_table import printable, text_table
from renaissance.tracking.run_folder import check_writable, new_numbered_folder

FOLDER = "searches"  # under log_dir
COLUMNS = ("match", "score", "image", "caption")


@dataclass(frozen=True)
class Match:
    """Something that goes well with the query.

    Attributes:
        match: "image 1", "caption 2" and so on, the best first.
        score: its cosine with the query.
        image: the image's id.
        caption: the caption that was found, or the first of the image that was.
        where: the table and the row.
    """

    match: str
    score: float
    image: str
    caption: str
    where: str


def search(settings: Settings) -> Path:
    """Find what goes best with the query.

    Args:
        settings: checked for the command `search`.

    Returns:
        the new folder.

    Raises:
        UserError: the checkpoint has no joint space, the query's image cannot be read, or there are no such tables.
    """
    assert settings.query is not None
    model = load(settings.load_path, device_of(settings))
    model.joint_space()
    check_writable(Path(settings.log_dir) / FOLDER, f"log_dir={settings.log_dir}")
    shown = _shown(settings.query)
    print(f"searching for the {'text' if shown is None else 'image file'} {printable(settings.query)}")
    query = (model.embed_text([settings.query]) if shown is None else model.embed_image([shown]))[0].numpy()
    split, paths = tables_to_search(model, settings)
    store = FeatureStore(model, settings)
    tables = [SearchedTable(path) for path in paths]
    matches, cells = [], []
    sides: tuple[Side, ...] = ("images",) if shown is None else ("images", "captions")
    for side in sides:
        found: list[Found] = []
        for number, path in enumerate(paths):
            if not tables[number].size(side):
                continue
            with store.features(path, side) as features:
                found += best_matches(query, features, number, settings.num_matches)
        best = heapq.nsmallest(settings.num_matches, found)
        matches += [tables[one.table].match(f"{side[:-1]} {place}", one, side) for place, one in enumerate(best, 1)]
        if side == "images":
            cells = _cells(best, matches, tables)
    if shown is not None:
        cells.insert(0, Cell(open_image(shown, SIDE), "the query", Path(settings.query).name))
    number = sum(table.images.rows for table in tables)
    print(f"{number:,} images of {', '.join(str(path) for path in paths)}")
    print(text_table(COLUMNS, [(one.match, one.score, one.image, one.caption) for one in matches]))
    folder = new_numbered_folder(Path(settings.log_dir) / FOLDER, f"log_dir={settings.log_dir}")
    _write(folder, matches, cells, split, paths, settings)
    print(f"search: {folder}")
    return folder


def _shown(query: str) -> bytes | None:
    """The image file that a query names; None where it is a text.

    Raises:
        UserError: it cannot be read.
    """
    if not os.path.isfile(query):
        return None
    data = read_image_file(Path(query), "query")
    try:
        open_image(data)
    except BadImage as error:
        raise UserError(f"query: {query}: the image cannot be read: {error}") from None
    return data


def tables_to_search(model: Model, settings: Settings) -> tuple[str, list[Path]]:
    """The split and the tables of images with captions; says which data sets have none.

    Args:
        model: whose run's data sets are searched where the settings name none.
        settings: of the command.

    Raises:
        UserError: there are none.
    """
    wanted = [settings.dataset] if settings.dataset is not None else list(model.settings.datasets)
    unread = sets_without(settings.model_copy(update={"datasets": wanted}), [CAPTIONS.name])
    named = [name for name in wanted if name not in unread] or wanted
    own = settings.model_copy(update={"datasets": named})
    there = splits_there(own, CAPTIONS.name)
    if settings.split is not None and settings.split not in there:
        raise UserError(f"split={settings.split!r}: {', '.join(named)} has {', '.join(there) or 'no tables'} there")
    further = [split for split in there if split not in (TRAIN, VAL)]
    split = settings.split or next(iter([*further, *there[::-1]]), VAL)
    tables = find_tables(own, CAPTIONS.name, split)
    left = [name for name in wanted if name not in tables.values()]
    if left:
        print(f"nothing is searched of {', '.join(left)}: no {split} table of images with captions")
    return split, list(tables)


class SearchedTable:
    """A table's images and captions, by the numbers that their features have.

    Args:
        path: of the table.

    Attributes:
        images: its rows.
        captions: its texts.
    """

    def __init__(self, path: Path) -> None:
        self.images = TableExamples([path], NEEDS["images"])
        self.captions = TableExamples([path], NEEDS["captions"])

    def size(self, side: Side) -> int:
        """How many images, or captions, it has."""
        return len(self.images if side == "images" else self.captions)

    def match(self, name: str, found: Found, side: Side) -> Match:
        """What is said of a match; an image without captions has an empty one."""
        row = found.place if side == "images" else self.captions.row_of(found.place)
        captions = self.captions.of_row(row)[:1] if side == "images" else [found.place]
        words = [self.captions.value(number, "text") for number in captions]
        image = str(self.images.value(row, "id"))
        return Match(name, found.score, image, " ".join(words), self.images.where(row))


def _cells(best: Sequence[Found], matches: Sequence[Match], tables: Sequence[SearchedTable]) -> list[Cell]:
    """The pictures of matches, for the sheet."""
    cells = []
    for place, (found, match) in enumerate(zip(best[:MOST_ON_SHEET], matches, strict=False), 1):
        picture = open_image(tables[found.table].images.value(found.place, "image"), SIDE)
        cells.append(Cell(picture, f"{place}: {match.score:.3f}", match.caption))
    return cells


def _write(
    folder: Path, matches: Sequence[Match], cells: Sequence[Cell], split: str, paths: Sequence[Path], settings: Settings
) -> None:
    """Everything that the folder holds."""
    asked = {name: getattr(settings, name) for name in ("query", "load_path", "dataset", "data_root", "num_matches")}
    told = {"split": split, "tables": [str(path) for path in paths], "matches": [asdict(one) for one in matches]}
    write_json(folder / "results.json", {**asked, **told})
    rows = [(one.match, one.score, one.image, one.caption, one.where) for one in matches]
    write_csv(folder / "matches.csv", (*COLUMNS, "where"), rows)
    lines = [f"{one.match} ({one.score:.3f}): {one.caption}" for one in matches if one.match.startswith("caption")]
    draw_sheet(f"query: {settings.query}", cells, lines, folder / "sheet.png")
