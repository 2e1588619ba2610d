"""Encoded pictures to pixels: the one way in which every stage decodes them."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping

from PIL import Image, ImageOps, UnidentifiedImageError

_WHITE = (255, 255, 255, 255)
_ORIENTATION = 0x0112  # the EXIF tag
_TURNED = frozenset({5, 6, 7, 8})  # orientations whose width and height change places
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)


class PictureError(ValueError):
    """Pictures of a batch that cannot be decoded; `reasons` maps their index to why."""

    def __init__(self, reasons: Mapping[int, str]) -> None:
        super().__init__("; ".join(f"picture {index}: {reason}" for index, reason in sorted(reasons.items())))
        self.reasons = dict(reasons)


def decode_rgb(data: bytes, *, at_least: tuple[int, int] | None = None) -> Image.Image:
    """Decode a JPEG, PNG or WebP picture to RGB, turned as its EXIF says, transparent parts on white.

    Args:
        data: the encoded picture.
        at_least: (height, width) wanted. A JPEG is then decoded at the smallest of 1/1, 1/2, 1/4, 1/8 of its size that is
            not below it, which the decoder does several times faster than decoding in full.

    Raises:
        ValueError: the bytes are no picture, or a damaged one.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if at_least is not None:
                turned = picture.getexif().get(_ORIENTATION) in _TURNED
                picture.draft("RGB", at_least if turned else at_least[::-1])
            picture.load()
            return _on_white(ImageOps.exif_transpose(picture))
    except UnidentifiedImageError as error:
        raise ValueError(f"no known picture format, begins with {data[:8]!r}") from error
    except _BROKEN as error:
        raise ValueError(f"cannot be decoded ({type(error).__name__}: {error})") from error


def _on_white(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    canvas = Image.new("RGBA", picture.size, _WHITE)
    return Image.alpha_composite(canvas, picture.convert("RGBA")).convert("RGB")
