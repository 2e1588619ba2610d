"""A pipeline of cheap stages with the shapes of the real ones: a map over texts that looks at products, a global stage, a map over images.

`install` puts it in the place of the real one. Run as a program it builds (or expands) in a process of its own, which can be told to die
at a given point: `python tests/cheap_stages.py OUT CATALOGUE [--expand FILE] [--kill POINT] [--set key=value ...]`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from kgbuild import build as build_module
from kgbuild import release as release_module
from kgbuild import shards as shards_module
from kgbuild import stages as stages_module
from kgbuild import table_files
from kgbuild.config import CatalogueConfig, ColumnsConfig, ConceptsConfig, Config, RunConfig
from kgbuild.errors import KgbuildError
from kgbuild.identity import concept_id
from kgbuild.stages import Stage, rows_between, rows_with
from kgbuild.table_files import TableFolder
from kgbuild.tables import TABLES, reject_rows

Tables = Mapping[str, pa.Table]
WORKED_ON: list[tuple[str, list[str]]] = []
"""What each call of a map stage was given: the stage and the keys."""


def _table(name: str, rows: Sequence[Mapping[str, object]]) -> pa.Table:
    return pa.Table.from_pylist([dict(row) for row in rows], schema=TABLES[name].schema)


def mine_words(shard: pa.Table, tables: TableFolder, config: Config) -> Tables:
    """Each word of a text is a mention, but for the brand of its product; a text with "?" is rejected."""
    WORKED_ON.append(("mentions", shard["text_id"].to_pylist()))
    products = rows_with(tables, "products", "product_id", shard["product_id"]).to_pylist()
    brands = {row["product_id"]: row["brand"] for row in products}
    mentions, rejects = [], []
    for row in shard.to_pylist():
        if "?" in row["text"]:
            rejects.append((row["text_id"], "a_question", row["text"]))
            continue
        at = 0
        for word in row["text"].split():
            start = row["text"].index(word, at)
            at = start + len(word)
            if word != brands[row["product_id"]]:
                mentions.append({
                    "text_id": row["text_id"], "start": start, "end": at, "surface_form": word,
                    "concept_id": concept_id(word.lower(), []), "head_noun": word.lower(), "modifiers": [],
                    "domain": "product",
                })  # fmt: skip
    return {"mentions": _table("mentions", mentions), "rejects/mentions": reject_rows("mentions", rejects)}


def count_words(tables: TableFolder, config: Config) -> Tables:
    """A word in enough products is a concept."""
    owner = dict(zip(*(tables.table("texts")[c].to_pylist() for c in ("text_id", "product_id")), strict=True))
    found: dict[str, list[str]] = {}
    for row in tables.table("mentions").to_pylist():
        found.setdefault(row["head_noun"], []).append(owner[row["text_id"]])
    kept = {word: owners for word, owners in found.items() if len(set(owners)) >= config.concepts.min_products}
    concepts = [
        {"concept_id": concept_id(word, []), "label": word, "head_noun": word, "modifiers": [], "n_mentions": len(owners),
         "n_products": len(set(owners))}
        for word, owners in kept.items()
    ]  # fmt: skip
    links = [
        {"product_id": owner_, "concept_id": concept_id(word, []), "n_mentions": owners.count(owner_)}
        for word, owners in kept.items()
        for owner_ in set(owners)
    ]
    return {"concepts": _table("concepts", concepts), "product_concepts": _table("product_concepts", links)}


def embed_bytes(shard: pa.Table, tables: TableFolder, config: Config) -> Tables:
    """An image's embedding is made of its picture's hash and the model's name; it carries the model in the metadata."""
    WORKED_ON.append(("image_embeddings", shard["image_id"].to_pylist()))
    pictures = rows_between(tables, "pictures", "sha256", shard["sha256"])
    data = dict(zip(pictures["sha256"].to_pylist(), pictures["image"].to_pylist(), strict=True))
    rows, rejects = [], []
    for row in shard.to_pylist():
        digest = hashlib.sha256(config.encoder.model.encode() + data[row["sha256"]]).digest()
        if digest[0] < 16:
            rejects.append((row["image_id"], "unlucky", ""))
        else:
            rows.append({"id": row["image_id"], "embedding": [byte / 256 for byte in digest[:4]]})
    metadata = {b"model": config.encoder.model.encode(), b"dim": b"4"}
    table = _table("image_embeddings", rows).replace_schema_metadata(metadata)
    return {"image_embeddings": table, "rejects/image_embeddings": reject_rows("image_embeddings", rejects)}


STAGES = (
    Stage(
        "mentions", reads=("texts", "products"), writes=("mentions", "rejects/mentions"), settings=("language",), code=(),
        fn=mine_words, shard_by="texts", row_key="text_id",
    ),
    Stage(
        "concepts", reads=("mentions", "texts"), writes=("concepts", "product_concepts"), settings=("concepts",), code=(),
        fn=count_words,
    ),
    Stage(
        "image_embeddings", reads=("images", "pictures"), writes=("image_embeddings", "rejects/image_embeddings"),
        settings=("encoder", "ingest.picture_max_side"), code=(), fn=embed_bytes, shard_by="images", row_key="id",
        shard_divisor=2, in_process=True,
    ),
)  # fmt: skip


def install(stages: tuple[Stage, ...] = STAGES) -> None:
    """Put `stages` in the place of the pipeline, in this process."""
    for module in (build_module, shards_module, stages_module):
        module.PIPELINE = stages  # type: ignore[misc]


def settings_for(catalogue: Path, **run: int) -> Config:
    """A config for the catalogues that these tests write."""
    columns = ColumnsConfig(texts=("description",), images=("images",), brand="brand", category=("category",))
    return Config(
        catalogue=CatalogueConfig(path=str(catalogue), columns=columns),
        concepts=ConceptsConfig(min_products=2),
        run=RunConfig(workers=1, **run),
    )


def write_catalogue(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """A JSON Lines file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _dying(point: str) -> None:
    """Make this process kill itself at `point`: a stage's name and the number of its call, or a place in publishing."""
    name, _, count = point.partition(":")
    if name == "ingest":  # in the middle of writing its tables
        before = build_module.ingest_tables
        original = table_files._regroup

        def ingest(*args: Any) -> Any:
            calls = []

            def regroup(pieces: Any, rows: int) -> Any:
                calls.append(1)
                if len(calls) == int(count):
                    _die()
                return original(pieces, rows)

            table_files._regroup = regroup
            return before(*args)

        build_module.ingest_tables = ingest
    elif name == "publish":
        if count == "rename":
            release_module._write_manifest = lambda *_: _die()  # type: ignore[assignment]
        else:
            release_module.Workspace.point_to = lambda *_: _die()  # type: ignore[assignment, method-assign]
    else:
        calls: list[int] = []

        def dying(stage: Stage) -> Any:
            def fn(*args: Any) -> Tables:
                calls.append(1)
                if len(calls) == int(count):
                    _die()
                return stage.fn(*args)

            return fn

        # The dying stage is the stage: its fingerprint is taken of the function that it wraps.
        source = stages_module.inspect.getsource  # type: ignore[attr-defined]
        wrapped = {stage.name: dying(stage) for stage in STAGES if stage.name == name}
        origin = {fn: next(s.fn for s in STAGES if s.name == name) for name, fn in wrapped.items()}
        stages_module.inspect.getsource = lambda fn: source(origin.get(fn, fn))  # type: ignore[attr-defined]
        install(tuple(replace(stage, fn=wrapped.get(stage.name, stage.fn)) for stage in STAGES))


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("catalogue", type=Path)
    parser.add_argument("--expand", type=Path)
    parser.add_argument("--kill", default="")
    parser.add_argument("--file-limit", type=int, default=0)
    parser.add_argument("--shard-rows", type=int, default=8)
    args = parser.parse_args()
    install()
    if args.kill:
        _dying(args.kill)
    if args.file_limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (args.file_limit, args.file_limit))
    config = settings_for(args.catalogue, shard_rows=args.shard_rows)
    try:
        build, expand = build_module.build, build_module.expand
        report = expand(config, args.expand, args.out) if args.expand else build(config, args.out)
    except KgbuildError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps({"release": report.release.release_id, "how": {s.name: s.how for s in report.stages}}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
