"""Losses over a whole optimiser step, at the memory of one batch: the gradient cache.

A step-wide task compares all examples of a step with each other (`tasks/common/step_wide.py`), and a step may come in
several batches and on several devices. At its first batch the contributions of all its batches are computed, of the
following ones without what a backward pass needs, and gathered from all devices. The loss over them gives the gradient
at each, which is kept; when a batch's turn comes, its own are handed on to the model, in the trainer's ordinary
accumulation. So the gradient is that of one large batch, and each following batch is computed twice: with the same
dropout and augmentation, and only the second time with lasting traces (batch norm's statistics).

Source: GradCache, Gao et al., 2021, https://arxiv.org/abs/2101.06983.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from renaissance.errors import UserError
from renaissance.tasks.common.outcome import Outcome
from renaissance.tasks.common.step import Step
from renaissance.tasks.common.step_wide import StepWideTask
from renaissance.training.plan import Plan

Contributions = Mapping[str, Tensor]


@dataclass(frozen=True)
class _Kept:
    """The gradients of a task's loss that are to be handed on.

    Attributes:
        of_batches: of each batch that is still to come, those at its contributions (B, ...) by name.
        of_parameters: the task's parameters that the loss reads itself, such as a temperature, each with its own.
    """

    of_batches: deque[dict[str, Tensor]]
    of_parameters: list[tuple[nn.Parameter, Tensor]]


class StepWideLosses:
    """The losses of step-wide tasks in training, batch by batch.

    Args:
        plan: into how many batches and devices a step is cut.
        model: the encoder.
    """

    def __init__(self, plan: Plan, model: nn.Module) -> None:
        self._plan = plan
        self._model = model
        self._kept: dict[str, _Kept] = {}  # by task

    def of_batch(
        self, tasks: Mapping[str, StepWideTask], step: Step, following: Iterable[Step]
    ) -> tuple[dict[str, Outcome], dict[str, Tensor]]:
        """What to descend for a batch, and at a step's first batch what came of the whole step.

        To be called before anything else is computed of the batch: then dropout draws for its contributions what it
        drew when they were first looked at.

        Args:
            tasks: those that take the batch, by name.
            step: the batch.
            following: at a step's first batch, the other ones that this device takes in the step; dropout is seeded
                for each when it is asked for.

        Returns:
            by task the outcome over all examples of the step, on all devices; none at a step's later batches. And by
            task a scalar whose gradient is, in the mean over the step's batches and devices, that of the step's loss.

        Raises:
            UserError: a task does not contribute one row an example.
        """
        own = {name: _contributions(task, step) for name, task in tasks.items()}
        if self._plan.step_batches == 1:
            outcomes = {name: task.loss_over(own[name]) for name, task in tasks.items()}
            return outcomes, {name: outcome.loss for name, outcome in outcomes.items()}
        outcomes = {} if self._kept else self._begin(tasks, own, following)
        losses = {name: self._handed_on(kept, own[name]) for name, kept in self._kept.items()}
        if not any(kept.of_batches for kept in self._kept.values()):
            self._kept = {}
        return outcomes, losses

    def _begin(
        self, tasks: Mapping[str, StepWideTask], own: Mapping[str, Contributions], following: Iterable[Step]
    ) -> dict[str, Outcome]:
        """Compute the losses over the whole step, and keep their gradients; gives the outcomes by task."""
        batches = [own]
        if self._plan.accumulate > 1:
            with torch.no_grad(), _left_as_they_are(self._model, *tasks.values()), _random_state_kept():
                batches += [{name: _contributions(task, step) for name, task in tasks.items()} for step in following]
        assert len(batches) == self._plan.accumulate, "a part of the step would be compared within itself"
        outcomes = {}
        for name, task in tasks.items():
            outcomes[name], self._kept[name] = self._differentiated(task, [batch[name] for batch in batches])
        return outcomes

    def _differentiated(self, task: StepWideTask, batches: Sequence[Contributions]) -> tuple[Outcome, _Kept]:
        """A task's outcome over this device's batches and those of all others, and the gradients of its loss."""
        whole = {name: self._gathered(torch.cat([batch[name].detach() for batch in batches])) for name in batches[0]}
        features = {name: tensor for name, tensor in whole.items() if tensor.is_floating_point()}
        parameters = [parameter for parameter in task.parameters() if parameter.requires_grad]
        for feature in features.values():
            feature.requires_grad_()
        outcome = task.loss_over(whole)
        gradients = torch.autograd.grad(
            outcome.loss, [*features.values(), *parameters], allow_unused=True, materialize_grads=True
        )
        rank = torch.distributed.get_rank() if self._plan.world_size > 1 else 0
        own = [
            gradient.unflatten(0, (self._plan.world_size, len(batches), -1))[rank]  # (batches, B, ...)
            for gradient in gradients[: len(features)]
        ]
        of_batches = deque(dict(zip(features, of_batch, strict=True)) for of_batch in zip(*own, strict=True))
        of_parameters = list(zip(parameters, gradients[len(features) :], strict=True))
        return outcome, _Kept(of_batches, of_parameters)

    def _gathered(self, tensor: Tensor) -> Tensor:
        """The rows (N, ...) of this device to those of all W devices (W × N, ...); features in 32 bits at least.

        A gradient that is kept is not scaled up as those of 16-mixed are, so 16 bits could lose it.
        """
        if tensor.is_floating_point():
            tensor = tensor.to(torch.promote_types(tensor.dtype, torch.float32))
        if self._plan.world_size == 1:
            return tensor
        parts = [torch.empty_like(tensor) for _ in range(self._plan.world_size)]
        torch.distributed.all_gather(parts, tensor)
        return torch.cat(parts)

    def _handed_on(self, kept: _Kept, own: Contributions) -> Tensor:
        """A scalar with the kept gradients at a batch's contributions, and at the last batch at the task's parameters.

        A contribution is in one batch of one device, so what it brings is multiplied by their number, of which the
        trainer takes the mean. A parameter has its whole gradient on every device: it waits for the batch behind which
        the devices take their mean, and is multiplied by the number of batches alone.
        """
        gradients = kept.of_batches.popleft()
        pairs = [(own[name], gradient) for name, gradient in gradients.items()]
        loss = self._plan.step_batches * torch.stack([(value * gradient).sum() for value, gradient in pairs]).sum()
        if kept.of_batches:
            return loss if loss.requires_grad else loss + _zero_over(kept.of_parameters)
        for parameter, gradient in kept.of_parameters:
            loss = loss + self._plan.accumulate * (parameter * gradient).sum()
        return loss


def _zero_over(parameters: Sequence[tuple[nn.Parameter, Tensor]]) -> Tensor:
    """A zero with a backward pass, for a batch whose contributions have none: all that makes them is frozen."""
    return sum((0 * parameter.sum() for parameter, _ in parameters), start=torch.zeros(()))


def _contributions(task: StepWideTask, step: Step) -> Contributions:
    """What a task's loss needs of a batch.

    Raises:
        UserError: it is not one row an example, so what is joined of several batches could not be told apart.
    """
    contributions = task.contribute(step)
    for name, tensor in contributions.items():
        if len(tensor) != step.batch.examples:
            raise UserError(
                f"{task.name}: `contribute` gave {len(tensor)} rows of {name!r} for {step.batch.examples} examples; "
                "it should give one for each."
            )
    return contributions


@contextmanager
def _left_as_they_are(*modules: nn.Module) -> Iterator[None]:
    """Within the block the modules' buffers are copies, so that what changes in them is forgotten.

    The buffers themselves are not written to, since a backward pass may still need them.
    """
    own = [(part, dict(part.named_buffers(recurse=False))) for module in modules for part in module.modules()]
    try:
        for part, buffers in own:
            for name, buffer in buffers.items():
                setattr(part, name, buffer.clone())
        yield
    finally:
        for part, buffers in own:
            for name, buffer in buffers.items():
                setattr(part, name, buffer)


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """Behind the block random numbers go on as if nothing had been drawn in it."""
    gpus = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=gpus):
        yield
