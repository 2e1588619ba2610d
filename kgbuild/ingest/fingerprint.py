"""Says whether a catalogue has changed, without ingesting it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from kgbuild.config import CatalogueConfig
from kgbuild.identity import fingerprint
from kgbuild.ingest.catalogue import image_root
from kgbuild.ingest.files import CatalogueFile, catalogue_files
from kgbuild.ingest.pictures import sources_of
from kgbuild.ingest.read import HEAD_ROWS, read_rows

PICTURE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".jfif", ".ppm")
_BLOCK: Final = 1 << 20


def catalogue_fingerprint(catalogue: CatalogueConfig) -> str:
    """SHA-256 (64 hexadecimal digits) that is the same on every machine for the same catalogue.

    It covers the names and bytes of the catalogue's files and, when the first rows name pictures by local paths, the relative names and
    sizes of the picture files below the image root (hidden folders aside). A picture that was replaced by another of equal size is not
    noticed, nor is what lies behind URLs: `touch`ing is not a change either, since times differ from machine to machine.

    Raises:
        CatalogueError: the catalogue cannot be read.
    """
    content = [[file.name, _file_digest(file)] for file in catalogue_files(catalogue)]
    root = image_root(catalogue)
    pictures = list(_picture_files(Path(root))) if "://" not in root and _has_local_paths(catalogue, root) else []
    return fingerprint({"files": content, "pictures": pictures})


def _file_digest(file: CatalogueFile) -> str:
    digest = hashlib.sha256()
    with file.filesystem.open(file.path, "rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _has_local_paths(catalogue: CatalogueConfig, root: str) -> bool:
    """Whether one of the first rows names a picture by a path that is no URL."""
    batch = next(islice(read_rows(catalogue, batch_rows=HEAD_ROWS), 1), None)
    if batch is None:
        return False
    cells = (row.get(column) for row in batch.rows for column in catalogue.columns.images)
    sources = (source for cell in cells for source in sources_of(cell, where="", root=root))
    return any(
        source.data is None and "://" not in source.location and not source.location.startswith("data:")
        for source in sources
    )


def _picture_files(root: Path) -> Iterator[tuple[str, int]]:
    """Relative name and size of every picture file, in the order of names."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(PICTURE_SUFFIXES):
                path = Path(folder) / name
                yield path.relative_to(root).as_posix(), path.stat().st_size
