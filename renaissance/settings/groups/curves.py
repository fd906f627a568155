"""How curves are drawn."""

from __future__ import annotations

from renaissance.settings import value_types
from renaissance.settings.groups.group import SettingsGroup
from renaissance.settings.on_resume import NoEffect


class CurveSettings(SettingsGroup):
    """The form of pictures, what they are drawn over, and how smooth."""

    plot_formats: NoEffect[value_types.PlotFormats]
    plot_smoothing: NoEffect[value_types.Rate]
    plot_x: NoEffect[value_types.PlotAxis]
