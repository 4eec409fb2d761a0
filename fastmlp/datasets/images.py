"""Pictures of digits, as a camera, a scanner or a drawing program saves them, as inputs of a net."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Float32Array
from fastmlp.caller import warn_caller
from fastmlp.datasets.digit_form import cleaned_form, reduction
from fastmlp.datasets.limits import check_pixels
from fastmlp.errors import DataError, InvalidValueError, MissingLibraryError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["IMAGE_SUFFIXES", "is_image", "read_digit"]

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")  # for PostScript, say, Pillow would run another program
_UNREAD_SUFFIXES = (".heic", ".heif", ".avif", ".svg", ".pdf")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", *_UNREAD_SUFFIXES)
"""The endings of the names of pictures, also of those in formats that are not read."""

_MAGICS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"%PDF", b"<svg", b"<?xml")
_TRANSPARENT = ("LA", "La", "PA", "RGBA", "RGBa")


def is_image(content: bytes) -> bool:
    """Return whether bytes, of which the first eight will do, begin as a picture's do and as no text does.

    >>> is_image(b"1,2,3"), is_image(b"\\x89PNG..."), is_image(b"BMI,age,label")
    (False, True, False)
    """
    bmp = content.startswith(b"BM") and content[6:8] == b"\0\0"
    webp = content.startswith(b"RIFF") and content[7:8] == b"\0"
    heic = content[:2] == b"\0\0" and content[4:8] == b"ftyp"
    return bmp or webp or heic or content.startswith(_MAGICS)


def read_digit(content: bytes, name: str) -> Float32Array:
    """Return the picture of one digit in MNIST's form (784,) float32; `name` is what messages call it.

    Any size, grey, colour or with opacity (on white paper); dark on light or light on dark. A UserWarning says what was
    cleaned up: see `digit_form`. Raises DataError where `content` is not a picture, is too large (see `limits`), shows
    nothing or several things; ImportError where Pillow is missing.

    >>> from PIL import Image, ImageDraw
    >>> picture, file = Image.new("L", (60, 80), 255), io.BytesIO()
    >>> ImageDraw.Draw(picture).line([(30, 10), (30, 70)], fill=0, width=6)
    >>> picture.save(file, "PNG")
    >>> read_digit(file.getvalue(), "one.png").reshape(28, 28)[14].argmax()
    np.int64(14)
    """
    pixels = _pixels(content, name)
    try:
        form, cleaned = cleaned_form(pixels)
    except InvalidValueError as error:
        raise DataError(f"{name}: {error}") from None
    if cleaned:
        warn_caller(f"{name} was cleaned up: {', '.join(cleaned)}")
    return form


def _pixels(content: bytes, name: str) -> NDArray[Any]:
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError:
        raise MissingLibraryError("reading pictures needs Pillow: pip install 'fastmlp[images]'") from None
    if not content:
        raise DataError(f"{name} is empty")
    if unread := _unread_format(content):
        raise DataError(f"{name} is in the format {unread}, which is not read; save it as PNG or JPEG")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # there is a lower limit of our own
        try:
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:  # reads no more than the header
                check_pixels(name, *image.size)
                ImageOps.exif_transpose(image, in_place=True)
                return _as_array(image)
        except DataError:
            raise
        except Image.DecompressionBombError:
            most = 2 * (Image.MAX_IMAGE_PIXELS or 0)  # what Pillow refuses by itself
            raise DataError(f"{name} has more than {most:,} pixels; crop it to the digit, or make it smaller") from None
        except UnidentifiedImageError:
            raise DataError(f"{name} is not a picture in a known format; save it as PNG or JPEG") from None
        except MemoryError:
            raise DataError(f"{name} is too large for the memory of this machine") from None
        except Exception as error:  # noqa: BLE001 - Pillow has a reader per format, and each fails in its own ways
            raise DataError(f"{name} is cut off or damaged ({error})") from None


def _unread_format(content: bytes) -> str | None:
    """Return the name of a format that many programs write and that is not read here, None for others."""
    if content[:2] == b"\0\0" and content[4:8] == b"ftyp":
        return "AVIF" if content[8:11] == b"avi" else "HEIC"
    if content.startswith(b"%PDF"):
        return "PDF"
    start = content[:2000].lstrip(b"\xef\xbb\xbf \t\r\n")
    return "SVG" if start.startswith((b"<svg", b"<?xml", b"<!DOCTYPE svg")) and b"<svg" in content[:100_000] else None


def _as_array(image: Picture) -> NDArray[Any]:
    """Return a picture, whatever its mode, as grey (h, w), colour (h, w, 3) or that with opacity (h, w, 4)."""
    if image.mode[0] in "IF":  # whole numbers of 16 or 32 bits in either order of bytes, or floats
        return np.asarray(image)
    if image.mode == "La":
        image = image.convert("LA")
    if image.mode in _TRANSPARENT or "transparency" in image.info:
        image = image.convert("RGBA")
    else:
        image = image.convert("L" if image.mode in ("1", "L") else "RGB")
    return np.asarray(image.reduce(reduction(image.height, image.width)))  # for some formats, 100 MB less
