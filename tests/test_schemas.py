"""What lies in `schemas/` is what the code says, and the config schema accepts and refuses as the config does."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from kgbuild import schemas
from kgbuild.config import Config, config_schema, config_to_dict, to_toml
from kgbuild.tables import TABLES

REPOSITORY = Path(__file__).parent.parent


@pytest.mark.parametrize("name", schemas.render())
def test_the_files_are_what_the_code_says(name: str) -> None:
    kept = REPOSITORY / "schemas" / name
    assert kept.read_text("utf-8") == schemas.render()[name], "renew them: make schemas"


def test_there_are_no_other_files() -> None:
    assert {path.name for path in (REPOSITORY / "schemas").iterdir()} == set(schemas.render())


def test_drift_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schemas.write(tmp_path)
    assert {path.name: path.read_text("utf-8") for path in tmp_path.iterdir()} == dict(schemas.render())
    spec = TABLES["texts"]
    wider = spec.__class__(
        spec.name, spec.key, spec.schema.append(pa.field("language", pa.string())), spec.writer, spec.about
    )
    monkeypatch.setattr(schemas, "TABLES", {**TABLES, "texts": wider})
    assert schemas.render()["tables.json"] != (tmp_path / "tables.json").read_text("utf-8")


def test_every_table_is_described_column_by_column() -> None:
    described = schemas.table_schemas()
    assert set(described) == set(TABLES)
    for name, spec in TABLES.items():
        columns = described[name]["columns"]
        assert [column["name"] for column in columns] == spec.schema.names
        assert [column["nullable"] for column in columns] == [field.nullable for field in spec.schema]
        assert set(described[name]["key"]) <= {column["name"] for column in columns}


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """As much of JSON Schema as the config's uses."""
    kind = schema["type"]
    if kind == "object":
        known = schema["properties"]
        return isinstance(value, dict) and all(
            key in known and _fits(inner, known[key]) for key, inner in value.items()
        )
    if kind == "array":
        return isinstance(value, list) and all(_fits(item, schema["items"]) for item in value)
    types: dict[str, tuple[type, ...]] = {
        "string": (str,),
        "boolean": (bool,),
        "integer": (int,),
        "number": (int, float),
    }
    if not isinstance(value, types[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return False
    inside = (
        schema.get("minimum", value) <= value <= schema.get("maximum", value) if kind in ("integer", "number") else True
    )
    return inside and value in schema.get("enum", [value])


def test_the_config_schema_takes_what_is_written() -> None:
    assert _fits(config_to_dict(Config()), config_schema())
    assert _fits(tomllib.loads(to_toml(Config())), config_schema())


@pytest.mark.parametrize(
    "text",
    [
        "sead = 1",
        "seed = -1",
        'seed = "1"',
        "[prototypes]\nmmr_lambda = 1.5",
        '[encoder]\nprecision = "fp8"',
        '[hierarchy]\nrules = ["guess"]',
    ],
)
def test_the_config_schema_refuses_what_the_config_refuses(text: str) -> None:
    assert not _fits(tomllib.loads(text), config_schema())


def test_the_config_schema_gives_help_and_defaults() -> None:
    def leaves(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        if schema["type"] != "object":
            return [schema]
        return [leaf for inner in schema["properties"].values() for leaf in leaves(inner)]

    found = leaves(config_schema())
    assert len(found) > 40
    assert all(leaf["description"] and _fits(leaf["default"], leaf) for leaf in found)
    json.dumps(found)
