"""What the first rows of a catalogue say of each of its columns."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from statistics import mean
from typing import Final

from kgbuild.ingest.fingerprint import PICTURE_SUFFIXES
from kgbuild.ingest.pictures import PictureError, check_picture, fetch_all, sources_of
from kgbuild.ingest.read import Row
from kgbuild.ingest.repair import decode_escaped, repair_text

_PICTURES_TRIED: Final = 5


@dataclass(frozen=True)
class ColumnFacts:
    """What the first rows say of a column."""

    name: str
    rows: int
    filled: int
    distinct: int
    words: float
    characters: float
    is_bytes: bool
    is_json: bool
    is_number: bool
    looks_like_pictures: bool
    examples: tuple[str, ...]

    @property
    def plain(self) -> str:
        """The name without case, blanks and punctuation."""
        return re.sub(r"[^a-z0-9]", "", self.name.lower())

    @property
    def is_text(self) -> bool:
        """Whether it holds words, not numbers, bytes, objects or pictures."""
        return self.filled > 0 and not (self.is_bytes or self.is_json or self.is_number or self.looks_like_pictures)


def column_facts(name: str, rows: Sequence[Row], root: str) -> ColumnFacts:
    """Look at one column; `root` is what image paths are relative to."""
    cells = [row.get(name) for row in rows]
    filled = [cell for cell in cells if cell is not None and cell not in ("", b"", [], {})]
    texts = [_as_text(cell) for cell in filled]
    words = [len(repair_text(text).split()) for text in texts]
    return ColumnFacts(
        name=name,
        rows=len(rows),
        filled=len(filled),
        distinct=len(set(texts)),
        words=mean(words) if words else 0.0,
        characters=mean(map(len, texts)) if texts else 0.0,
        is_bytes=bool(filled) and all(isinstance(cell, bytes) for cell in filled),
        is_json=bool(filled)
        and all(isinstance(cell, dict) or _is_json_object(text) for cell, text in zip(filled, texts, strict=True)),
        is_number=bool(filled) and all(_is_number(text) for text in texts),
        looks_like_pictures=_look_like_pictures(filled, root),
        examples=tuple(text for text, _ in Counter(texts).most_common(3)),
    )


def _look_like_pictures(filled: Sequence[object], root: str) -> bool:
    """Whether the first cells hold pictures: bytes that decode, or names that end as pictures do or exist as files."""
    sources = [source for cell in filled[:50] for source in sources_of(cell, where="", root=root)][:_PICTURES_TRIED]
    if not sources:
        return False
    if any(source.data is not None for source in sources):
        return any(
            _decodes(data) for data in fetch_all([s for s in sources if s.data is not None], timeout_seconds=1.0)
        )
    return sum(_ends_like_picture(source.location) for source in sources) > len(sources) / 2


def _ends_like_picture(location: str) -> bool:
    path = location.split("?")[0].split("#")[0] if "://" in location else location
    return location.startswith("data:image/") or PurePosixPath(path).suffix.lower() in PICTURE_SUFFIXES


def _decodes(data: bytes | PictureError) -> bool:
    if isinstance(data, PictureError):
        return False
    try:
        check_picture(data, max_side=4096)
    except PictureError:
        return False
    return True


def _as_text(cell: object) -> str:
    if isinstance(cell, bytes):
        return f"{len(cell)} bytes {cell[:24].hex()}"
    if isinstance(cell, (dict, list)):
        return json.dumps(cell, ensure_ascii=False, sort_keys=True, default=str)
    return decode_escaped(cell)[0] if isinstance(cell, str) else str(cell)


def _is_json_object(text: str) -> bool:
    if not text.lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(text), dict)
    except (json.JSONDecodeError, RecursionError):
        return False


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"\s*[-+]?[\d.,]+(?:[eE][-+]?\d+)?\s*%?", text))
