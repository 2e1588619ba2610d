"""Pictures made small: data URIs for the page, and a contact sheet for looking at prototypes."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import pyarrow as pa
from PIL import Image, ImageDraw, ImageFont, ImageOps

from kgbuild.pictures import decode_rgb

Pictures: TypeAlias = Callable[[Sequence[str]], Mapping[str, bytes]]
"""The bytes of pictures by sha256; those that are not there are left out."""

_AS_FOUND: Final = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_AS_FOUND_BYTES: Final = 8_000


def thumbnail_uri(picture: bytes, *, side: int) -> str | None:
    """A data URI of the picture with no side longer than `side` pixels; None when it cannot be decoded.

    A small picture of a common format goes in as it is; others become JPEG on white.
    """
    try:
        pixels = decode_rgb(picture, at_least=(side, side))
    except ValueError:
        return None
    with Image.open(io.BytesIO(picture)) as image:
        kind, fits = _AS_FOUND.get(image.format or ""), max(image.size) <= side
    if kind and fits and len(picture) <= _AS_FOUND_BYTES:
        return _uri(kind, picture)
    pixels.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    pixels.save(buffer, "JPEG", quality=82, optimize=True)
    return _uri("image/jpeg", buffer.getvalue())


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def contact_sheet(
    concepts: pa.Table,
    prototypes: pa.Table,
    images: pa.Table,
    pictures: Pictures,
    *,
    concept_ids: Sequence[str],
    per_concept: int = 8,
    cell: tuple[int, int] = (120, 160),
) -> bytes:
    """A PNG with one row a concept: its label and counts, then its prototypes in their order with their relevance."""
    rows = {row["concept_id"]: row for row in concepts.select(["concept_id", "label", "n_products"]).to_pylist()}
    sha_of = dict(zip(images["image_id"].to_pylist(), images["sha256"].to_pylist(), strict=True))
    chosen: dict[str, list[tuple[str, float]]] = {concept_id: [] for concept_id in concept_ids}
    ordered = prototypes.sort_by([("concept_id", "ascending"), ("prototype_rank", "ascending")])
    for row in ordered.select(["concept_id", "image_id", "relevance"]).to_pylist():
        own = chosen.get(row["concept_id"])
        if own is not None and len(own) < per_concept and row["image_id"] in sha_of:
            own.append((sha_of[row["image_id"]], row["relevance"]))
    found = pictures(sorted({sha for own in chosen.values() for sha, _ in own}))
    columns = max([1, *(len(own) for own in chosen.values())])
    width, height = 220 + columns * (cell[0] + 8), max(1, len(concept_ids)) * (cell[1] + 28)
    sheet = Image.new("RGB", (width, height), "white")
    for number, concept_id in enumerate(concept_ids):
        label, products = rows[concept_id]["label"], rows[concept_id]["n_products"]
        cells = [(found.get(sha, b""), f"{relevance:.2f}") for sha, relevance in chosen[concept_id]]
        _draw_row(ImageDraw.Draw(sheet), sheet, number * (cell[1] + 28), label, f"{products} products", cells, cell)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _draw_row(
    draw: ImageDraw.ImageDraw,
    sheet: Image.Image,
    top: int,
    label: str,
    below: str,
    cells: Sequence[tuple[bytes, str]],
    cell: tuple[int, int],
) -> None:
    large, small = ImageFont.load_default(17), ImageFont.load_default(12)
    draw.line([(0, top), (sheet.width, top)], fill="#dddddd")
    lines = [*_wrapped(draw, label, large, 200), below]
    for number, line in enumerate(lines):
        last = number == len(lines) - 1
        draw.text(
            (12, top + 12 + 22 * number), line, fill="#777777" if last else "black", font=small if last else large
        )
    for number, (content, caption) in enumerate(cells):
        left = 220 + number * (cell[0] + 8)
        picture = _fitted(content, cell)
        if picture is None:
            draw.rectangle((left, top + 6, left + cell[0], top + 6 + cell[1]), outline="#bb0000")
            continue
        sheet.paste(picture, (left + (cell[0] - picture.width) // 2, top + 6 + (cell[1] - picture.height) // 2))
        draw.text((left, top + cell[1] + 8), caption, fill="#777777", font=small)


def _fitted(content: bytes, cell: tuple[int, int]) -> Image.Image | None:
    try:
        return ImageOps.contain(decode_rgb(content, at_least=cell[::-1]), cell)
    except ValueError:
        return None


def _wrapped(
    draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> list[str]:
    lines: list[str] = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and draw.textlength(longer, font=font) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
