"""Fetches the pictures of a product and checks each by decoding it."""

from __future__ import annotations

import hashlib
import io
import struct
import sys
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import fsspec
from PIL import Image, ImageOps, UnidentifiedImageError

from kgbuild.ingest.files import backend_error

MIN_SIDE: Final = 16
"""Pixels; smaller pictures are tracking dots and icons."""
MAX_PIXELS: Final = 80_000_000
MAX_BYTES: Final = 1 << 27
FETCHES: Final = 16
"""Pictures behind URLs that are fetched at a time."""
JPEG_QUALITY: Final = 90
_KEPT_FORMATS: Final = frozenset(("JPEG", "PNG", "WEBP"))
_KEPT_MODES: Final = frozenset(("RGB", "L"))
_ORIENTATION: Final = 0x0112
_DECODE_ERRORS: Final = (
    OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, IndexError, KeyError, TypeError, OverflowError,
    NotImplementedError, Image.DecompressionBombError,
)  # fmt: skip


class PictureError(Exception):
    """A picture that cannot be used: the reason for `rejects`, and what was wrong."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Picture:
    """A checked picture: its size and hash as the catalogue had it, upright, and its bytes as they are kept."""

    width: int
    height: int
    sha256: str
    data: bytes


@dataclass(frozen=True)
class Source:
    """Where a picture comes from: its bytes, or where to fetch them."""

    uri: str
    data: bytes | None = None
    location: str = ""


def sources_of(value: object, *, where: str, root: str) -> Iterator[Source]:
    """The pictures that a cell names: bytes, a path, a URL, several parted by "|", a list of these, or {"bytes", "path"}.

    Args:
        value: the cell.
        where: the uri of bytes that have none.
        root: folder or URL that relative paths are taken from.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        if len(value):
            yield Source(where, bytes(value))
    elif isinstance(value, str):
        for part in (value,) if value.startswith("data:") else value.split("|"):
            name = part.strip()
            if name.startswith("data:"):
                yield Source(where, location=name)
            elif name:
                yield Source(name, location=_location(name, root))
    elif isinstance(value, dict):
        yield from sources_of(
            value.get("bytes") or value.get("path") or value.get("url") or value.get("src"), where=where, root=root
        )
    elif isinstance(value, Sequence):
        for index, item in enumerate(value):
            yield from sources_of(item, where=where if index == 0 else f"{where}/{index}", root=root)


def fetch_all(sources: Sequence[Source], *, timeout_seconds: float) -> Iterator[bytes | PictureError]:
    """The bytes of every source in their order, or why there are none; those behind URLs are fetched some ahead, side by side.

    At most `2 * FETCHES` fetched pictures are held at a time.
    """
    if not any(_is_remote(source) for source in sources):
        yield from map(_read_local, sources)
        return

    def fetch(source: Source) -> bytes | PictureError:
        return _fetch_url(source.location, timeout_seconds) if _is_remote(source) else _read_local(source)

    with ThreadPoolExecutor(FETCHES) as pool:
        for start in range(0, len(sources), 2 * FETCHES):
            yield from pool.map(fetch, sources[start : start + 2 * FETCHES])


def check_picture(data: bytes, *, max_side: int) -> Picture:
    """Decode a picture and make what is kept of it.

    The bytes stay as found when they are JPEG, PNG or WebP in RGB or grey, upright, and no side is longer than `max_side` pixels;
    otherwise they become a JPEG (transparency on white, first frame) that fits. Size and hash are of the picture as found, upright.

    Raises:
        PictureError: it cannot be decoded to its end, or is too small or too large.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            return _checked(image, data, max_side)
    except _DECODE_ERRORS as error:
        if isinstance(error, Image.DecompressionBombError):
            raise PictureError("image_too_large", str(error)) from error
        if isinstance(error, UnidentifiedImageError):  # its message holds an address in memory
            raise PictureError("image_broken", f"no picture of a known format, it begins with {data[:16]!r}") from error
        raise PictureError("image_broken", f"{type(error).__name__}: {error}") from error


def _checked(image: Image.Image, data: bytes, max_side: int) -> Picture:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise PictureError("image_too_large", f"{width} x {height} pixels, more than {MAX_PIXELS:,}")
    turned = int(image.getexif().get(_ORIENTATION, 1) or 1)
    upright = (height, width) if turned >= 5 else (width, height)
    if min(width, height) < MIN_SIDE:
        raise PictureError("image_too_small", f"{width} x {height} pixels, less than {MIN_SIDE} on a side")
    kept = image.format in _KEPT_FORMATS and max(width, height) <= max_side and turned in (0, 1) and _is_plain(image)
    if image.format == "JPEG":
        image.draft("RGB", (max_side * 2, max_side * 2))  # decodes at a fraction of the size where that suffices
    image.load()
    sha256 = hashlib.sha256(data).hexdigest()
    return Picture(*upright, sha256, data if kept else _reduced(image, max_side))


def _is_plain(image: Image.Image) -> bool:
    return image.mode in _KEPT_MODES and "transparency" not in image.info and getattr(image, "n_frames", 1) == 1


def _reduced(image: Image.Image, max_side: int) -> bytes:
    upright = ImageOps.exif_transpose(image)
    rgb = _on_white(upright)
    if max(rgb.size) > max_side:
        rgb.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    rgb.save(stream, "JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=False, progressive=False)
    return stream.getvalue()


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):  # 16 and 32 bit grey
        low, high = image.getextrema()
        span = max(float(high) - float(low), 1.0)  # type: ignore[arg-type]
        image = image.convert("F").point(lambda v: (v - float(low)) * (255.0 / span)).convert("L")  # type: ignore[arg-type]
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        over = image.convert("RGBA")
        ground = Image.new("RGBA", over.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, over).convert("RGB")
    return image.convert("RGB")


def _location(name: str, root: str) -> str:
    if "://" in name or Path(name).is_absolute():
        return name
    return f"{root.rstrip('/')}/{name}" if "://" in root else str(Path(root) / name)


def _is_remote(source: Source) -> bool:
    return source.data is None and "://" in source.location and not source.location.startswith("data:")


def _read_local(source: Source) -> bytes | PictureError:
    if source.data is not None:
        return source.data
    return _read_inline(source.location) if source.location.startswith("data:") else _read_path(Path(source.location))


def _read_path(path: Path) -> bytes | PictureError:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            return PictureError("image_too_large", f"{path}: {size:,} bytes")
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return PictureError("image_absent", f"there is no file {path}")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        return PictureError("image_unreadable", f"{path}: {error}")


def _read_inline(location: str) -> bytes | PictureError:
    try:
        with fsspec.open(location, "rb") as stream:
            return bytes(stream.read())
    except (ValueError, OSError) as error:
        return PictureError("image_broken", f"data: address: {error}")


def _fetch_url(url: str, timeout_seconds: float) -> bytes | PictureError:
    """One picture behind a URL. Asynchronous backends (http, s3, gs, az) stop after the time; the others are local or in memory.

    A backend that is not installed is an error of the set-up, not of the row: it is raised.
    """
    try:
        filesystem, path = fsspec.url_to_fs(url)
    except ImportError as error:
        raise backend_error(url, error) from error
    except ValueError as error:
        return PictureError("image_absent", f"{url}: {error}")
    try:
        data = _cat(filesystem, path, timeout_seconds)
    except FileNotFoundError:
        return PictureError("image_absent", f"there is nothing at {url}")
    except (fsspec.exceptions.FSTimeoutError, TimeoutError):
        return PictureError("image_timeout", f"{url} took more than {timeout_seconds:g} s")
    except _network_errors() as error:
        return PictureError("image_unreachable", f"{url}: {type(error).__name__}: {error}")
    return data if len(data) <= MAX_BYTES else PictureError("image_too_large", f"{url}: {len(data):,} bytes")


def _network_errors() -> tuple[type[Exception], ...]:
    """What a backend raises when a server refuses; aiohttp's errors derive from no built-in one, and it is there only if it was used."""
    client = sys.modules.get("aiohttp")
    return (OSError, ValueError, RuntimeError, *((client.ClientError,) if client else ()))


def _cat(filesystem: Any, path: str, timeout_seconds: float) -> bytes:
    if getattr(filesystem, "async_impl", False):
        return bytes(
            filesystem.cat_file(path, timeout=timeout_seconds)
        )  # the wrapper of async backends takes the timeout
    return bytes(filesystem.cat_file(path))
