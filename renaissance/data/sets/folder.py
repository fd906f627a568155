"""Any image-caption folder."""
from __future__ import annotations

from renaissance.data.kinds import Split
from renaissance.data.sets.interface import DataSet, PrepareOptions, TableNames, TableReport


class CaptionTables(DataSet):
    """A family of tables `<name>_{train,val,test}` in COCO's columns."""

    kinds = ("caption",)

    def __init__(self, name: str = "folder"):
        self.name = name

    def tables(self, kind: str, split: Split) -> TableNames:
        return TableNames(optional=(f"{self.name}_{split}",))

    def prepare(self, options: PrepareOptions) -> list[TableReport]:
        raise NotImplementedError
