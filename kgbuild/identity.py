"""Content ids and fingerprints: the same content has the same id on every machine and in every run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

_SEPARATOR = b"\x1f"


def content_id(kind: str, *parts: str) -> str:
    """The id of a thing by what it is: 16 hexadecimal digits (64 bits) of a SHA-256 over `kind` and `parts`.

    Parts are joined by a separator that text does not contain, so ("ab", "c") and ("a", "bc") differ.
    At 1e8 ids of a kind the chance of any collision is below 3e-4.
    """
    encoded = (part.encode("utf-8", "surrogatepass") for part in (kind, *parts))
    return hashlib.sha256(_SEPARATOR.join(encoded)).hexdigest()[:16]


def concept_id(head_noun: str, modifiers: Iterable[str]) -> str:
    """The id of a concept: its head noun and the set of its modifiers, whose order does not matter."""
    return content_id("concept", head_noun, *sorted(set(modifiers)))


def text_id(product_id: str, field: str, text: str) -> str:
    """The id of one text of a product; the same words under another field are another text."""
    return content_id("text", product_id, field, text)


def image_id(product_id: str, sha256: str) -> str:
    """The id of one picture of a product; `sha256` is of the picture's bytes as the catalogue had them.

    It begins as the picture's hash does (24 hexadecimal digits in all), so that images and pictures lie in the same order and a
    shard of images needs one contiguous range of pictures.
    """
    return sha256[:12] + content_id("image", product_id, sha256)[:12]


def fingerprint(value: object) -> str:
    """SHA-256 (64 hexadecimal digits) of a value made of plain JSON types, independent of the order of keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, or of a folder's files (relative names and bytes, in the order of names)."""
    digest = hashlib.sha256()
    for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        if path.is_dir():
            digest.update(file.relative_to(path).as_posix().encode() + _SEPARATOR)
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
