"""How the devices of a run share its work: Lightning's strategy for `strategy`.

Comes in: the settings and the devices. Goes out: "auto" for one device, or a strategy for several.
"""

from __future__ import annotations

from pytorch_lightning.strategies import DDPStrategy, Strategy

from renaissance.settings.schema import DeviceSettings
from renaissance.training.devices import Devices
from renaissance.training.sharding import ShardedStrategy


def strategy_of(settings: DeviceSettings, devices: Devices, takes_turns: bool) -> Strategy | str:
    """The strategy of a run.

    Args:
        settings: the run's.
        devices: the processors.
        takes_turns: steps are of different tasks in turn, so that a step leaves the parts of the others alone.
    """
    if devices.world_size == 1:
        return "auto"
    if shares_out(settings, devices):
        return ShardedStrategy(in_shards=settings.fsdp_checkpoints == "sharded")
    return _replicated(takes_turns)


def shares_out(settings: DeviceSettings, devices: Devices) -> bool:
    """Whether each device keeps a share of weights and optimiser state, rather than all."""
    return settings.strategy == "fsdp" and devices.world_size > 1


def _replicated(takes_turns: bool) -> DDPStrategy:
    """Data parallel training: every device has the whole model.

    Unused parameters are looked for at each step only where steps differ in what they use: what no step uses has no
    gradients (`VisionLanguageEncoder.leave_unreached`). Buffers are not sent around at each step: in evaluation devices
    may take different numbers of batches, and would wait for each other for ever.
    """
    return DDPStrategy(find_unused_parameters=takes_turns, broadcast_buffers=False)
