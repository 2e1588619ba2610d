"""The files of a catalogue, local or behind an fsspec URL: where they are, their formats, and how they are opened."""

from __future__ import annotations

import gzip
import io
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import IO, Any, Final

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from kgbuild.config import CatalogueConfig
from kgbuild.errors import CatalogueError, KgbuildError, MissingExtraError

SUFFIXES: Final = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl",
}  # fmt: skip


@dataclass(frozen=True)
class CatalogueFile:
    """One file of a catalogue: where it is, its name relative to the catalogue, its format."""

    filesystem: Any
    path: str
    name: str
    format: str

    @property
    def compressed(self) -> bool:
        """Whether it is gzipped."""
        return self.path.endswith(".gz")


def catalogue_files(catalogue: CatalogueConfig) -> list[CatalogueFile]:
    """The files of a catalogue: the one it names, or those of the folder (not of its sub-folders) by name, hidden ones left out.

    Raises:
        CatalogueError: nothing is there, or nothing of a known format.
    """
    if not catalogue.path:
        raise CatalogueError("catalogue.path is empty", "name a Parquet, CSV or JSON Lines file, or a folder of them")
    filesystem, path = _locate(catalogue.path)
    if filesystem.isfile(path):
        return [_file(filesystem, path, catalogue.format)]
    if not filesystem.isdir(path):
        raise CatalogueError(f"there is no catalogue at {catalogue.path}", _nearest_name(filesystem, path))
    found = sorted(p for p in filesystem.ls(path, detail=False) if filesystem.isfile(p))
    visible = [p for p in found if not posixpath.basename(p).startswith((".", "_"))]
    chosen = [
        p
        for p in visible
        if _format_of_name(p) in ({catalogue.format} if catalogue.format != "auto" else set(SUFFIXES.values()))
    ]
    if not chosen:
        known = ", ".join(SUFFIXES)
        raise CatalogueError(
            f"the folder {catalogue.path} holds no catalogue file ({len(visible)} other files)",
            f"known endings: {known}, and .gz after them",
        )
    return [CatalogueFile(filesystem, p, posixpath.basename(p), _format_of_name(p)) for p in chosen]


def backend_error(url: str, error: ImportError) -> KgbuildError:
    """What to raise when fsspec lacks the package behind a URL's protocol."""
    protocol = url.partition("://")[0]
    if protocol in ("http", "https"):
        return MissingExtraError("aiohttp", "urls")
    return CatalogueError(f"{protocol}:// cannot be read: {error}", "install the package that it names")


def _locate(path: str) -> tuple[Any, str]:
    try:
        filesystem, inside = fsspec.url_to_fs(path)
    except ImportError as error:
        raise backend_error(path, error) from error
    except ValueError as error:
        message = f"{path} has a protocol that is not known: {error}"
        raise CatalogueError(message, "use a path, or a URL that fsspec knows") from error
    return filesystem, str(inside)


def _nearest_name(filesystem: Any, path: str) -> str:
    """What to try instead: the nearest name beside the one that is missing."""
    folder, name = posixpath.split(path.rstrip("/"))
    if not folder or not filesystem.isdir(folder):
        return f"the folder {folder or '/'} does not exist either" if folder else "check the path"
    names = sorted(posixpath.basename(p.rstrip("/")) for p in filesystem.ls(folder, detail=False))
    near = get_close_matches(name, names, n=1, cutoff=0.4)
    return (
        f"did you mean {posixpath.join(folder, near[0])!r}?"
        if near
        else f"in {folder} there are: {', '.join(names[:8]) or 'no files'}"
    )


def _format_of_name(path: str) -> str:
    name = path.removesuffix(".gz").lower()
    return next((kind for suffix, kind in SUFFIXES.items() if name.endswith(suffix)), "")


def _file(filesystem: Any, path: str, wanted: str) -> CatalogueFile:
    kind = wanted if wanted != "auto" else _format_of_name(path) or _format_of_bytes(filesystem, path)
    if not kind:
        raise CatalogueError(
            f"{path} is of no known format", f"known endings: {', '.join(SUFFIXES)}; or set catalogue.format"
        )
    return CatalogueFile(filesystem, path, posixpath.basename(path), kind)


def _format_of_bytes(filesystem: Any, path: str) -> str:
    with filesystem.open(path, "rb") as stream:
        head = stream.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"PAR1"):
        return "parquet"
    return "jsonl" if head.startswith(b"{") else ""


@contextmanager
def open_bytes(file: CatalogueFile) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked."""
    with file.filesystem.open(file.path, "rb") as raw:
        if not file.compressed:
            yield raw
            return
        with gzip.GzipFile(fileobj=raw) as unpacked:
            yield unpacked  # type: ignore[misc]


@contextmanager
def open_text(file: CatalogueFile) -> Iterator[io.TextIOWrapper]:
    """The file as text; bytes that are not UTF-8 stay as escapes, which the repair of texts turns back and reports."""
    with open_bytes(file) as raw:
        first = raw.read(2)
        raw.seek(0)
        encoding = "utf-16" if first in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        with io.TextIOWrapper(
            raw, encoding=encoding, errors="surrogateescape" if encoding != "utf-16" else "replace", newline=""
        ) as text:
            try:
                yield text
            except (EOFError, gzip.BadGzipFile) as error:
                raise CatalogueError(f"{file.path} is damaged: {error}", "copy or export it again") from error


@contextmanager
def open_parquet(file: CatalogueFile) -> Iterator[pq.ParquetFile]:
    """A Parquet file; one that is none, or damaged, raises CatalogueError."""
    with file.filesystem.open(file.path, "rb") as raw:
        try:
            yield pq.ParquetFile(raw)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            raise CatalogueError(
                f"{file.path} is no readable Parquet file: {error}", "export it again, or set catalogue.format"
            ) from error
