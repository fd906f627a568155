"""What a model takes is told before it is built, and one that cannot be held is refused with the figures."""

from __future__ import annotations

import resource
import time

import pytest
import torch
from transformers.models.beit.modeling_beit import BeitRelativePositionBias

from renaissance.errors import UserError
from renaissance.models.build import build_model
from renaissance.training import assemble as assembling
from renaissance.training.footprint import check_fits, part_sizes
from renaissance.training.memory import Memory, _container_limits, memory_of

BEIT = "microsoft/beit-base-patch16-224"
SMALL = {"fast_dev_run": True, "batch_size": 8, "per_gpu_batchsize": 8}
MODELS = {
    "two-tower": {},
    "one-tower": {"model_type": "one-tower"},
    "published": {"image_encoder_manual_configuration": False, "random_init_vision_encoder": True,
                  "image_encoder": "microsoft/swin-tiny-patch4-window7-224", "image_size": 224, "patch_size": None},
    "frozen": {"freeze_image_encoder": True, "freeze_text_encoder_layers": 1},
}  # fmt: skip


@pytest.fixture
def tiny(make_settings):
    """Settings of a small two-tower or one-tower model."""

    def make(**overrides):
        sizes = {"hidden_size": 32, "num_heads": 4, "num_layers": 3, "mlp_ratio": 2.0, "embedding_size": 16}
        given = {
            prefix + name: size for prefix in ("", "text_encoder_", "image_encoder_") for name, size in sizes.items()
        }
        given |= {f"{name}encoder_manual_configuration": True for name in ("", "text_", "image_")}
        given |= {f"random_init_{name}encoder": True for name in ("", "text_", "vision_")}
        given |= {"image_size": 32, "patch_size": 8, "cross_layer_hidden_size": 24, "num_cross_layers": 3}
        return make_settings(**{**given, "loss_names": {"mlm": 1}, "per_gpu_batchsize": 4, **overrides})

    return make


def build(settings):
    return build_model(settings, vocab_size=60, pad_id=0, image=True, text=True), {}


def counted(settings):
    """Parameters and trained ones by part, of the model that is built."""
    return {
        part.name: (
            sum(parameter.numel() for parameter in part.module.parameters()),
            sum(parameter.numel() for parameter in part.module.parameters() if parameter.requires_grad),
        )
        for part in build(settings)[0].parts()
    }


@pytest.mark.parametrize("name", MODELS)
def test_parameters_are_counted_exactly(name, tiny):
    settings = tiny(**MODELS[name])
    sizes = {part: (size.weights, size.trained) for part, size in part_sizes(settings, build).items()}
    assert sizes.pop("images") == (0, 0)
    assert sizes == counted(settings)


def test_deep_parts_are_counted_exactly_too(tiny, monkeypatch):
    monkeypatch.setattr("renaissance.training.footprint.MOST_LAYERS", 2)
    for overrides in ({}, {"model_type": "one-tower"}):
        settings = tiny(**overrides)
        sizes = {part: size.weights for part, size in part_sizes(settings, build).items()}
        assert {**sizes, "images": 0} == {
            **{part: count for part, (count, _) in counted(settings).items()},
            "images": 0,
        }


@pytest.mark.parametrize("frozen", [0, 1, 2, 4, 5])
def test_of_deep_parts_the_frozen_layers_are_not_counted_as_trained(tiny, monkeypatch, frozen):
    deep = {"image_encoder_num_layers": 5, "freeze_image_encoder_layers": frozen}
    deep |= {"text_encoder": ["electra", "bert"], "text_encoder_num_layers": [4, 2]}
    deep |= {"freeze_text_encoder_layers": [min(frozen, 4), 1]}
    one_tower = {"model_type": "one-tower", "num_layers": 5, "freeze_encoder_layers": frozen}
    for overrides in (deep, one_tower):
        settings = tiny(**overrides)
        exact = part_sizes(settings, build)
        with monkeypatch.context() as patch:
            patch.setattr("renaissance.training.footprint.MOST_LAYERS", 2)
            assert part_sizes(settings, build) == exact
        assert {part: (size.weights, size.trained) for part, size in exact.items()} == {
            **counted(settings),
            "images": (0, 0),
        }


def test_the_figures_by_hand(tiny):
    """AdamW: 16 bytes a trained number, 4 a frozen one; an image: its pixels, and 8 D a layer of 17 positions."""
    settings = tiny(freeze_text_encoder=True, momentum=0.5)
    counts = counted(settings)
    frozen, trained = counts["text_encoder"][0], sum(of_part[1] for of_part in counts.values())
    images = 4 * 4 * (3 * 32 * 32 + 3 * 17 * (4 * 32 + 64 + 32))
    exact = 4 * frozen + 16 * trained + images
    check_fits(settings, 100, Memory("a machine", exact), build)
    with pytest.raises(UserError, match="a machine has"):
        check_fits(settings, 100, Memory("a machine", exact - 1), build)
    check_fits(settings, 1, Memory("a machine", exact - images * 3 // 4), build)
    sgd = settings.model_copy(update={"optim_type": "sgd"})
    check_fits(sgd, 100, Memory("a machine", exact - 4 * trained), build)
    test = settings.model_copy(update={"test_only": True})
    check_fits(test, 100, Memory("a machine", 4 * (frozen + trained)), build)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            {"cross_layer_hidden_size": 1_000_000},
            "688,005.6 GB(.|\n)*fuser(.|\n)*Lower cross_layer_hidden_size=1000000",
        ),
        ({"image_size": 20_000, "patch_size": 20_000}, "image_encoder  76,800,067,328"),
        ({"vocab_size": 1_000_000_000}, "text_encoder  64,000,099,968"),
        ({"num_cross_layers": 100_000}, "fuser  8,371,208,320"),
        ({"image_encoder_num_layers": 10_000_000}, "Lower image_encoder_hidden_size=64, image_encoder_num_layers"),
        ({"image_size": 8192, "patch_size": 8, "per_gpu_batchsize": 16, "batch_size": 16}, "of 16 images at once"),
        ({"image_encoder_hidden_size": 2_000_000_000}, "than any machine can count"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_no_machine_holds_is_refused_at_once(run, overrides, expected, monkeypatch):
    monkeypatch.setattr(assembling, "memory_of", lambda accelerator: Memory("this machine", 25 * 10**9))
    start = time.process_time()
    with pytest.raises(UserError, match=expected.replace("  ", " +")):
        run("task_mlm_itm", "tiny", "scenes", **{**SMALL, **overrides})
    assert time.process_time() - start < 20, "seconds"


def test_counting_changes_no_weight_that_is_drawn(tiny):
    settings = tiny()
    torch.manual_seed(3)
    expected = build(settings)[0].state_dict()
    part_sizes(settings, build)
    torch.manual_seed(3)
    found = build(settings)[0].state_dict()
    assert all(torch.equal(expected[name], found[name]) for name in expected)


@pytest.mark.parametrize(
    "kind", [{"image_encoder": BEIT}, {"model_type": "one-tower", "encoder": BEIT}], ids=["two-tower", "one-tower"]
)
def test_counting_leaves_no_tensor_without_values_to_the_model(tiny, kind):
    """Transformers keeps a BEiT's table of relative positions for the next model, by the sides of the grid."""
    side = 5 + len(kind)  # of a grid that no other test has
    settings = tiny(image_size=8 * side, **kind)
    assert part_sizes(settings, build)
    assert BeitRelativePositionBias.generate_relative_position_index((side, side)).device.type == "cpu"
    with torch.no_grad():
        assert build(settings)[0].eval().encode_image(torch.randn(1, 3, 8 * side, 8 * side)).hidden.isfinite().all()


def test_the_memory_is_the_least_of_machine_container_and_shell(tmp_path, monkeypatch):
    machine = memory_of("cpu").bytes
    assert 10**8 < machine < 10**14
    own = tmp_path / "cgroup"
    own.write_text("4:memory:/jobs/a\n3:cpuset:/\n0::/jobs/b\n")
    for file, limit in {
        "memory/jobs/memory.limit_in_bytes": "7000",
        "jobs/b/memory.max": "max",
        "memory.max": "9000",
    }.items():
        (tmp_path / "root" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / file).write_text(f"{limit}\n")
    assert sorted(_container_limits(tmp_path / "root", own)) == [7000, 9000]
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (10**8, 10**8))
    assert memory_of("cpu") == Memory("this process (ulimit -v)", 10**8)
