"""`Settings`: everything a run is told, typed, checked and frozen; and the groups of it that are read together.

Comes in: the configuration that Sacred resolved, through `check_settings`. Goes out: attributes under the same names as
in `config.py`, which alone holds the defaults and says what each setting means. Each group (`groups/`) is a section of
that file. Here bases stand in the reverse of its order, since pydantic takes the fields of the last one first.
"""

from __future__ import annotations

from renaissance.settings.groups.commands import (
    ChosenRunsSettings,
    CompareSettings,
    DashboardSettings,
    DataSetSettings,
    ExportSettings,
    PlotSettings,
    PredictSettings,
    PrepareSettings,
    ProbeSettings,
    RejectedSettings,
    ReportSettings,
    RunsSettings,
    SearchSettings,
    ServeSettings,
    SplitSettings,
    ZeroshotSettings,
)
from renaissance.settings.groups.curves import CurveSettings
from renaissance.settings.groups.experiment import (
    DataSettings,
    ExperimentSettings,
    MachineSettings,
    ManyDevicesSettings,
    SeedSettings,
    StartSettings,
    TrackingSettings,
)
from renaissance.settings.groups.inputs import ImageSettings, TextSettings
from renaissance.settings.groups.model import (
    ArchitectureSettings,
    FuserSettings,
    ImageTowerSettings,
    OneTowerSettings,
    TextDecoderSettings,
    TextTowerSettings,
)
from renaissance.settings.groups.run_sets import SeedSetSettings, SubmitSettings, SweepSettings
from renaissance.settings.groups.tasks import (
    AttributionSettings,
    CaptionSettings,
    ContrastiveSettings,
    RegularisationSettings,
    TaskSettings,
)
from renaissance.settings.groups.training import BatchSettings, LengthSettings, OptimizerSettings


class TableSettings(RejectedSettings, PrepareSettings, DataSetSettings, DataSettings, SeedSettings):
    """Which tables are read, and how those of the built-in sample set are drawn where they are missing."""


class ModelSettings(
    ImageSettings,
    TextDecoderSettings,
    FuserSettings,
    TextSettings,
    TextTowerSettings,
    ImageTowerSettings,
    OneTowerSettings,
    ArchitectureSettings,
    StartSettings,
):
    """What a model is built from."""


class ModelAndTaskSettings(
    ModelSettings,
    RegularisationSettings,
    CaptionSettings,
    ContrastiveSettings,
    TaskSettings,
    SeedSettings,
):
    """What a task may depend on: its own settings, the model's, and where random choices start."""


class DeviceSettings(ManyDevicesSettings, MachineSettings):
    """Which processors a run uses, and how many processes it is."""


class UpdateSettings(OptimizerSettings, DeviceSettings):
    """How weights are changed, and in what arithmetic."""


class StepSettings(UpdateSettings, RegularisationSettings, TaskSettings, SeedSettings, ExperimentSettings):
    """What a training step depends on, beside its model, its tasks and its examples."""


class MonitorSettings(LengthSettings, TaskSettings):
    """What tells the best checkpoint: a metric that is named, or else one of the tasks."""


class Settings(
    MonitorSettings,
    TableSettings,
    StepSettings,
    ModelAndTaskSettings,
    SubmitSettings,
    SweepSettings,
    SeedSetSettings,
    ServeSettings,
    SplitSettings,
    SearchSettings,
    ZeroshotSettings,
    ProbeSettings,
    PredictSettings,
    RejectedSettings,
    ExportSettings,
    DashboardSettings,
    ReportSettings,
    PlotSettings,
    CompareSettings,
    RunsSettings,
    ChosenRunsSettings,
    PrepareSettings,
    DataSetSettings,
    CurveSettings,
    LengthSettings,
    OptimizerSettings,
    ImageSettings,
    TextDecoderSettings,
    FuserSettings,
    TextSettings,
    TextTowerSettings,
    ImageTowerSettings,
    OneTowerSettings,
    ArchitectureSettings,
    BatchSettings,
    ManyDevicesSettings,
    MachineSettings,
    StartSettings,
    RegularisationSettings,
    AttributionSettings,
    CaptionSettings,
    ContrastiveSettings,
    TaskSettings,
    DataSettings,
    SeedSettings,
    TrackingSettings,
    ExperimentSettings,
):
    """A valid configuration. Make one with `check_settings`, which reports every fault at once."""
