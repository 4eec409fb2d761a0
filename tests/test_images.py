"""Pictures of every kind as inputs of a net; and what is none."""

import io

import pytest

from fastmlp.datasets.images import read_digit
from fastmlp.errors import DataError

Image = pytest.importorskip("PIL.Image")
from PIL import ImageDraw  # noqa: E402


def picture(**options):
    """A one, as a picture file's bytes."""
    mode, paper, ink, size, kind = ({"mode": "L", "paper": 255, "ink": 0, "size": 90, "kind": "PNG"} | options).values()
    image = Image.new(mode, (size, size), paper)
    middle = size // 2
    ImageDraw.Draw(image).line([(middle, size // 5), (middle, 4 * size // 5)], fill=ink, width=max(1, size // 10))
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


def blank():
    file = io.BytesIO()
    Image.new("L", (50, 50), 200).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("error", [AttributeError, IndexError, OverflowError, RuntimeError, TypeError, ValueError])
def test_whatever_pillow_raises_is_damage(monkeypatch, error):
    def fail(*_):
        raise error("inside")

    monkeypatch.setattr("PIL.ImageOps.exif_transpose", fail)
    with pytest.raises(DataError, match=r"^one is cut off or damaged \(inside\)$"):
        read_digit(picture(), "one")
