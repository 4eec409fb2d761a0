"""Pictures of digits, as a camera, a scanner or a drawing program saves them, as inputs of a net."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Float32Array
from fastmlp.datasets.digit_form import digit_form
from fastmlp.errors import DataError, InvalidValueError, MissingLibraryError

__all__ = ["IMAGE_SUFFIXES", "is_image", "read_digit"]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")  # for PostScript, say, Pillow would run another program
_MAGICS = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8", b"II*\0", b"MM\0*", b"RIFF")


def is_image(content: bytes) -> bool:
    """Return whether bytes begin as a picture's do.

    >>> is_image(b"1,2,3"), is_image(b"\\x89PNG...")
    (False, True)
    """
    return content.startswith(_MAGICS)


def read_digit(content: bytes, name: str) -> Float32Array:
    """Return the picture of one digit in MNIST's form (784,) float32; `name` is what messages call it.

    Any size, grey, colour or with opacity (on white paper); dark on light or light on dark. Raises DataError where
    `content` is not a picture, is too large, or shows nothing; ImportError where Pillow is missing.

    >>> from PIL import Image, ImageDraw
    >>> picture, file = Image.new("L", (60, 80), 255), io.BytesIO()
    >>> ImageDraw.Draw(picture).line([(30, 10), (30, 70)], fill=0, width=6)
    >>> picture.save(file, "PNG")
    >>> read_digit(file.getvalue(), "one.png").reshape(28, 28)[14].argmax()
    np.int64(14)
    """
    pixels = _pixels(content, name)
    try:
        return digit_form(pixels)
    except InvalidValueError as error:
        raise DataError(f"{name}: {error}") from None


def _pixels(content: bytes, name: str) -> NDArray[Any]:
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError:
        raise MissingLibraryError("reading pictures needs Pillow: pip install 'fastmlp[images]'") from None
    if not content:
        raise DataError(f"{name} is empty")
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                upright = ImageOps.exif_transpose(image)
                if upright.mode in ("L", "I", "I;16", "F"):
                    return np.asarray(upright)
                return np.asarray(upright.convert("RGBA"))
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise DataError(
                f"{name} has more than {Image.MAX_IMAGE_PIXELS:,} pixels; crop it to the digit, or make it smaller"
            ) from None
        except UnidentifiedImageError:
            raise DataError(f"{name} is not a picture in a known format; save it as PNG or JPEG") from None
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - Pillow has a reader per format, and each fails in its own ways
            raise DataError(f"{name} is cut off or damaged ({error})") from None
