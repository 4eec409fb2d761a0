"""Pictures of every kind as inputs of a net; and what is none."""

import io
import sys

import numpy as np
import pytest

from fastmlp.datasets.digit_form import digit_form
from fastmlp.datasets.images import _as_array, is_image, read_digit
from fastmlp.errors import DataError

Image = pytest.importorskip("PIL.Image")
from PIL import ImageDraw  # noqa: E402


def picture(**options):
    """A one, as a picture file's bytes; with a `speck` of dirt, or not."""
    options = {"mode": "L", "paper": 255, "ink": 0, "size": 90, "kind": "PNG", "speck": False} | options
    mode, paper, ink, size, kind, speck = options.values()
    image = Image.new(mode, (size, size), paper)
    middle = size // 2
    ImageDraw.Draw(image).line([(middle, size // 5), (middle, 4 * size // 5)], fill=ink, width=max(1, size // 10))
    if speck:
        ImageDraw.Draw(image).rectangle([size // 20, size // 20, size // 12, size // 12], fill=ink)
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"paper": 0, "ink": 255},
        {"mode": "RGB", "paper": "white", "ink": "navy"},
        {"mode": "RGB", "paper": "white", "ink": "black", "kind": "JPEG", "size": 300},
        {"mode": "RGBA", "paper": (0, 0, 0, 0), "ink": (0, 0, 0, 255)},
        {"mode": "RGBA", "paper": (255, 255, 255, 0), "ink": (255, 255, 255, 255)},
        {"mode": "LA", "paper": (0, 0), "ink": (0, 255)},
        {"mode": "1", "paper": 1, "ink": 0},
        {"mode": "P", "paper": 0, "ink": 1, "kind": "GIF"},
        {"mode": "I;16", "paper": 60000, "ink": 3},
        {"size": 1500},
        {"size": 40},
    ],
    ids=str,
)
def test_a_one_in_every_kind_of_picture(options):
    if options.get("mode") == "P":
        image = Image.new("P", (90, 90), 0)
        image.putpalette([255, 255, 255, 0, 0, 0])
        ImageDraw.Draw(image).line([(45, 18), (45, 72)], fill=1, width=9)
        file = io.BytesIO()
        image.save(file, "GIF")
        content = file.getvalue()
    else:
        content = picture(**options)
    form = read_digit(content, "one").reshape(28, 28)
    assert form.max() == 1
    assert form[5:23, 13:15].mean() > 0.7
    assert form[:, :9].max() < 0.1  # paper left and right of it
    assert form[:, 19:].max() < 0.1


def bomb():
    file = io.BytesIO()
    Image.new("1", (20_000, 20_000), 1).save(file, "PNG")
    return file.getvalue()


def two_digits():
    image = Image.new("L", (200, 100), 255)
    for left in (50, 130):
        ImageDraw.Draw(image).ellipse([left - 20, 20, left + 20, 80], outline=0, width=8)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def blank():
    file = io.BytesIO()
    Image.new("L", (50, 50), 200).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("error", [AttributeError, IndexError, OverflowError, RuntimeError, TypeError, ValueError])
def test_whatever_pillow_raises_is_damage(monkeypatch, error):
    def fail(*_, **__):
        raise error("inside")

    monkeypatch.setattr("PIL.ImageOps.exif_transpose", fail)
    with pytest.raises(DataError, match=r"^one is cut off or damaged \(inside\)$"):
        read_digit(picture(), "one")


# Modes


SIXTEEN_BITS = ["I;16", "I;16L", "I;16B", "I;16N"]
COLOURS = ["HSV", "LAB", "RGBX", "YCbCr", "CMYK"]
MODES = ["1", "L", "P", "RGB", "RGBA", "I", "F", "LA", "PA", "La", "RGBa", *COLOURS, *SIXTEEN_BITS]


def seven():
    """A seven in shades of grey from 30 to 220, 8 bits."""
    image = Image.new("L", (120, 160), 220)
    ImageDraw.Draw(image).line([(25, 30), (95, 30), (50, 135)], fill=30, width=14)
    return image


def of_mode(image, mode):
    """The same picture in another of Pillow's modes."""
    if mode in SIXTEEN_BITS:
        values = np.asarray(image).astype(np.uint16) * 257
        big = mode == "I;16B" or (mode == "I;16N" and sys.byteorder == "big")
        return Image.frombytes(mode, image.size, values.astype(">u2" if big else "<u2").tobytes())
    if mode == "1":
        return image.convert(mode, dither=Image.Dither.NONE)
    if mode == "PA":
        return image.convert("P").convert("PA")
    if mode in ("La", "RGBa"):
        return image.convert({"La": "LA", "RGBa": "RGBA"}[mode]).convert(mode)
    if mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        return ImageCms.profileToProfile(image.convert("RGB"), *profiles, outputMode="LAB")
    return image.convert("RGB").convert(mode) if mode in COLOURS else image.convert(mode)


@pytest.mark.parametrize("mode", MODES)
def test_a_digit_in_every_mode_of_pillow(mode, monkeypatch):
    """What a decoder may give, whether or not a format can store it."""
    expected = read_digit(as_png(seven()), "seven")
    image = of_mode(seven(), mode)
    assert image.mode == mode
    form = digit_form(_as_array(image))
    np.testing.assert_allclose(form, expected, atol=0.6 if mode == "1" else 0.02)
    assert np.abs(form - expected).mean() < (0.05 if mode == "1" else 0.003)


def as_png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "I;16"), ("TIFF", "I;16"), ("TIFF", "I;16B"), ("TIFF", "I")])
@pytest.mark.parametrize("most", [65535, 4095, 900])
def test_sixteen_bits_in_files(kind, mode, most):
    """Of big-endian TIFF, 16 bits were clipped to 8: a seven was read as a two."""
    values = (np.asarray(seven()) / 255 * most).round()
    if mode == "I":
        image = Image.fromarray(values.astype(np.int32))
    else:
        image = Image.frombytes(mode, seven().size, values.astype(">u2" if mode == "I;16B" else "<u2").tobytes())
    file = io.BytesIO()
    image.save(file, kind)
    np.testing.assert_allclose(read_digit(file.getvalue(), "seven"), read_digit(as_png(seven()), "seven"), atol=0.02)


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_transparent_colour_is_paper(mode):
    image = Image.new("L", (90, 90), 7)
    ImageDraw.Draw(image).line([(45, 18), (45, 72)], fill=0, width=9)
    if mode == "P":
        image = image.convert("P")
    elif mode == "RGB":
        image = image.convert("RGB")
    file = io.BytesIO()
    image.save(file, "PNG", transparency=(7, 7, 7) if mode == "RGB" else 7)
    form = read_digit(file.getvalue(), "one").reshape(28, 28)
    assert form[5:23, 13:15].mean() > 0.7
    assert form[:, :9].max() < 0.1


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\xef\xbb\xbf <?xml version='1.0'?><!-- drawn --><svg/>", "SVG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0", "HEIC"),
        (b"\0\0\0\x20ftypavif\0\0\0\0", "AVIF"),
        (b"%PDF-1.7\n", "PDF"),
    ],
)
def test_formats_that_are_not_read_are_named(content, name):
    with pytest.raises(DataError, match=f"^page is in the format {name}, which is not read; save it as PNG or JPEG$"):
        read_digit(content, "page")


@pytest.mark.parametrize("text", ["BMI,age,label", "RIFF,a,b,c", "GIF8,b", "II,a", "MM,b", "PKC,b", "1,2", "%,a"])
def test_tables_are_no_pictures(text):
    assert not is_image(text.encode()[:8])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"])
def test_pictures_are(kind):
    file = io.BytesIO()
    seven().convert("RGB").save(file, kind)
    assert is_image(file.getvalue()[:8])


# Size


@pytest.mark.parametrize(("mode", "seconds"), [("1", 5), ("L", 5), ("P", 8), ("RGB", 8), ("I;16", 8), ("LA", 10)])
def test_the_largest_picture_that_is_allowed(run_python, tmp_path, mode, seconds):
    """50 million pixels, in bounded time and memory."""
    path = tmp_path / "large.png"
    image = Image.new("1" if mode == "1" else "L", (7071, 7071), 1 if mode == "1" else 255)
    ImageDraw.Draw(image).line([(3500, 1500), (3500, 5500)], fill=0, width=500)
    if mode == "I;16":
        image = Image.frombytes("I;16", image.size, (np.asarray(image).astype("<u2") * 257).tobytes())
    image.convert(mode).save(path, compress_level=1)
    code = (
        "import sys, time, pathlib\n"
        "from fastmlp.datasets.images import read_digit\n"
        "from fastmlp.machine import peak_memory\n"
        f"content, before, start = pathlib.Path({str(path)!r}).read_bytes(), peak_memory(), time.perf_counter()\n"
        "form = read_digit(content, 'large')\n"
        "print(form.reshape(28, 28)[14].argmax(), time.perf_counter() - start, peak_memory() - before)"
    )
    middle, elapsed, memory = map(float, run_python(code).stdout.split())
    assert middle in (13, 14)
    assert elapsed < seconds
    assert memory < 700e6


def test_more_pixels_can_be_allowed(monkeypatch):
    content = picture(size=300)
    monkeypatch.setenv("FASTMLP_MAX_PIXELS", "89999")
    with pytest.raises(DataError, match=r"^one has 300 x 300 pixels, more than the 89,999 that are allowed; crop it"):
        read_digit(content, "one")
    monkeypatch.setenv("FASTMLP_MAX_PIXELS", "90000")
    read_digit(content, "one")


def test_a_picture_turned_by_its_camera_is_put_upright():
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    seven().rotate(90, expand=True).save(file, "PNG", exif=exif)
    np.testing.assert_allclose(read_digit(file.getvalue(), "seven"), read_digit(as_png(seven()), "seven"), atol=1e-5)


def test_what_was_cleaned_up_is_told_with_the_name():
    with pytest.warns(UserWarning, match=r"^one.png was cleaned up: a speck was left out$") as told:
        form = read_digit(picture(speck=True), "one.png")
    assert told[0].filename == __file__
    np.testing.assert_allclose(form, read_digit(picture(), "one.png"), atol=1e-5)
