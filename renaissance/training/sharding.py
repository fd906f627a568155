"""Fully sharded data parallel training: every device keeps a share of weights, gradients and the optimiser's state.

Comes in: a training module on each device, with equal weights. Goes out: Lightning's strategy for it. A layer's weights
are gathered when its turn comes and let go behind it, forwards and backwards. Validations and tests gather all weights
first, since devices may have different numbers of batches then, and the main one draws sheets alone. Checkpoints are
those of one device, whatever wrote them; or every device writes its share, which one device can read again
(`renaissance/checkpoints/shards.py`).

Source: ZeRO stage 3, Rajbhandari et al., 2020, https://arxiv.org/abs/1910.02054, by PyTorch's `fully_shard`,
https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, Shard, distribute_tensor
from torch.optim import Optimizer

from renaissance.checkpoints.files import finish_shards, write_shard
from renaissance.checkpoints.shards import Cut, Share
from renaissance.errors import RunError
from renaissance.training.module import TrainingModule

STEPS = ("training_step", "validation_step", "test_step")


class ShardedStrategy(DDPStrategy):
    """Shares a training module among the devices. Single numbers, such as a temperature, are on all of them.

    Args:
        in_shards: each device writes its share of a checkpoint; otherwise the main one writes all of it.
    """

    def __init__(self, in_shards: bool = False) -> None:
        super().__init__()
        self._in_shards = in_shards

    @property
    def restore_checkpoint_after_setup(self) -> bool:
        """A checkpoint's weights are cut as the model's are, which `setup` does."""
        return True

    @property
    def module(self) -> TrainingModule:
        """What is trained."""
        return cast(TrainingModule, self.lightning_module)

    def setup(self, trainer: pl.Trainer) -> None:
        """Share the module out, and make the optimiser of what is this device's."""
        assert self.accelerator is not None
        self.accelerator.setup(trainer)
        self.precision_plugin.convert_module(self.module)
        self.model_to_device()
        if not isinstance(self.module, FSDPModule):
            shard(self.module, self.root_device.type, self.world_size)
        if trainer.state.fn == TrainerFn.FITTING:
            self.setup_optimizers(trainer)
        self.setup_precision_plugin()

    def post_backward(self, closure_loss: Tensor) -> None:
        """Take the devices' mean of the gradients that are on all of them."""
        for parameter in self.module.parameters():
            if not isinstance(parameter, DTensor) and parameter.grad is not None:
                torch.distributed.all_reduce(parameter.grad)
                parameter.grad /= self.world_size

    # Evaluation

    def on_validation_start(self) -> None:
        self._gather()

    def on_test_start(self) -> None:
        self._gather()

    def on_validation_end(self) -> None:
        self._share()

    def on_test_end(self) -> None:
        self._share()

    def _gather(self) -> None:
        """Have all weights on every device, so that none waits for another."""
        for module in self._sharded():
            module.set_reshard_after_forward(False, recurse=False)
            module.unshard()

    def _share(self) -> None:
        """Let go of what is another device's."""
        for module in self._sharded():
            module.set_reshard_after_forward(not isinstance(module, TrainingModule), recurse=False)
            module.reshard()

    def _sharded(self) -> Iterator[FSDPModule]:
        return (module for module in self.module.modules() if isinstance(module, FSDPModule))

    def teardown(self) -> None:
        """Leave the module where it is: a share has no place elsewhere."""
        assert self.cluster_environment is not None
        assert self.accelerator is not None
        self.precision_plugin.teardown()
        self.accelerator.teardown()
        self.cluster_environment.teardown()

    # Checkpoints

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """All weights, on the main process's CPU; the others give their shares. Or this device's share of each."""
        self._share()
        return self._written(self.module.state_dict())

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        """Take this device's share of a checkpoint's weights, which every device has read."""
        self._share()
        given = checkpoint["state_dict"]
        own = {name: _share_of(given[name], like) for name, like in self.module.state_dict().items() if name in given}
        self.module.load_state_dict(own, strict=strict)

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """An optimiser's state, whole or this device's, with the numbers that one device gives its parameters."""
        held = {parameter: group for group in optimizer.param_groups for parameter in group["params"]}
        state: dict[int, Any] = {}
        groups: list[dict[str, Any]] = []
        number = 0
        for group in self.module.optimizer_groups():
            parameters = group["params"]
            for place, parameter in enumerate(parameters, start=number):
                state[place] = self._written(optimizer.state[parameter])
            numbers = list(range(number, number + len(parameters)))
            groups.append({**held[parameters[0]], "params": numbers})
            number += len(parameters)
        return {"state": state, "param_groups": groups}

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """Take this device's share of the states of optimisers that one device has numbered."""
        groups = self.module.optimizer_groups()
        parameters = [parameter for group in groups for parameter in group["params"]]
        for optimizer, given in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            numbers = [number for group in given["param_groups"] for number in group["params"]]
            of_parameter = dict(zip(parameters, numbers, strict=True))
            own = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            state = {
                place: {name: _share_of(value, parameter) for name, value in values.items()}
                for place, parameter in enumerate(own)
                if (values := given["state"].get(of_parameter[parameter])) is not None
            }
            optimizer.load_state_dict({**optimizer.state_dict(), "state": state})

    def save_checkpoint(self, checkpoint: dict[str, Any], filepath: Any, storage_options: Any = None) -> None:
        """Write a checkpoint, on all devices together.

        Raises:
            DiskFull: there is no room for it.
            RunError: another device could not write its share.
        """
        if not self._in_shards:
            super().save_checkpoint(checkpoint, filepath, storage_options)
            return
        path, write = Path(filepath), self.broadcast(uuid.uuid4().hex)
        fault: Exception | None = None
        try:
            write_shard(checkpoint, path, write, self.global_rank)
        except Exception as error:  # whatever it is, the others must not wait for this one
            fault = error
        failed = self.reduce_boolean_decision(fault is not None, all=False)
        if fault is not None:
            raise fault
        if failed:
            raise RunError(f"{path}: another process of this run could not write its share of this checkpoint.")
        if self.is_global_zero:
            finish_shards(checkpoint, path, write, self.world_size)

    def _written(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values as they are written."""
        return {name: _share(value) for name, value in values.items()} if self._in_shards else self._whole(values)

    def _whole(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values of which all devices have shares, put together; kept by the main process alone."""
        whole = {}
        for name, value in values.items():
            full = value.full_tensor() if isinstance(value, DTensor) else value
            if self.is_global_zero:
                whole[name] = full.detach().cpu() if isinstance(full, Tensor) else full
        return whole


def shard(module: nn.Module, device: str, world_size: int) -> None:
    """Cut a module among the devices: its layers one by one, then the rest together.

    Args:
        module: the same on each device.
        device: "cuda" or "cpu".
        world_size: devices.
    """
    mesh = init_device_mesh(device, (world_size,))
    scalars = {parameter for parameter in module.parameters() if parameter.ndim == 0}
    layers = [child for one in module.modules() if isinstance(one, nn.ModuleList) for child in one.children()]
    for layer in reversed(layers):  # what is within others first
        if any(parameter not in scalars for parameter in layer.parameters()):
            fully_shard(layer, mesh=mesh, ignored_params=scalars)
    fully_shard(module, mesh=mesh, ignored_params=scalars)
    for step in STEPS:
        register_fsdp_forward_method(module, step)


def _share(value: Any) -> Any:
    """What this device has of a value, on the CPU and with no memory beside its own."""
    if not isinstance(value, DTensor):
        return value.detach().cpu() if isinstance(value, Tensor) else value
    assert value.placements == (Shard(0),)
    return Share(value.to_local().detach().to("cpu", copy=True).contiguous(), tuple(value.shape))


def _share_of(value: Any, like: Tensor) -> Any:
    """This device's share of a value, cut as `like` is; of a value that is of no such shape all of it."""
    if isinstance(value, Cut):
        if not isinstance(like, DTensor) or value.shape != tuple(like.shape) or like.placements != (Shard(0),):
            return _share_of(value.whole(), like)
        each = -(-len(like) // like.device_mesh.size())  # the last devices have fewer, or none
        start = min(each * like.device_mesh.get_local_rank(), len(like))
        rows = value.rows(start, len(like.to_local())).to(like.device)
        return DTensor.from_local(
            rows, like.device_mesh, like.placements, run_check=False, shape=like.shape, stride=like.stride()
        )
    if not isinstance(value, Tensor) or not isinstance(like, DTensor) or value.shape != like.shape:
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements, src_data_rank=None)
