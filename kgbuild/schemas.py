"""Writes `schemas/`: the tables, the configuration file, the graph's constraints and indexes, for those who read them without kgbuild.

    python -m kgbuild.schemas schemas

The files are made from the code and tested for drift; they are not to be edited.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kgbuild.config import config_schema
from kgbuild.tables import TABLES, TableSpec

FOLDER: Final = Path("schemas")


def table_schemas() -> dict[str, Any]:
    """Every table: its key (also its order), the stage that writes it, what a row says, its columns."""
    return {name: _table(spec) for name, spec in TABLES.items()}


def render() -> Mapping[str, str]:
    """The text of every file, by name."""
    from kgbuild.graph.cypher import schema_text

    return {
        "tables.json": _json(table_schemas()),
        "config.schema.json": _json(config_schema()),
        "graph.cypher": schema_text(),
    }


def write(folder: Path) -> list[Path]:
    """Write all files; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in render().items():
        (folder / name).write_text(text, "utf-8")
        paths.append(folder / name)
    return paths


def _table(spec: TableSpec) -> dict[str, Any]:
    columns = [{"name": field.name, "type": str(field.type), "nullable": field.nullable} for field in spec.schema]
    return {"key": list(spec.key), "writer": spec.writer, "about": spec.about, "columns": columns}


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
