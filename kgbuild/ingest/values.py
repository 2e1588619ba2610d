"""What a cell says: as text, as one line, as the levels of a category, as attributes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from kgbuild.config import CatalogueConfig
from kgbuild.ingest.read import Reject, Row
from kgbuild.ingest.repair import decode, decode_escaped, repair_line


def cell_text(value: object) -> tuple[str, bool]:
    """A cell as text, and whether its bytes were UTF-8."""
    if value is None:
        return "", True
    if isinstance(value, bytes):
        return decode(value)
    if isinstance(value, str):
        return decode_escaped(value)
    if isinstance(value, bool):
        return str(value).lower(), True
    if isinstance(value, float):
        return ("" if value != value else str(int(value)) if value.is_integer() else repr(value)), True
    if isinstance(value, list):
        parts = [cell_text(item) for item in value]
        return ", ".join(text for text, _ in parts if text), all(utf8 for _, utf8 in parts)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str), True
    return str(value), True


def cell_line(value: object) -> str:
    """A cell as one repaired line; empty when there is nothing."""
    return repair_line(cell_text(value)[0])


def category_path(row: Row, catalogue: CatalogueConfig) -> Iterator[str]:
    """The levels of a category, broad to narrow: of several columns, of a list, or of one path."""
    columns = catalogue.columns.category
    for column in columns:
        value = row.get(column)
        parts: Iterable[object] = value if isinstance(value, list) else (value,)
        for part in parts:
            text = cell_line(part)
            levels = (
                text.split(catalogue.columns.category_separator)
                if len(columns) == 1 and catalogue.columns.category_separator
                else [text]
            )
            yield from (level.strip() for level in levels if level.strip())


def attributes_of(row: Row, columns: Iterable[str], product_id: str, rejects: list[Reject]) -> dict[str, str]:
    """Values by name; the keys of a JSON object stand for themselves, and of two equal names the first stays."""
    found: dict[str, str] = {}
    for column in columns:
        value = row.get(column)
        members: Mapping[object, object]
        if isinstance(value, str) and value.lstrip().startswith("{"):
            try:
                members = json.loads(value)
            except (json.JSONDecodeError, RecursionError) as error:
                rejects.append((product_id, "attribute_broken", f"{column}: no JSON: {error}"))
                continue
        else:
            members = value if isinstance(value, dict) else {column: value}
        for key, member in members.items():
            name, text = repair_line(str(key)), cell_line(member)
            if name and text:
                found.setdefault(name, text)
    return found
