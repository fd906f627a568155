"""Writes a checkpoint's tasks and encoders as ONNX files into one folder, all of them or none.

Comes in: `load_path`. Goes out, in `export_dir`: `<task>.onnx` for each task that answers with probabilities,
`text_encoder.onnx` and `image_encoder.onnx`, config.json, tokenizer.json, and a README.md with code that runs them.
Every file is compared with PyTorch before the folder is there (`verify.py`). Nothing is fetched.

PyTorch's exporter by tracing makes them (`dynamo=False`): it needs no further packages and follows transformers'
encoders, at whose Python the newer one takes the number of examples for a constant.
"""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tqdm import tqdm

from renaissance.atomic_files import write_json
from renaissance.checkpoints.checkpoint import read_checkpoint
from renaissance.checkpoints.restore import restore
from renaissance.errors import UserError
from renaissance.inference.alone import PATIENCE_SECONDS
from renaissance.inference.export_folder import export_folder
from renaissance.inference.model import Model
from renaissance.inference.onnx_export.graphs import Graph, GraphModule, graphs_of
from renaissance.inference.onnx_export.readme import readme
from renaissance.inference.onnx_export.verify import MOST_DIFFERENT, example, largest_difference, longest
from renaissance.models.pretrained.sources import quiet_transformers
from renaissance.settings import Settings
from renaissance.text_table import text_table

NEEDED = ("onnx", "onnxruntime")
OPERATORS = 18  # the version of ONNX's operators; runtimes since 2023 know it
TRACED = 2  # examples that a graph is made from: one would be taken for a dimension to be left out


def export_onnx(settings: Settings) -> list[Path]:
    """Write what of `load_path` can be exported under `export_dir`.

    Args:
        settings: checked for the command `export`.

    Returns:
        the ONNX files.

    Raises:
        UserError: the checkpoint cannot be read, a package is missing, nothing can be exported, a file would not give
            what the model gives, or the folder cannot be written.
    """
    assert settings.export_dir is not None
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UserError(
            f"export_format=onnx needs {' and '.join(missing)}, which is not installed: pip install -e '.[onnx]'"
        )
    checkpoint = read_checkpoint(settings.load_path)
    model = Model(restore(checkpoint))
    graphs, left_out = graphs_of(model)
    if not graphs:
        raise UserError(f"{checkpoint.path}: nothing of it can be exported as ONNX. " + ". ".join(left_out))
    target = Path(settings.export_dir)
    with export_folder(settings) as temporary:
        bar = tqdm(graphs, desc="export", unit="graph", disable=None, leave=False, delay=PATIENCE_SECONDS)
        differences = {graph.name: _write_graph(graph, model, temporary) for graph in bar}
        if any(graph.text_fields for graph in graphs):
            _tokenizer(model).save(str(temporary / "tokenizer.json"))
        write_json(temporary / "config.json", _config(model, graphs, checkpoint.global_step, differences))
        page = readme(graphs, str(checkpoint.path), checkpoint.global_step)
        (temporary / "README.md").write_text(page, encoding="utf-8")
    files = [target / f"{graph.name}.onnx" for graph in graphs]
    rows = [
        (graph.name, graph.output, f"{file.stat().st_size / 1e6:.1f} MB", f"{differences[graph.name]:.1e}", file)
        for graph, file in zip(graphs, files, strict=True)
    ]
    print(text_table(["graph", "gives", "size", "largest difference", "file"], rows))
    print(
        f"the largest difference from PyTorch is a share of an example's largest value; allowed is {MOST_DIFFERENT:g}"
    )
    for remark in left_out:
        print(remark)
    return files


def _write_graph(graph: Graph, model: Model, folder: Path) -> float:
    """Write a graph and compare it with PyTorch; gives the largest difference."""
    module = GraphModule(graph, model.encoder).eval()
    path = folder / f"{graph.name}.onnx"
    with warnings.catch_warnings(), torch.no_grad(), quiet_transformers():
        warnings.simplefilter("ignore")  # of what tracing takes for constant, which `largest_difference` finds out
        try:
            torch.onnx.export(
                module,
                example(graph, model, TRACED, longest(graph, model)),
                path,
                input_names=list(graph.inputs),
                output_names=[graph.output],
                dynamic_axes={**graph.inputs, graph.output: {0: "batch"}},
                opset_version=OPERATORS,
                dynamo=False,
            )
        except OSError:
            raise
        except Exception as error:  # the exporter raises anything at what it has no operator for, or above 2 GB
            reason = (str(error).strip() or type(error).__name__).splitlines()[0].partition(" [Caused by")[0]
            raise UserError(f"{graph.name} cannot be exported as ONNX: {reason}. Nothing was written.") from None
    return largest_difference(module, path, model)


def _tokenizer(model: Model) -> Tokenizer:
    """The model's tokenizer, with neither padding nor truncation: config.json says these."""
    assert model.text is not None
    tokenizer = Tokenizer.from_str(model.text.state()["tokenizer"])
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _config(model: Model, graphs: list[Graph], step: int, differences: dict[str, float]) -> dict[str, Any]:
    """What a program has to know to run the files: plain values."""
    config: dict[str, Any] = {"step": step, "models": {}}
    for graph in graphs:
        config["models"][graph.name] = {
            "file": f"{graph.name}.onnx",
            "fields": [*graph.text_fields, *graph.image_fields],
            "inputs": list(graph.inputs),
            "pixels_of": {name: field for field, name in graph.pixels().items()},
            "output": graph.output,
            "answers": None if graph.answers is None else list(graph.answers),
            "largest_difference": differences[graph.name],
        }
    text = model.text if any(graph.text_fields for graph in graphs) else None
    if text is not None:
        config["text"] = {
            "max_text_len": text.max_text_len,
            "truncation": "left" if text.long_text == "from_end" else "right",
            "pad_token": _tokenizer(model).id_to_token(text.pad_id),
            "pad_token_id": text.pad_id,
        }
    if model.statistics is not None and any(graph.image_fields for graph in graphs):
        config["image"] = {
            "size": model.settings.image_size,
            "mean": list(model.statistics.mean),
            "std": list(model.statistics.std),
            "resample": model.statistics.resample,
        }
    if model.has_joint_space:
        config["joint_space"] = {"scale": model.scale, "bias": model.bias}
    return config
