"""Searches over prepared tables that are kept open: the features of all their images are computed when a server starts.

In: a model with a joint space and the tables of `dataset`. Out: the rows whose images go best with a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from renaissance.inference.model import Model
from renaissance.inference.search.matches import Found, best_matches
from renaissance.inference.search.search import SearchedTable, tables_to_search
from renaissance.inference.search.store import Features, FeatureStore
from renaissance.settings import Settings


@dataclass(frozen=True)
class Row:
    """An image of the tables.

    Attributes:
        row: its number over all tables.
        score: its cosine with what was searched for.
        captions: its captions.
    """

    row: int
    score: float
    captions: list[str]


class Searcher:
    """Finds images of tables.

    Args:
        tables: the tables, one or more.
        features: (N, E) of each table's images.
    """

    def __init__(self, tables: Sequence[SearchedTable], features: Sequence[Features]) -> None:
        self._tables = list(tables)
        self._features = list(features)
        self._starts = np.cumsum([0, *(table.size("images") for table in tables)]).tolist()

    @classmethod
    def of_settings(cls, model: Model, settings: Settings, stack: ExitStack) -> Searcher:
        """One over the tables that the settings name.

        Args:
            model: with a joint space.
            settings: of the command.
            stack: closes the features at the end.

        Raises:
            UserError: there are no such tables.
        """
        _, paths = tables_to_search(model, settings)
        store = FeatureStore(model, settings)
        tables = [(path, SearchedTable(path)) for path in paths]
        there: list[tuple[Path, SearchedTable]] = [(path, table) for path, table in tables if table.size("images")]
        features = [stack.enter_context(store.features(path, "images")) for path, _ in there]
        return cls([table for _, table in there], features)

    @property
    def rows(self) -> int:
        """How many images there are."""
        return int(self._starts[-1])

    def search(self, query: Sequence[float], number: int) -> list[Row]:
        """The best images, the best first.

        Args:
            query: (E,) of length 1.
            number: how many.
        """
        vector = np.asarray(query, np.float32)
        found: list[Found] = []
        for table, features in enumerate(self._features):
            found += best_matches(vector, features, table, number)
        return [self._row(one) for one in sorted(found)[:number]]

    def _row(self, found: Found) -> Row:
        captions = self._tables[found.table].captions
        texts = [str(captions.value(index, "text")) for index in captions.of_row(found.place)]
        return Row(self._starts[found.table] + found.place, found.score, texts)

    def image(self, row: int) -> bytes | None:
        """The file of an image; None where there is no such row."""
        if not 0 <= row < self.rows:
            return None
        table = int(np.searchsorted(self._starts, row, side="right")) - 1
        data: bytes = self._tables[table].images.value(row - self._starts[table], "image")
        return data
