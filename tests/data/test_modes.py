"""Pictures that need care: turned by EXIF, deep, floating point, transparent. Against arithmetic by hand and Pillow."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps, ImageSequence

from renaissance.data.examples.schema import CAPTIONS, DataNeeds
from renaissance.data.examples.tables import TableExamples
from renaissance.data.images.decode import BadImage, check_image, open_image
from renaissance.data.images.transform import ImageStatistics, ImageTransform
from renaissance.data.streams import stream
from renaissance.tasks.common.pictures import read_manual_inputs, shown
from tests.data.raw_folders import prepare, read

from .conftest import MakePicture

IMAGENET = ImageStatistics.of_key("imagenet")
RAMP = np.linspace(0, 1, 256, dtype=np.float64).reshape(16, 16)  # every level of 8 bits once
GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)
ORIENTATION = 0x0112


def encode(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def decoded(data: bytes) -> NDArray[np.int_]:
    """(H, W, 3) of what the loader and `prepare` see."""
    check_image(data)
    return np.asarray(open_image(data)).astype(int)


def grey(data: bytes) -> NDArray[np.int_]:
    """(H, W); all three colours are equal."""
    pixels = decoded(data)
    assert (pixels == pixels[:, :, :1]).all()
    return pixels[:, :, 0]


def tiff(values: NDArray[np.generic] | bytes, bits: int, sample_format: int = 1, white_is_zero: bool = False) -> bytes:
    """A little-endian grey TIFF of 16 x 16 by hand: those that Pillow reads and cannot write."""
    data = values if isinstance(values, bytes) else values.tobytes()
    tags = {256: 16, 257: 16, 258: bits, 259: 1, 262: int(not white_is_zero), 273: 8, 277: 1, 278: 16, 279: len(data),
            339: sample_format}  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags)) + entries + bytes(4)


# The range that a file's numbers are spread from, given with the numbers (a: of RAMP) and what white is.
NUMBERS: dict[str, tuple[bytes, NDArray[np.floating]]] = {
    "16-bit PNG": (encode(Image.fromarray((RAMP * 65535).astype(np.uint16)), "PNG"), RAMP),
    "dark 16-bit PNG": (encode(Image.fromarray((RAMP * 6553.5).astype(np.uint16)), "PNG"), RAMP / 10),
    "16-bit TIFF": (encode(Image.fromarray((RAMP * 65535).astype(np.uint16)), "TIFF"), RAMP),
    "big-endian 16-bit TIFF": (
        encode(Image.frombytes("I;16B", (16, 16), (RAMP * 65535).astype(">u2").tobytes()), "TIFF"),
        RAMP,
    ),
    "16-bit PGM": (b"P5 16 16 65535 " + (RAMP * 655.35).astype(">u2").tobytes(), RAMP / 100),
    "10-bit PGM": (b"P5 16 16 1023 " + (RAMP * 1023).round().astype(">u2").tobytes(), RAMP),
    "16-bit TIFF, white is zero": (tiff((RAMP * 65535).astype("<u2"), 16, white_is_zero=True), 1 - RAMP),
    "integers of 8 bits": (encode(Image.fromarray((RAMP * 255).astype(np.int32)), "TIFF"), RAMP),
    "integers of 16 bits": (encode(Image.fromarray((RAMP * 65535).astype(np.int32)), "TIFF"), RAMP),
    "integers of 32 bits": (tiff((RAMP * (2**32 - 1)).astype("<u4"), 32), RAMP),
    "signed integers": (tiff((RAMP * 2000 - 1000).astype("<i4"), 32, sample_format=2), RAMP),
    "far from zero": (tiff((RAMP * 255 + 3e9).astype("<u4"), 32), RAMP),
    "floats to 1": (encode(Image.fromarray(RAMP.astype(np.float32)), "TIFF"), RAMP),
    "dark floats to 1": (encode(Image.fromarray((RAMP / 4).astype(np.float32)), "TIFF"), RAMP / 4),
    "floats to 255": (encode(Image.fromarray((RAMP * 255).astype(np.float32)), "TIFF"), RAMP),
    "floats to 65535": (encode(Image.fromarray((RAMP * 65535).astype(np.float32)), "TIFF"), RAMP),
    "floats around zero": (encode(Image.fromarray((RAMP * 6 - 3).astype(np.float32)), "TIFF"), RAMP),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_deep_pictures_have_the_brightness_of_eight_bits(kind: str) -> None:
    data, brightness = NUMBERS[kind]
    difference = np.abs(grey(data) - brightness * 255)
    assert difference.max() <= 1  # the numbers were cut to whole ones above, and are rounded to levels


def test_twelve_bits_have_a_range_of_their_own() -> None:
    values = (RAMP * 4095).astype(int).ravel()
    packed = b"".join(
        bytes((a >> 4, (a & 15) << 4 | b >> 8, b & 255)) for a, b in zip(values[::2], values[1::2], strict=True)
    )
    assert np.abs(grey(tiff(packed, 12)) - RAMP * 255).max() <= 1


def test_an_even_picture_of_numbers_is_no_division_by_zero() -> None:
    assert (grey(encode(Image.fromarray(np.full((16, 16), -7, np.float32)), "TIFF")) == 0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pictures_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(BadImage, match="no finite numbers"):
        check_image(encode(Image.fromarray(np.full((4, 4), value, np.float32)), "TIFF"))


def test_lab_is_the_colour_that_it_names() -> None:
    """The red of sRGB and its grey of half the lightness; the numbers of red by D50, which TIFF and profiles use."""
    for lab, expected in (((100, 0, 0), (255, 255, 255)), ((50, 0, 0), (119, 119, 119)), ((54, 81, 70), (255, 0, 0))):
        stored = (round(lab[0] * 2.55), lab[1] + 128, lab[2] + 128)  # as Pillow holds LAB
        pixels = decoded(encode(Image.new("LAB", (4, 4), stored), "TIFF"))
        assert np.abs(pixels - expected).max() <= 6, (lab, pixels[0, 0])


def over_white(colours: NDArray[np.integer], alpha: NDArray[np.integer]) -> NDArray[np.floating]:
    """(H, W, 3) over white paper, by the formula of Porter and Duff, 1984."""
    share = alpha[:, :, None] / 255
    return colours * share + 255 * (1 - share)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_transparent_areas_are_white_paper(form: str) -> None:
    random = np.random.default_rng(0)
    colours = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    alpha = np.where(GREY < 64, 0, np.where(GREY < 128, 255, GREY)).astype(np.uint8)
    options = {"lossless": True, "exact": True} if form == "WEBP" else {}
    data = encode(Image.fromarray(np.dstack((colours, alpha))), form, **options)
    assert np.abs(decoded(data) - over_white(colours, alpha)).max() <= 1
    assert (decoded(data)[alpha == 0] == 255).all()
    assert (decoded(data)[alpha == 255] == colours[alpha == 255]).all()


def test_black_on_transparent_grey_is_black_on_white() -> None:
    alpha = np.where(GREY % 16 < 8, 0, 255).astype(np.uint8)
    data = encode(Image.fromarray(np.dstack((np.zeros_like(alpha), alpha))), "PNG")
    assert Image.open(io.BytesIO(data)).mode == "LA"
    assert (grey(data) == 255 - alpha).all()


@pytest.mark.parametrize(
    ("mode", "given", "key"),
    [
        ("P", Image.fromarray(GREY).convert("P"), 0),
        ("P", Image.fromarray(GREY).convert("P"), bytes(range(256))),
        ("L", Image.fromarray(GREY), 77),
        ("RGB", Image.fromarray(np.dstack((GREY, GREY, GREY))), (77, 77, 77)),
        ("1", Image.fromarray(GREY > 100), 0),
        ("I;16", Image.fromarray(GREY.astype(np.uint16) * 257), 77 * 257),
    ],
)
def test_a_colour_or_palette_that_is_transparent_is_white(
    mode: str, given: Image.Image, key: int | bytes | tuple[int, ...]
) -> None:
    data = encode(given, "PNG", transparency=key)
    assert Image.open(io.BytesIO(data)).mode == mode
    values, pixels = np.asarray(given.convert("L") if mode != "I;16" else Image.fromarray(GREY)), decoded(data)
    if isinstance(key, bytes):
        assert np.abs(pixels - over_white(values[:, :, None], np.asarray(given))).max() <= 1
        return
    level = key[0] if isinstance(key, tuple) else key // 257 if mode == "I;16" else key
    transparent = np.asarray(given) == level if mode == "P" else values == level
    assert transparent.any()
    assert (pixels[transparent] == 255).all()
    assert (pixels[~transparent] == values[~transparent][:, None]).all()


def test_a_gifs_first_frame_over_white() -> None:
    first, second = Image.fromarray(GREY).convert("P"), Image.new("P", (16, 16), 3)
    data = encode(first, "GIF", save_all=True, append_images=[second], transparency=0)
    assert len(list(ImageSequence.Iterator(Image.open(io.BytesIO(data))))) == 2
    expected = np.where(GREY == 0, 255, GREY)
    assert (grey(data) == expected).all()


@pytest.mark.parametrize("transparent", [False, True])
def test_sixteen_bits_a_colour(transparent: bool) -> None:
    """Pillow reads them by their high bytes, which is within a level of the full range's."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    colours = np.random.default_rng(0).integers(0, 65536, (16, 16, 3)).astype(">u2")
    lines = b"".join(b"\0" + line.tobytes() for line in colours)
    header = struct.pack(">IIBBBBB", 16, 16, 16, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    if transparent:
        start += chunk(b"tRNS", colours[3, 5].tobytes())
    expected = colours / 257
    if transparent:
        expected[3, 5] = 255
    data = start + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    assert np.abs(decoded(data) - expected).max() <= 1


def test_cmyk_as_adobe_writes_it() -> None:
    """Photoshop's inks are inverted in the file; Pillow writes and reads them so. White paper is (0, 0, 0, 0)."""
    assert (decoded(encode(Image.new("CMYK", (16, 16), (0, 0, 0, 0)), "JPEG")) >= 254).all()
    red = decoded(encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG"))
    assert (red[:, :, 0] > 250).all()
    assert (red[:, :, 1:] < 5).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_pictures_are_turned_as_exif_says(make_picture: MakePicture, form: str, orientation: int) -> None:
    given = Image.open(io.BytesIO(make_picture(4, size=(61, 40))))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"lossless": True} if form == "WEBP" else {"quality": 95} if form == "JPEG" else {}
    data = encode(given, form, exif=exif, **options)
    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert turned.size == ((61, 40) if orientation < 5 else (40, 61))
    assert (decoded(data) == np.asarray(turned.convert("RGB"))).all()
    reference = ImageTransform(["imagenet"], 32, IMAGENET)(encode(turned.convert("RGB"), "PNG"))
    assert (ImageTransform(["imagenet"], 32, IMAGENET)(data) == reference).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_jpegs_are_still_decoded_at_reduced_scale(make_picture: MakePicture, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    given = Image.open(io.BytesIO(make_picture(1, size=(640, 480), form="JPEG")))
    data = encode(given, "JPEG", quality=95, exif=exif)
    small = open_image(data, 224)
    assert small.size == ((320, 240) if orientation < 5 else (240, 320))
    reference = open_image(data).resize(small.size, Image.Resampling.BOX)
    assert np.abs(np.asarray(small).astype(int) - np.asarray(reference)).mean() < 2
    plain = encode(open_image(data), "PNG")
    transform = ImageTransform(["imagenet_randaug"], 48, IMAGENET, captioned=False)
    for number in range(3):  # the same cut of the picture that people see
        cut = transform(data, stream(0, 0, number, "image")).astype(int)
        assert np.abs(cut - transform(plain, stream(0, 0, number, "image"))).mean() < 3


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + bytes(40), b"\xff" * 30])
def test_damaged_exif_data_leave_the_picture_as_it_is(make_picture: MakePicture, exif: bytes) -> None:
    given = Image.open(io.BytesIO(make_picture(1, form="JPEG")))
    data, plain = encode(given, "JPEG", exif=exif), encode(given, "JPEG")
    assert exif in data
    assert (decoded(data) == decoded(plain)).all()


def test_tables_keep_the_bytes_and_whoever_reads_them_applies_the_rules(
    tmp_path: Path, make_picture: MakePicture
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    given = Image.open(io.BytesIO(make_picture(1, size=(60, 40), form="JPEG")))
    files = {
        "turned.jpg": encode(given, "JPEG", exif=exif),
        "deep.png": NUMBERS["16-bit PNG"][0],
        "float.tif": NUMBERS["floats to 1"][0],
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "captions.csv").write_text("image,caption\n" + "".join(f"{name},of {name}\n" for name in files))
    reports = prepare("folder", tmp_path, tmp_path / "arrow", dataset_name="mine", val_fraction=0.3)
    assert [report.rejected for report in reports.values()] == [0, 0]
    paths = [tmp_path / "arrow" / f"mine_{split}.arrow" for split in ("train", "val")]
    names = [name for path in paths for name in read(path)["image_id"].to_pylist()]
    source = TableExamples(paths, DataNeeds(CAPTIONS, image=True, text=False))
    assert {name: source.value(index, "image") for index, name in enumerate(names)} == files

    (manual,) = read_manual_inputs([{"image": str(tmp_path / "turned.jpg"), "prefix": ""}])
    upright = ImageOps.exif_transpose(Image.open(tmp_path / "turned.jpg"))
    assert shown(manual.data, "manual").size == upright.size == (40, 60)
    transform = ImageTransform(["imagenet"], 40, IMAGENET)
    expected = np.asarray(upright.crop((0, 10, 40, 50))).transpose(2, 0, 1)
    assert (transform(manual.data) == expected).all()
    assert (transform(source.value(names.index("turned.jpg"), "image")) == expected).all()
