"""The kinds of values that settings take: each a type with its range, and the words that say what is allowed.

The words are read by two: the message for a wrong value (`check.py`) and the table of all settings (`table.py`).
Completion in a shell (`completion/`) reads the choices off the types, and of `Allowed` what is a file or a folder.
"""

from __future__ import annotations

import json
import math
import os
import re
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BeforeValidator, Field

from renaissance.credentials import hidden_secret, without_credentials
from renaissance.settings.discovery import check_loss_names, check_optimizer, check_schedule, in_words
from renaissance.settings.marks import Mark
from renaissance.training.optimizers.registry import optimizer_names
from renaissance.training.schedules.registry import schedule_names


@dataclass(frozen=True)
class Allowed:
    """What a setting may be.

    Attributes:
        words: that follow "must be"; a function where plug-ins add to them.
        paths: what a shell completes it as, where it is a path.
        names: values with a name, as far as the type does not tell them, such as "auto" among file names.
    """

    words: str | Callable[[], str]
    paths: Literal["file", "folder"] | None = None
    names: tuple[str, ...] = ()


def leaf_types(annotation: Any) -> Iterator[Any]:
    """The types that an annotation is made of, and the choices of its literals."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from leaf_types(part)
    elif origin is Literal:
        yield from get_args(annotation)
    elif origin is not None and hasattr(annotation, "__metadata__"):
        yield from leaf_types(get_args(annotation)[0])
    else:
        yield origin or annotation


def _whole_names(value: Any) -> Any:
    """A mapping by name; names with dots, such as "v1.2", which Sacred takes apart, are put together again."""
    if not isinstance(value, dict):
        return value
    whole: dict[Any, Any] = {}
    for name, inner in value.items():
        below = _whole_names(inner)
        whole |= {f"{name}.{rest}": path for rest, path in below.items()} if isinstance(below, dict) else {name: below}
    return whole


def _served_models(models: dict[str, str] | list[str]) -> dict[str, str] | list[str]:
    """Models by names that may stand in the path of an address."""
    for name in models if isinstance(models, dict) else ():
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,63}", name, re.ASCII):
            raise ValueError(f"{name!r} is no name for a model: take up to 64 letters, digits, dots, _ and -")
    return models


def _token(token: str) -> str:
    """What stands for a token that this process keeps; see `credentials.py`."""
    return hidden_secret("serve_token", token)


def _whole(value: Any) -> Any:
    """An integral float such as 1e5 as the whole number that it is; anything else as it came."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _steps(value: Any) -> Any:
    """An integral float above 1 as the whole number of steps that it is; up to 1.0 it stays a fraction."""
    return _whole(value) if isinstance(value, float) and value > 1 else value


def _precision(value: Any) -> Any:
    """The short spellings of a precision in full."""
    short = {16: "16-mixed", "16": "16-mixed", "bf16": "bf16-mixed", "32": 32, "32-true": 32}
    return short.get(value, value) if isinstance(value, int | str) and not isinstance(value, bool) else value


def _no_cosine(value: Any) -> Any:
    """An exponent as it came, if it is not the name that a schedule had in its place."""
    if value == "cosine":
        raise ValueError("is the exponent of schedule=polynomial, a number; a cosine is schedule=cosine")
    return value


def _no_deepspeed(value: Any) -> Any:
    """A strategy as it came, if it is not one that people know from elsewhere."""
    if value == "deepspeed":
        raise ValueError(
            "is not supported, whether DeepSpeed is installed or not; what its ZeRO stage 3 does, sharing out weights, "
            "gradients and the optimiser's state, PyTorch does itself with strategy=fsdp"
        )
    return value


def _nothing_is_empty(value: Any) -> Any:
    """None, which means no path, as the empty string."""
    return "" if value is None else value


def _nothing_is_empty_dict(value: Any) -> Any:
    """None, which means no part or no flag, as the empty dictionary."""
    return {} if value is None else value


def _as_list(value: Any) -> Any:
    """A single name as a list of it, None as the empty list; anything else as it came."""
    return [value] if isinstance(value, str) else [] if value is None else value


def _manual_inputs(inputs: list[dict[str, str]]) -> list[dict[str, str]]:
    """Inputs with both keys: the prefix may be left out."""
    for given in inputs:
        strange = sorted(given.keys() - {"image", "prefix"})
        if strange or not given.get("image"):
            what = f"{strange[0]!r} is neither image nor prefix" if strange else "an image is missing"
            raise ValueError(f'must be a list of {{"image": a file, "prefix": a text}}: {what} in {given!r}')
    return [{"image": given["image"], "prefix": given.get("prefix", "")} for given in inputs]


def _templates(given: Any) -> Any:
    """Prompts that each have one place for the class's name; the name of a file as it came."""
    if isinstance(given, str):
        return given
    for template in given:
        if template.count("{}") != 1:
            raise ValueError(f"must each have {{}} once, where the class's name goes, but {template!r} has not")
    return given


def _once(names: list[str]) -> list[str]:
    """Names that are all different."""
    twice = [name for place, name in enumerate(names) if name in names[:place]]
    if twice:
        raise ValueError(f"must name each once, but {twice[0]!r} is there twice, and its examples would count double")
    return names


def _all_different(names: list[str]) -> list[str]:
    """Names that are all different."""
    if len(set(names)) < len(names):
        raise ValueError("must name each once")
    return names


def _single_as_list(value: Any) -> Any:
    """A single name as a list of it; anything else as it came."""
    return [value] if isinstance(value, str) else value


def _short_enough(text: str) -> str:
    """A text as it came, if it can name a file: Linux and macOS take no longer names."""
    if max(len(os.fsencode(part)) for part in text.split("/")) > 255 or len(os.fsencode(text)) > 4095:
        raise ValueError(f"is longer than a file's name or path can be ({len(text):,} characters)")
    return text


def _plain_name(name: str) -> str:
    if not name or name.startswith(".") or any(sign in name for sign in '/\\:*?"<>|\n\t') or name != name.strip():
        raise ValueError(f"must be a name that can be a folder's: no slash, no leading dot (got {name!r})")
    return name


def _read_json(value: Any) -> Any:
    """JSON in a text as what it stands for: Python's own values on a command line hold no `true` and no `null`."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _swept(settings: dict[str, Any]) -> dict[str, Any]:
    """Lists of different values, and ranges, by setting."""
    for name, space in settings.items():
        if isinstance(space, list):
            texts = [json.dumps(value, sort_keys=True) for value in space]
            if not texts or len(set(texts)) < len(texts):
                raise ValueError(f"{name} must have a list of different values, not {space!r}")
        elif isinstance(space, dict):
            _check_range(name, space)
        else:
            raise ValueError(f'{name} must have a list of values, or a range such as {{"low": 1e-5, "high": 1e-3, '
                             f'"log": true}}, not {space!r}')  # fmt: skip
    return settings


def _check_range(name: str, space: dict[str, Any]) -> None:
    strange = sorted(space.keys() - {"low", "high", "log"})
    if strange:
        raise ValueError(f"{name}: a range has low, high and log, not {strange[0]!r}")
    ends = [space.get(end) for end in ("low", "high")]
    if not all(isinstance(end, int | float) and not isinstance(end, bool) and math.isfinite(end) for end in ends):
        raise ValueError(f"{name}: a range must have numbers as low and high, not {space!r}")
    if not isinstance(space.get("log", False), bool):
        raise ValueError(f"{name}: log must be true or false, not {space['log']!r}")
    low, high = space["low"], space["high"]
    if low >= high:
        raise ValueError(f"{name}: low must be below high, not {low!r} and {high!r}")
    if space.get("log", False) and low <= 0:
        raise ValueError(f"{name}: low must be above 0 where log is true, not {low!r}")


def _mongo_address(address: str) -> str:
    """The address of a MongoDB without the name and the password in it."""
    shown = without_credentials("mongo_url", address)
    if not re.match(r"mongodb(\+srv)?://[^/?]+(/[^/?]*)?(\?.*)?$", shown):
        raise ValueError("must be the address of a MongoDB, such as mongodb://localhost:27017/renaissance")
    return shown


def _sql_address(address: str) -> str:
    """The address of an SQL database without the name and the password in it."""
    shown = without_credentials("sql_url", address)
    if not re.match(r"\w[\w+.-]*://", shown):
        raise ValueError("must be the address of a database, such as sqlite:///runs.db")
    return shown


def choice_words(*choices: str | int) -> Allowed:
    """The choices, with commas and "or" between them."""
    named = [str(choice) for choice in choices]
    return Allowed(in_words(named), names=tuple(named))


Switch = Annotated[bool, Allowed("True or False")]

MOST = 2**31 - 1  # of anything that is counted: what PyTorch and the tokenizers library take everywhere

_WholeFromOne = Annotated[int, Field(ge=1, le=MOST)]
_Number = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Text = Annotated[str, Field(min_length=1), AfterValidator(_short_enough)]

Count = Annotated[_WholeFromOne, BeforeValidator(_whole), Allowed("a whole number, at least 1")]
OptionalCount = Annotated[_WholeFromOne | None, BeforeValidator(_whole), Allowed("a whole number, at least 1, or None")]
Width = Annotated[int, Field(ge=2, le=MOST), BeforeValidator(_whole), Allowed("a whole number, at least 2")]
CountOrZero = Annotated[int, Field(ge=0, le=MOST), BeforeValidator(_whole), Allowed("a whole number, at least 0")]
# Not 3.0 for 3, unlike the others: Sacred takes the seed as it was given, before anything of ours could change it.
Seed = Annotated[int, Field(ge=0, lt=2**32), Allowed("a whole number from 0 to 2**32 - 1")]
TextLength = Annotated[int, Field(ge=3, le=MOST), BeforeValidator(_whole), Allowed("a whole number, at least 3")]
Magnitude = Annotated[int, Field(ge=0, le=30), BeforeValidator(_whole), Allowed("a whole number from 0 to 30")]
Port = Annotated[int, Field(ge=0, le=65535), BeforeValidator(_whole), Allowed("a whole number from 0 to 65535")]
Address = Annotated[_Text, Allowed("an address or a name of this machine")]

Positive = Annotated[_Number, Allowed("a number above 0")]
Ratio = Annotated[float, Field(gt=0, le=1000), Allowed("a number above 0, at most 1000")]
OptionalPositive = Annotated[_Number | None, Allowed("a number above 0, or None")]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False), Allowed("a number, at least 0")]
Rate = Annotated[float, Field(ge=0, lt=1), Allowed("a number from 0 to below 1")]
Probability = Annotated[float, Field(gt=0, le=1), Allowed("a number above 0, at most 1")]
Share = Annotated[float, Field(gt=0, lt=1), Allowed("a number above 0 and below 1")]
CropArea = Annotated[float, Field(ge=0.05, le=1), Allowed("a number from 0.05 to 1")]
Tolerance = Annotated[float, Field(ge=0, le=1), Allowed("a number from 0 to 1")]
Betas = Annotated[
    list[Annotated[float, Field(ge=0, lt=1)]],
    Field(min_length=2, max_length=2),
    Allowed("a list of two numbers from 0 to below 1"),
]

WarmUp = Annotated[
    Annotated[int, Field(ge=0, le=MOST)] | Annotated[float, Field(ge=0, lt=1)],
    BeforeValidator(_steps),
    Allowed("a whole number of steps, at least 0, or a fraction of the training from 0.0 to below 1.0"),
]
Interval = Annotated[
    _WholeFromOne | Annotated[float, Field(gt=0, le=1)],
    BeforeValidator(_steps),
    Allowed("a fraction of an epoch above 0.0, at most 1.0, or a whole number of optimiser steps, at least 1"),
]
CheckpointInterval = Annotated[
    _WholeFromOne | _Number | None,
    Allowed("a number of epochs such as 1.0, a whole number of optimiser steps, at least 1, or None"),
]
DecayPower = Annotated[_Number, BeforeValidator(_no_cosine), Allowed("a number above 0")]
StepSize = Annotated[
    _WholeFromOne | Annotated[float, Field(gt=0, lt=1)],
    BeforeValidator(_steps),
    Allowed("a whole number of steps, at least 1, or a fraction of the schedule above 0.0 and below 1.0"),
]
Gpus = Annotated[
    Literal["auto"] | Annotated[int, Field(ge=0, le=MOST)],
    BeforeValidator(_whole),
    Allowed("auto, or a whole number, at least 0"),
]
Strategy = Annotated[
    Literal["auto", "ddp", "fsdp"], BeforeValidator(_no_deepspeed), choice_words("auto", "ddp", "fsdp")
]
FsdpCheckpoints = Annotated[Literal["whole", "sharded"], choice_words("whole", "sharded")]
Precision = Annotated[
    Literal[32, "bf16-mixed", "16-mixed"],
    BeforeValidator(_precision),
    Allowed("32, bf16-mixed (or bf16) or 16-mixed (or 16)"),
]
TransformKeys = Annotated[
    list[Literal["imagenet", "clip", "imagenet_randaug", "clip_randaug"]],
    Field(min_length=1, max_length=1),
    Allowed("a list of one of imagenet, clip, imagenet_randaug, clip_randaug"),
]

ModelType = Annotated[
    Literal["two-tower", "one-tower", "late-fusion"], choice_words("two-tower", "one-tower", "late-fusion")
]
ExportFormat = Annotated[Literal["hugging_face", "onnx"], choice_words("hugging_face", "onnx")]
PoolerType = Annotated[Literal["double", "single"], choice_words("double", "single")]
Pooling = Annotated[Literal["cls", "mean", "max"], choice_words("cls", "mean", "max")]
LongText = Annotated[Literal["from_start", "from_end", "uniform"], choice_words("from_start", "from_end", "uniform")]
TokenizerType = Annotated[
    Literal["word", "wordpiece", "bpe", "character"], choice_words("word", "wordpiece", "bpe", "character")
]
FalseFrom = Annotated[Literal["batch", "dataset", "hard"], choice_words("batch", "dataset", "hard")]
ContrastiveLoss = Annotated[Literal["clip", "siglip"], choice_words("clip", "siglip")]
GenerationStrategy = Annotated[Literal["greedy", "beam", "sample"], choice_words("greedy", "beam", "sample")]
PlotFormat = Literal["png", "pdf", "svg"]
PlotFormats = Annotated[
    Annotated[list[PlotFormat], Field(min_length=1)],
    BeforeValidator(_single_as_list),
    Allowed("a list of png, pdf and svg"),
]
PlotAxis = Annotated[Literal["step", "epoch", "examples", "hours"], choice_words("step", "epoch", "examples", "hours")]
ResumeSchedule = Annotated[Literal["new", "kept"], choice_words("new", "kept")]

Name = Annotated[_Text, AfterValidator(_plain_name), Allowed("a name that can be a folder's")]
Folder = Annotated[_Text, Allowed("a folder", paths="folder")]
OptionalFolder = Annotated[_Text | None, Allowed("a folder, or None", paths="folder")]
OptionalFile = Annotated[_Text | None, Allowed("a file, or None", paths="file")]
OptionalText = Annotated[_Text | None, Allowed("a name, or None")]
MongoAddress = Annotated[
    Annotated[str, AfterValidator(_mongo_address)] | None,
    Allowed("the address of a MongoDB, mongodb://host:port/database, or None"),
]
SqlAddress = Annotated[
    Annotated[str, AfterValidator(_sql_address)] | None, Allowed("the address of a database, or None")
]
Names = Annotated[list[_Text], Field(min_length=1), AfterValidator(_once), Allowed("a list of names")]
OptionalNames = Annotated[
    Annotated[list[_Text], Field(min_length=1), AfterValidator(_all_different)] | None,
    BeforeValidator(_single_as_list),
    Allowed("a name, a list of names, or None"),
]
OptionalFolders = Annotated[Annotated[list[_Text], Field(min_length=1)] | None, Allowed("a list of folders, or None")]
Pretrained = Annotated[_Text, Mark.NAME_OR_FOLDER, Allowed("a Hugging Face name or a folder", paths="folder")]
_List = Field(min_length=1)
_Flags = Annotated[dict[_Text, Any], BeforeValidator(_nothing_is_empty_dict)]
_Window = Annotated[Annotated[int, Field(ge=2, le=MOST)] | None, BeforeValidator(_whole)]
TextEncoders = Annotated[
    _Text | Annotated[list[_Text], _List],
    Mark.NAME_OR_FOLDER,
    Allowed("a Hugging Face name, a folder, an architecture such as longformer, or a list of these", paths="folder"),
]
FlagsOfEach = Annotated[
    _Flags | Annotated[list[_Flags], _List],
    Mark.ONE_FOR_EACH,
    Allowed('flags by name, such as {"attention_window": 64}, or None, or a list of these, one for each text encoder'),
]
WindowOfEach = Annotated[
    _Window | Annotated[list[_Window], _List],
    Mark.ONE_FOR_EACH,
    Allowed("a whole number, at least 2, or None, or a list of these, one for each text encoder"),
]
SwitchOfEach = Annotated[
    bool | Annotated[list[bool], _List],
    Mark.ONE_FOR_EACH,
    Allowed("True or False, or a list of these, one for each text encoder"),
]
CountOfEach = Annotated[
    Count | Annotated[list[Count], _List],
    Mark.ONE_FOR_EACH,
    Allowed("a whole number, at least 1, or a list of these, one for each text encoder"),
]
WidthOfEach = Annotated[
    Width | Annotated[list[Width], _List],
    Mark.ONE_FOR_EACH,
    Allowed("a whole number, at least 2, or a list of these, one for each text encoder"),
]
CountOrZeroOfEach = Annotated[
    CountOrZero | Annotated[list[CountOrZero], _List],
    Mark.ONE_FOR_EACH,
    Allowed("a whole number, at least 0, or a list of these, one for each text encoder"),
]
RatioOfEach = Annotated[
    Ratio | Annotated[list[Ratio], _List],
    Mark.ONE_FOR_EACH,
    Allowed("a number above 0, at most 1000, or a list of these, one for each text encoder"),
]
RateOfEach = Annotated[
    Rate | Annotated[list[Rate], _List],
    Mark.ONE_FOR_EACH,
    Allowed("a number from 0 to below 1, or a list of these, one for each text encoder"),
]
OptionalPretrained = Annotated[
    _Text | None, Mark.NAME_OR_FOLDER, Allowed("a Hugging Face name or a folder, or None", paths="folder")
]
CheckpointOrEmpty = Annotated[
    str,
    AfterValidator(_short_enough),
    BeforeValidator(_nothing_is_empty),
    Allowed('a checkpoint file, or ""', paths="file"),
]
Modules = Annotated[
    dict[_Text, _Text],
    BeforeValidator(_nothing_is_empty_dict),
    Allowed('checkpoint files by part, such as {"text_encoder": "a.ckpt"}'),
]
ServedModels = Annotated[
    dict[_Text, _Text] | Annotated[list[_Text], _List],
    BeforeValidator(_nothing_is_empty_dict),
    BeforeValidator(_whole_names),
    AfterValidator(_served_models),
    Allowed('checkpoint files by name, such as {"reviews": "a.ckpt"}, or a list of them'),
]
Token = Annotated[Annotated[str, Field(min_length=1), AfterValidator(_token)] | None, Allowed("a secret text, or None")]
Plugins = Annotated[
    list[_Text],
    BeforeValidator(_as_list),
    Allowed('a Python file, a module, or a list of these, such as ["my_task.py"]', paths="file"),
]
ManualInputs = Annotated[
    list[dict[str, str]],
    AfterValidator(_manual_inputs),
    Allowed('a list of images with the beginnings of captions, such as [{"image": "dog.jpg", "prefix": "a dog"}]'),
]
Templates = Annotated[
    _Text | Annotated[list[_Text], Field(min_length=1)],
    AfterValidator(_templates),
    Allowed("a list of texts with {} for the class's name, or a file with one a line", paths="file"),
]
ClassNames = Annotated[
    Annotated[list[_Text], Field(min_length=1)] | Annotated[dict[_Text, _Text], Field(min_length=1)] | None,
    Allowed('a list of names, or names by the table\'s names, such as {"automobile": "car"}, or None'),
]
OptionalColumns = Annotated[
    Annotated[dict[_Text, _Text], Field(min_length=1)] | None,
    Allowed('fields by the columns that hold them, such as {"review": "text"}, or None'),
]
OptionalQuery = Annotated[str | None, Field(min_length=1), Allowed("a text or an image file, or None", paths="file")]
OptionalSeeds = Annotated[
    Annotated[list[Seed], Field(min_length=1), AfterValidator(_all_different)] | None,
    Allowed("a list of different whole numbers from 0 to 2**32 - 1, such as [0, 1, 2], or None"),
]
OptionalCountOrZero = Annotated[
    Annotated[int, Field(ge=0, le=MOST)] | None, BeforeValidator(_whole), Allowed("a whole number, at least 0, or None")
]
SweptSettings = Annotated[
    Annotated[dict[_Text, Any], Field(min_length=1), AfterValidator(_swept)] | None,
    BeforeValidator(_read_json),
    Allowed('lists of values, or ranges, by setting, such as {"learning_rate": [1e-5, 1e-4]}, or None'),
]
SweepSearch = Annotated[Literal["grid", "random", "bayesian"], choice_words("grid", "random", "bayesian")]
SweepPruning = Annotated[
    Literal["median", "hyperband"] | None, Allowed("median, hyperband or None", names=("median", "hyperband"))
]
Submit = Annotated[Literal["slurm", "local"] | None, Allowed("slurm, local or None", names=("slurm", "local"))]
Lines = Annotated[list[_Text], BeforeValidator(_as_list), Allowed("a list of texts")]
JobParameters = Annotated[
    dict[_Text, str | int | bool],
    BeforeValidator(_nothing_is_empty_dict),
    BeforeValidator(_read_json),
    Allowed('parameters of sbatch by name, such as {"account": "vision"}, or None'),
]
Resume = Annotated[_Text | None, Allowed("a checkpoint file, auto, or None", paths="file", names=("auto",))]
OptionalCondition = Annotated[_Text | None, Allowed("conditions, such as status=finished, or None")]
OptionalSorting = Annotated[_Text | None, Allowed("a setting, a metric or a column, or None")]
RunsFormat = Annotated[
    Literal["table", "csv", "markdown", "latex", "json"], choice_words("table", "csv", "markdown", "latex", "json")
]
Metric = Annotated[_Text | None, Allowed("a metric of the validation, such as mlm/val/loss, or None")]
Shares = Annotated[
    dict[_Text, _Number],
    BeforeValidator(_nothing_is_empty_dict),
    Allowed('numbers above 0 by data, such as {"caption": 2, "imdb": 1}'),
]
_Weights = Annotated[dict[_Text, Annotated[float, Field(gt=0, le=1_000_000)]], BeforeValidator(_nothing_is_empty_dict)]
DataSetWeights = Annotated[
    _Weights, Allowed('numbers above 0, at most 1,000,000, by data set, such as {"coco": 1, "vg": 0.3}, or None')
]
CaptionWeights = Annotated[
    _Weights,
    Allowed('numbers above 0, at most 1,000,000, by source, such as {"caption": 0.7, "synthetic": 0.3}, or None'),
]
LossWeights = Annotated[
    dict[str, float], BeforeValidator(check_loss_names), Allowed("a weight, at least 0, for each task")
]
Optimizer = Annotated[str, BeforeValidator(check_optimizer), Allowed(lambda: in_words(optimizer_names()))]
Schedule = Annotated[str, BeforeValidator(check_schedule), Allowed(in_words(schedule_names()))]
