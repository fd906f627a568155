"""A trained model for use in Python: `renaissance.load(<checkpoint>)`, without its data and without Lightning.

    model = renaissance.load("result/quickstart/1/checkpoints/best.ckpt")
    model.predict([{"image": "scene.png", "text": "a red circle above a blue square"}])

In: a checkpoint file, and pictures and texts in lists. Out: features, what its tasks say of examples, captions. Nothing
is fetched, and what comes out for an example does not depend on the others in its batch.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from renaissance.checkpoints.checkpoint import read_checkpoint
from renaissance.checkpoints.restore import Restored, restore
from renaissance.data.batches.batch import Batch
from renaissance.data.images.pixels import Pixels
from renaissance.data.images.transform import ImageTransform
from renaissance.errors import UserError
from renaissance.inference.alone import starts_of, steps_alone
from renaissance.inference.inputs import Example, Picture, listed
from renaissance.inference.predictor import Predictor
from renaissance.plugins import load_plugins
from renaissance.tasks.common.joint_space import JointSpace
from renaissance.tasks.common.step import Step, pooled
from renaissance.tasks.common.task import Input, Task
from renaissance.tasks.common.writer import GrowingWriter, Writer

BATCH_SIZE = 64


def load(
    path: str | os.PathLike[str], device: str | torch.device = "cpu", plugins: Sequence[str | os.PathLike[str]] = ()
) -> Model:
    """A trained model out of a checkpoint file, wherever that lies.

    Example:
        >>> model = renaissance.load("result/quickstart/1/checkpoints/best.ckpt")
        >>> model.encode_text(["a red circle above a blue square"]).shape
        torch.Size([1, 96])

    Args:
        path: a checkpoint that a run wrote, such as best.ckpt.
        device: where the model computes, such as "cpu" or "cuda".
        plugins: the plug-ins that define its tasks or encoders: files, relative to the current folder, or modules.
            Their code is run. A checkpoint remembers which it needs, and never has them imported by itself.

    Raises:
        UserError: the file is missing, damaged, or is none that this version can use; there is no such device; a
            plug-in is missing or cannot be imported.
    """
    if isinstance(plugins, str | os.PathLike):
        plugins = [plugins]
    load_plugins(os.fspath(plugin) for plugin in plugins)
    checkpoint = read_checkpoint(os.fspath(path))
    for remark in checkpoint.remarks:
        print(remark, file=sys.stderr)
    return Model(restore(checkpoint), device)


class Model:
    """A trained model: an encoder with the tasks it was trained on, in evaluation mode.

    Shapes: N texts, images or examples, D the width of a pooled vector.

    Args:
        restored: what `checkpoints.restore` made of a checkpoint.
        device: where to compute.

    Attributes:
        settings: its run's settings.
        device: where it computes.
        encoder: the vision-language encoder, a PyTorch module.
        tasks: its tasks by name, PyTorch modules.
        text: the tokenizer; None where it reads no texts.
        transform: makes pixels of an image file; None where it looks at no images.
        statistics: mean, std and interpolation of the images; None where it looks at none.
        label_names: the classes by task, of those that tell classes apart.
        inputs: what an example must have for each task, by task.
        scale: what similarities in the joint space are multiplied with, before a softmax over candidates or, with a
            bias, a sigmoid of each pair; None where the model has no joint space.
        bias: what is added to scaled similarities before that sigmoid; None where it was not trained with one.
    """

    def __init__(self, restored: Restored, device: str | torch.device = "cpu") -> None:
        self.settings = restored.settings
        self.device = _device(device)
        self.encoder = restored.model.to(self.device)
        self.tasks: dict[str, Task] = {name: task.to(self.device) for name, task in restored.tasks.items()}
        self.text = restored.text
        self.transform: ImageTransform | None = None
        self.to_pixels: Pixels | None = None
        self.statistics = statistics = restored.image_statistics
        if statistics is not None:
            self.transform = ImageTransform.of_settings(self.settings, statistics, training=False, captioned=True)
            self.to_pixels = Pixels(statistics, self.settings.randaugment_magnitude).to(self.device)
        self.label_names: dict[str, list[str]] = restored.label_names
        self.inputs: dict[str, tuple[Input, ...]] = {name: task.inputs() for name, task in self.tasks.items()}
        self._predictors: dict[tuple[str, ...], Predictor] = {}
        self._joint = next((task for task in self.tasks.values() if isinstance(task, JointSpace)), None)
        self.scale: float | None = None if self._joint is None else self._joint.scale
        self.bias: float | None = None if self._joint is None else self._joint.bias

    def encode_text(self, texts: Iterable[str], batch_size: int = BATCH_SIZE) -> Tensor:
        """One vector a text, pooled as in training on texts alone.

        Args:
            texts: N texts; what is longer than the model's texts is cut as in training.
            batch_size: texts at once.

        Returns:
            (N, D) float32 on the CPU.

        Raises:
            UserError: naming the text at fault; or the model reads no texts.
        """
        if self.text is None or not self.encoder.text_size:
            raise UserError(f"This model reads no texts: it was trained on {', '.join(self.tasks)}.")
        vectors = self._vectors(listed(texts, "texts"), "text", batch_size, pooled)
        return torch.cat([torch.empty(0, self.encoder.text_size), *vectors])

    def encode_image(self, images: Iterable[Picture], batch_size: int = BATCH_SIZE) -> Tensor:
        """One vector an image, pooled as in training on images alone.

        Args:
            images: N paths, bytes of image files, or PIL images.
            batch_size: images at once.

        Returns:
            (N, D) float32 on the CPU.

        Raises:
            UserError: naming the image at fault; or the model looks at no images.
        """
        if self.transform is None:
            raise UserError(f"This model looks at no images: it was trained on {', '.join(self.tasks)}.")
        vectors = self._vectors(listed(images, "images"), "image", batch_size, pooled)
        return torch.cat([torch.empty(0, self.encoder.image_size), *vectors])

    def embed_text(self, texts: Iterable[str], batch_size: int = BATCH_SIZE) -> Tensor:
        """One vector a text in the joint space of texts and images: the product of a text's and an image's is a cosine.

        Example:
            >>> similarities = model.embed_text(["a red circle", "a blue square"]) @ model.embed_image(["scene.png"]).T
            >>> (model.scale * similarities).softmax(0)  # which of the two texts it is
            tensor([[0.98], [0.02]])

        Args:
            texts: N texts; what is longer than the model's texts is cut as in training.
            batch_size: texts at once.

        Returns:
            (N, E) float32 on the CPU, each of length 1.

        Raises:
            UserError: naming the text at fault; or the model has no joint space.
        """
        joint = self.joint_space()
        vectors = self._vectors(listed(texts, "texts"), "text", batch_size, joint.embed_text)
        return torch.cat([torch.empty(0, self.settings.contrastive_size), *vectors])

    def embed_image(self, images: Iterable[Picture], batch_size: int = BATCH_SIZE) -> Tensor:
        """One vector an image in the joint space of texts and images, as `embed_text` gives for texts.

        Args:
            images: N paths, bytes of image files, or PIL images.
            batch_size: images at once.

        Returns:
            (N, E) float32 on the CPU, each of length 1.

        Raises:
            UserError: naming the image at fault; or the model has no joint space.
        """
        joint = self.joint_space()
        vectors = self._vectors(listed(images, "images"), "image", batch_size, joint.embed_image)
        return torch.cat([torch.empty(0, self.settings.contrastive_size), *vectors])

    @property
    def has_joint_space(self) -> bool:
        """Whether texts and images can be compared: a contrastive task was trained."""
        return self._joint is not None

    def joint_space(self) -> JointSpace:
        """The task whose space texts and images are compared in.

        Raises:
            UserError: the model has none.
        """
        if self._joint is None:
            raise UserError(
                f"This model has no joint space of texts and images: it was trained on {', '.join(self.tasks)}. Train "
                "one with contrastive, such as task_clip_scenes."
            )
        return self._joint

    def predict(
        self, examples: Iterable[Example], task: str | None = None, batch_size: int = BATCH_SIZE
    ) -> list[dict[str, Any]]:
        """What the model says of examples.

        A classification gives the likeliest class as "answer" and all "probabilities" by class; itm the probability of
        a "match"; contrastive the "similarity" of text and image; mlm, of every [MASK] in the text, the likeliest
        "words" with their probabilities, and the "text" with the best of them; caption a "caption".

        Example:
            >>> model.predict([{"image": "scene.png", "text": "a [MASK] circle"}], task="mlm")
            [{'text': 'a red circle', 'words': [[{'word': 'red', 'probability': 0.98}, …]]}]

        Args:
            examples: N dictionaries with what `inputs` says: "image" (a path, bytes or a PIL image), "text", or both.
            task: one of `tasks`; None for all of them.
            batch_size: examples at once.

        Returns:
            N dictionaries of plain values: of the one task, or with None by the tasks' names.

        Raises:
            UserError: naming the example and the field at fault; or there is no such task.
        """
        given = listed(examples, "examples")
        predictor = self.predictor(list(self.chosen(task)))
        starts = starts_of(len(given), batch_size, "predict")
        predictor.check(given)
        answers: list[dict[str, Any]] = []
        for start in starts:
            answers += predictor.answers(given[start : start + batch_size], start)
        return answers if task is None else [answer[task] for answer in answers]

    def predictor(self, tasks: Sequence[str]) -> Predictor:
        """What predicts with some of the tasks, made ready once.

        Args:
            tasks: some of `tasks`.
        """
        names = tuple(tasks)
        if names not in self._predictors:
            self._predictors[names] = Predictor(self, names)
        return self._predictors[names]

    @torch.no_grad()
    def caption(self, images: Iterable[Picture], prefix: str = "", batch_size: int = BATCH_SIZE) -> list[str]:
        """Captions, written as the run's settings say (`generation_strategy` and the like); sampling is seeded.

        Args:
            images: N paths, bytes of image files, or PIL images.
            prefix: what every caption begins with.
            batch_size: images at once.

        Returns:
            N captions, each with the prefix.

        Raises:
            UserError: naming the image at fault; or the model writes no captions.
        """
        writer = self._writer()
        if not isinstance(prefix, str):
            raise UserError(f"prefix: is of type {type(prefix).__name__}; give a text, with which every caption begins")
        given, captions = listed(images, "images"), list[str]()
        for step in steps_alone(self, given, "image", batch_size, "captions"):
            captions += writer.captions(step, prefix)
        return captions

    def growing_caption(self, image: Picture, prefix: str = "") -> Iterator[str]:
        """The caption that `caption` writes of an image, while it is written: what there is of it after each token.

        Args:
            image: a path, the bytes of an image file, or a PIL image.
            prefix: what the caption begins with.

        Yields:
            the caption so far; at last the whole.

        Raises:
            UserError: the image cannot be read, or the model writes no captions.
        """
        writer = self._writer()
        if isinstance(writer, GrowingWriter):
            for step in steps_alone(self, [image], "image", 1, "captions"):
                yield from writer.growing_caption(step, prefix)
        else:
            yield from self.caption([image], prefix)

    def _writer(self) -> Writer:
        """The task that writes captions.

        Raises:
            UserError: the model writes none.
        """
        writer = next((task for task in self.tasks.values() if isinstance(task, Writer)), None)
        if writer is None:
            raise UserError(
                f"This model writes no captions: it was trained on {', '.join(self.tasks)}. Train one with "
                "task_foundation_captioning."
            )
        return writer

    def step(self, batch: Batch) -> Step:
        """A batch on the device, of which the encoder's features can be asked.

        Args:
            batch: B examples, made with the model's own `transform` and `text`.
        """
        return Step(self.encoder, batch.to(self.device), self.to_pixels)

    def chosen(self, task: str | None) -> dict[str, Task]:
        """The task of a name, or with None all of them, by name.

        Raises:
            UserError: there is no such task.
        """
        if task is None:
            return self.tasks
        if task not in self.tasks:
            raise UserError(f"task={task!r}: this model was trained on {', '.join(self.tasks)}.")
        return {task: self.tasks[task]}

    @torch.no_grad()
    def _vectors(
        self,
        values: Sequence[Any],
        field: Literal["image", "text"],
        batch_size: int,
        vectors_of: Callable[[Step], Tensor],
    ) -> list[Tensor]:
        """One vector an image or a text, batch by batch."""
        steps = steps_alone(self, values, field, batch_size, f"encode {field}s")
        return [vectors_of(step).float().cpu() for step in steps]


def _device(name: str | torch.device) -> torch.device:
    """A device that there is.

    Raises:
        UserError: there is none of that name.
    """
    try:
        device = torch.device(name)
        torch.empty(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f'device={str(name)!r}: cannot be used here ({reason}). Take "cpu".') from None
    return device
