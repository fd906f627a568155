"""The encoders and the decoder of a checkpoint as Hugging Face folders, which other programs open without us.

Comes in: `load_path`. Goes out: `<export_dir>/<part>/` for each of them, with config.json, model.safetensors and the
files of its tokenizer or its image processor; of a trained CLIP or SigLIP `<export_dir>/clip_model/` too, the whole
(`joint_model.py`). `AutoModel` (of a decoder `AutoModelForCausalLM`), `AutoTokenizer` and `AutoImageProcessor` open
such a folder, and so do our settings `text_encoder`, `image_encoder`, `encoder`, `decoder` and `clip_model`. Nothing is
fetched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tokenizers import Tokenizer
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast, SiglipModel

from renaissance.atomic_files import write_json
from renaissance.checkpoints.checkpoint import Checkpoint, read_checkpoint
from renaissance.checkpoints.parts import part_of_tensor
from renaissance.checkpoints.restore import restore
from renaissance.data.images.transform import ImageStatistics
from renaissance.data.text.processor import TextProcessor
from renaissance.errors import UserError
from renaissance.inference.export_folder import export_folder
from renaissance.inference.joint_model import joint_model
from renaissance.inference.onnx_export.export import export_onnx
from renaissance.inference.pooler import add_first_token_pooler
from renaissance.models.interface import VisionLanguageEncoder
from renaissance.models.pretrained.joint_space import ENTRY
from renaissance.models.pretrained.sources import attention_of, quiet_transformers
from renaissance.models.towers.transformer import MODEL_TYPE
from renaissance.settings import Settings
from renaissance.settings.schema import ModelSettings
from renaissance.text_table import text_table

PIXELS = """The image processor's pixels are those of training on transformers' Pillow backend, which it takes where
torchvision is not installed: of 100 photographs at 64 and 224 pixels 99.8 % of the values and more were equal, the
others differed by 4 levels of 256 at most. torchvision's backend rounds otherwise. Renaissance decodes JPEGs of at
least twice the size that is needed at a fraction of it, which differs from a picture that was decoded whole."""

PADDED = (
    """A SigLIP reads texts with their padding: `tokenizer(texts, padding="max_length")["input_ids"]`, and no mask."""
)
WHOLE = "clip_model"  # the folder of a whole CLIP or SigLIP


def export(settings: Settings) -> None:
    """Write a checkpoint for other programs, in the form that `export_format` says.

    Args:
        settings: checked for the command `export`.

    Raises:
        UserError: the checkpoint cannot be read or written in this form, or the folder cannot be written.
    """
    FORMATS[settings.export_format](settings)


def export_encoders(settings: Settings) -> dict[str, Path]:
    """Write each Hugging Face model of `load_path` into a folder of its own under `export_dir`, all of them or none.

    Args:
        settings: checked for the command `export`.

    Returns:
        the folders by the name of the part.

    Raises:
        UserError: the checkpoint cannot be read or has no such encoder, or the folder cannot be written.
    """
    assert settings.export_dir is not None
    checkpoint = read_checkpoint(settings.load_path)
    restored = restore(checkpoint)
    resolved = restored.settings
    encoders = _hugging_face_models(restored.model)
    if not encoders:
        raise UserError(
            f"{checkpoint.path}: none of its parts is a Hugging Face encoder, so there is nothing to export."
        )
    whole = joint_model(restored)
    if whole is not None:
        encoders = {WHOLE: whole, **encoders}
    remarks = _left_out(checkpoint, encoders, resolved)
    target = Path(settings.export_dir)
    rows = [(name, encoder.config.model_type, encoder.num_parameters(), target / name)
            for name, encoder in encoders.items()]  # fmt: skip
    with export_folder(settings) as temporary:
        for name, encoder in encoders.items():
            (_write_whole if name == WHOLE else _write_encoder)(encoder, temporary / name, checkpoint, resolved)
    print(text_table(["part", "kind", "parameters", "folder"], rows))
    for remark in remarks:
        print(remark)
    return {name: target / name for name in encoders}


def _hugging_face_models(model: VisionLanguageEncoder) -> dict[str, PreTrainedModel]:
    """The encoders and the decoder that are models of transformers, by the name of their part."""
    found = {part.name: part.hugging_face_model() for part in model.parts()}
    return {name: encoder for name, encoder in found.items() if encoder is not None}


def _write_encoder(encoder: PreTrainedModel, folder: Path, checkpoint: Checkpoint, settings: ModelSettings) -> None:
    """Weights and configuration, and what turns texts or images into the encoder's input."""
    encoder.config._attn_implementation = attention_of(type(encoder))  # a one-tower's own is known to us alone
    lines = [f"# {folder.name}", "", f"Out of {checkpoint.path}, step {checkpoint.global_step:,}, by Renaissance."]
    pooled = add_first_token_pooler(encoder)
    if pooled:
        lines += ["", f"`pooler_output` is {pooled}: nothing of it was trained. Renaissance reads `last_hidden_state`."]
    if hasattr(encoder.config, ENTRY):  # alone it is of no joint space
        delattr(encoder.config, ENTRY)
    with quiet_transformers():
        encoder.save_pretrained(folder)
    description = checkpoint.description
    if encoder.main_input_name == "input_ids" and description.text is not None:
        _tokenizer(description.text, settings.max_text_len).save_pretrained(folder)
    elif encoder.main_input_name == "pixel_values" and description.image_statistics is not None:
        statistics = ImageStatistics.of_state(description.image_statistics)
        write_json(folder / "preprocessor_config.json", _image_processor(statistics, settings.image_size))
        lines += ["", PIXELS]
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_whole(model: PreTrainedModel, folder: Path, checkpoint: Checkpoint, settings: ModelSettings) -> None:
    """A whole CLIP or SigLIP with its tokenizer and its image processor."""
    lines = [f"# {folder.name}", "", f"Out of {checkpoint.path}, step {checkpoint.global_step:,}, by Renaissance."]
    longest = settings.max_text_len
    if isinstance(model, SiglipModel):
        longest = model.text_model.config.max_position_embeddings
        lines += ["", PADDED]
    with quiet_transformers():
        model.save_pretrained(folder)
    description = checkpoint.description
    assert description.text is not None
    assert description.image_statistics is not None
    _tokenizer(description.text, longest).save_pretrained(folder)
    statistics = ImageStatistics.of_state(description.image_statistics)
    write_json(folder / "preprocessor_config.json", _image_processor(statistics, settings.image_size))
    (folder / "README.md").write_text("\n".join([*lines, "", PIXELS]) + "\n", encoding="utf-8")


def _tokenizer(state: Mapping[str, object], max_text_len: int) -> PreTrainedTokenizerFast:
    """A text processor's state as a Hugging Face tokenizer that gives the same numbers."""
    processor = TextProcessor.from_state(state, max_text_len=max_text_len)
    written = processor.state()
    tokenizer = Tokenizer.from_str(written["tokenizer"])
    tokenizer.no_truncation()  # transformers cuts by model_max_length, when asked to
    roles = {f"{role}_token": tokenizer.id_to_token(number) for role, number in written["special"].items()}
    others = [tokenizer.id_to_token(number) for number in written["special_ids"]]
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=max_text_len,
        extra_special_tokens=[token for token in others if token not in roles.values()],
        **roles,
    )


def _image_processor(statistics: ImageStatistics, size: int) -> dict[str, object]:
    """What a Hugging Face image processor does like our `ImageTransform`: CLIP's cuts the middle square too."""
    return {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": size},
        "resample": statistics.resample,
        "do_center_crop": True,
        "crop_size": {"height": size, "width": size},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(statistics.mean),
        "image_std": list(statistics.std),
    }


def _left_out(checkpoint: Checkpoint, encoders: Mapping[str, PreTrainedModel], settings: ModelSettings) -> list[str]:
    """What of the checkpoint the folders do not hold."""
    held = {*encoders, "contrastive_head"} if WHOLE in encoders else {*encoders}
    parts = sorted({part_of_tensor(name) for name in checkpoint.state_dict} - held)
    remarks = []
    if parts:
        remarks.append(f"not exported, for Hugging Face has no model of them: {', '.join(parts)}")
    if "decoder" in encoders:
        remarks.append("decoder: the maps of image and prefix to its width are not in the folder; the rest is")
    for name, encoder in encoders.items():
        if encoder.config.model_type == MODEL_TYPE:
            remarks.append(
                f"{name}: Renaissance opens this folder, and a program that imports "
                "renaissance.models.towers.transformer; transformers alone does not know our architecture"
            )
        pools_in_its_own_way = name == WHOLE or hasattr(encoder.config, ENTRY)
        if encoder.main_input_name == "pixel_values" and settings.image_pooling != "cls" and not pools_in_its_own_way:
            remarks.append(
                f"{name}: image_pooling={settings.image_pooling} is not in the folder: give it again where it is used"
            )
        if isinstance(getattr(encoder, "embeddings", None), nn.Identity):
            remarks.append(f"{name}: its own embeddings were not trained and are not in the folder; its layers are")
    return remarks


FORMATS: dict[str, Callable[[Settings], object]] = {"hugging_face": export_encoders, "onnx": export_onnx}
