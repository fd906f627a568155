"""Pictures: against Pillow's own full decode, resize and crop, and hostile bytes."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from renaissance.data.images.augment import RandAugmentDraw
from renaissance.data.images.decode import MAX_PIXELS, BadImage, check_image, open_image
from renaissance.data.images.transform import ImageStatistics, ImageTransform, Normalise, _random_box
from renaissance.data.streams import stream
from renaissance.settings import Settings

from .conftest import MakePicture

IMAGENET = ImageStatistics.of_key("imagenet")


def reference(data: bytes, size: int, resample: int = 3) -> np.ndarray:
    """Decode in full, resize the shorter side, cut out the middle: three plain steps."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    resized = image.resize((width, height), Image.Resampling(resample))
    left, upper = (width - size) // 2, (height - size) // 2
    return np.asarray(resized.crop((left, upper, left + size, upper + size))).transpose(2, 0, 1).astype(int)


@pytest.mark.parametrize("shape", [(640, 480), (480, 640), (300, 300), (60, 40), (1000, 250)])
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("resample", [2, 3])
def test_pixels_are_those_of_resizing_and_cropping(
    make_picture: MakePicture, shape: tuple[int, int], form: str, resample: int
) -> None:
    data = make_picture(1, size=shape, form=form)
    pixels = ImageTransform(["imagenet"], 96, ImageStatistics(IMAGENET.mean, IMAGENET.std, resample))(data).astype(int)
    assert pixels.shape == (3, 96, 96)
    difference = np.abs(pixels - reference(data, 96, resample))
    assert difference.mean() < 1.5  # rounding of the crop to whole pixels, and JPEG's reduced scale
    assert np.percentile(difference, 99) < 10


def test_a_square_png_is_exactly_pillows(make_picture: MakePicture) -> None:
    data = make_picture(2, size=(128, 128))
    assert (ImageTransform(["imagenet"], 32, IMAGENET)(data) == reference(data, 32)).all()


def test_jpegs_are_decoded_at_reduced_scale_but_never_below_what_is_wanted(make_picture: MakePicture) -> None:
    data = make_picture(0, size=(640, 480), form="JPEG")
    assert open_image(data).size == (640, 480)
    assert open_image(data, 224).size == (320, 240)
    assert open_image(data, 240).size == (320, 240)
    assert open_image(data, 241).size == (640, 480)
    assert open_image(data, 60).size == (80, 60)
    assert open_image(data, 1).size == (80, 60)
    odd = make_picture(0, size=(641, 333), form="JPEG")
    for wanted in range(20, 340, 7):
        assert min(open_image(odd, wanted).size) >= min(wanted, 333)


@pytest.mark.parametrize(
    ("form", "mode"),
    [
        ("PNG", "L"),
        ("PNG", "P"),
        ("PNG", "RGBA"),
        ("PNG", "1"),
        ("JPEG", "L"),
        ("JPEG", "CMYK"),
        ("GIF", "P"),
        ("WEBP", "RGB"),
        ("BMP", "RGB"),
        ("TIFF", "I;16"),
    ],
)
def test_every_kind_of_picture_comes_out_as_rgb(make_picture: MakePicture, form: str, mode: str) -> None:
    data = make_picture(3, form=form, mode=mode)
    pixels = ImageTransform(["imagenet"], 24, IMAGENET)(data)
    assert pixels.shape == (3, 24, 24)
    assert pixels.dtype == np.uint8


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (5000, 2)])
def test_tiny_and_thin_pictures(make_picture: MakePicture, shape: tuple[int, int]) -> None:
    assert ImageTransform(["imagenet"], 32, IMAGENET)(make_picture(0, size=shape)).shape == (3, 32, 32)


def bomb(side: int) -> bytes:
    """A PNG of a few bytes that says it has side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_hostile_bytes_are_refused_with_a_reason(make_picture: MakePicture) -> None:
    jpeg, png = make_picture(form="JPEG"), make_picture()
    for data, reason in (
        (b"", "not an image"),
        (b"no picture at all", "not an image"),
        (bomb(12_000), f"12000 x 12000 pixels, more than {MAX_PIXELS:,}"),
        (bomb(30_000), "decompression bomb"),  # Pillow's own limit is higher
        (jpeg[: len(jpeg) // 2], "(?i)truncated"),
        (png[: len(png) // 2], "."),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not an image"),  # Pillow would start Ghostscript
    ):
        with pytest.raises(BadImage, match=reason):
            check_image(data)
        with pytest.raises(BadImage):
            ImageTransform(["imagenet"], 24, IMAGENET)(data)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_bytes_never_raise_anything_else(make_picture: MakePicture) -> None:
    random = np.random.default_rng(0)
    transform = ImageTransform(["imagenet"], 24, IMAGENET)
    outcomes: set[tuple[int, ...] | None] = set()
    for form in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"):
        whole = make_picture(form=form)
        for _ in range(150):
            data = bytearray(whole)
            for place in random.integers(min(len(whole), 400), size=3):
                data[place] = random.integers(256)
            try:
                outcomes.add(transform(bytes(data)).shape)
            except BadImage:
                outcomes.add(None)
    assert outcomes == {(3, 24, 24), None}


def test_normalising_is_the_textbooks(make_picture: MakePicture) -> None:
    clip = ImageStatistics.of_key("clip_randaug")
    normalise = Normalise(clip)
    pixels = torch.from_numpy(ImageTransform(["clip"], 8, clip)(make_picture()).copy())[None]
    expected = (pixels / 255 - torch.tensor(clip.mean)[:, None, None]) / torch.tensor(clip.std)[:, None, None]
    torch.testing.assert_close(normalise(pixels), expected)
    torch.testing.assert_close(normalise(pixels / 255), expected)
    assert not normalise.state_dict()
    strided = pixels.contiguous(memory_format=torch.channels_last)
    assert normalise(strided).is_contiguous()


def test_images_with_captions_are_not_cut_or_mirrored_unasked(make_picture: MakePicture) -> None:
    data = make_picture(5)
    plain = ImageTransform(["imagenet"], 24, IMAGENET)(data)
    captioned = ImageTransform(["imagenet_randaug"], 24, IMAGENET, randaugment=RandAugmentDraw(2))
    assert not captioned.random
    assert captioned.randaugment is not None
    assert (captioned(data, stream(0, 0, 0, "image")) == plain).all()


@pytest.mark.parametrize("size", [(96, 96), (640, 480), (1000, 100)])
@pytest.mark.parametrize("smallest", [0.05, 0.5, 0.9])
def test_a_crop_covers_the_share_that_was_asked_for(size: tuple[int, int], smallest: float) -> None:
    boxes = [_random_box(size, smallest, stream(0, 0, index, "image")) for index in range(500)]
    areas = [(right - left) * (lower - upper) / (size[0] * size[1]) for left, upper, right, lower in boxes]
    assert min(areas) >= smallest - 1e-9
    assert max(areas) <= 1 + 1e-9
    assert all(
        left >= 0 and upper >= 0 and right <= size[0] and lower <= size[1] for left, upper, right, lower in boxes
    )


def test_crops_of_captioned_images_keep_their_share_and_are_never_mirrored(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings(caption_crop_area=0.5, image_size=96)
    training = ImageTransform.of_settings(settings, IMAGENET, training=True, captioned=True)
    assert training.random
    assert not ImageTransform.of_settings(settings, IMAGENET, training=False, captioned=True).random
    ramps = np.zeros((96, 96, 3), np.uint8)  # red tells the column, green the row
    ramps[..., 0], ramps[..., 1] = np.arange(96)[None, :] * 2, np.arange(96)[:, None] * 2
    file = io.BytesIO()
    Image.fromarray(ramps).save(file, "PNG")
    areas = []
    for index in range(200):
        red, green, _ = training(file.getvalue(), stream(0, 0, index, "image")).astype(int)
        width, height = (red[0, -1] - red[0, 0]) / 190, (green[-1, 0] - green[0, 0]) / 190
        assert width > 0  # the left is on the left
        assert height > 0
        areas.append(width * height)
    assert 0.5 < min(areas) < 0.55
    assert max(areas) > 0.9
    assert (
        training(file.getvalue(), stream(0, 0, 3, "image")) == training(file.getvalue(), stream(0, 0, 3, "image"))
    ).all()


def test_images_without_captions_are_cut_and_mirrored_by_address(make_picture: MakePicture) -> None:
    data = make_picture(5, size=(96, 96))
    transform = ImageTransform(["imagenet_randaug"], 24, IMAGENET, captioned=False)
    drawn = [transform(data, stream(0, 0, index, "image")).tobytes() for index in range(20)]
    assert len(set(drawn)) == 20
    assert drawn[7] == transform(data, stream(0, 0, 7, "image")).tobytes()
    ramp = io.BytesIO()
    Image.fromarray(np.tile(np.arange(96, dtype=np.uint8)[None, :, None] * 2, (96, 1, 3))).save(ramp, "PNG")
    mirrored = [transform(ramp.getvalue(), stream(0, 0, i, "image")).astype(int) for i in range(200)]
    share = np.mean([pixels[0, 0, 0] > pixels[0, 0, -1] for pixels in mirrored])
    assert 0.35 < share < 0.65
    lowest = [pixels.min() for pixels in mirrored]
    assert len(set(lowest)) > 20  # the cut begins at many places


def test_settings_choose_the_transform(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(
        train_transform_keys=["clip_randaug"], val_transform_keys=["clip"], image_size=32, patch_size=16
    )
    training = ImageTransform.of_settings(settings, IMAGENET, training=True, captioned=False)
    evaluation = ImageTransform.of_settings(settings, IMAGENET, training=False, captioned=False)
    assert training.random
    assert training.randaugment == RandAugmentDraw(settings.randaugment_operations)
    assert not evaluation.random
    assert evaluation.randaugment is None
    assert training.image_size == evaluation.image_size == 32
