"""batch_plan and what it names -> sharded files for a trainer, written stream-wise; the layout is in `shard_format`."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kgbuild.batches.compose import BOILERPLATE
from kgbuild.batches.shard_format import CONCEPT_SCHEMA, FORMAT, MANIFEST, PROTOTYPE_SCHEMA, ROW_SCHEMA
from kgbuild.errors import TableError

FetchRows = Callable[[Sequence[str]], pa.Table]
"""The rows of a large table with these keys, in any order: `pictures` by sha256, `texts` and `products` by product_id."""

_PICTURES_A_FILE = 8192
_CLAUSE_END = re.compile(r"[\r\n]+|(?<=[.!?;])\s+")
_LIST_MARK = re.compile(r"^\s*(?:[-*\u2022]|\d+[.)])\s*")


@dataclass(frozen=True)
class ExportManifest:
    """What `manifest.json` says."""

    format: str
    rows: int
    batches: int
    batch_size: int
    concepts_per_text: int
    prototypes_per_concept: int
    concepts: int
    pictures: int
    products_without_text: int
    products_without_image: int
    shards: list[dict[str, Any]]


def export_batches(
    plan: pa.Table,
    concepts: pa.Table,
    hierarchy_closure: pa.Table,
    prototypes: pa.Table,
    images: pa.Table,
    image_embeddings: pa.Table,
    out: Path,
    *,
    fetch_products: FetchRows,
    fetch_texts: FetchRows,
    fetch_pictures: FetchRows,
    concepts_per_text: int,
    shard_batches: int = 64,
) -> ExportManifest:
    """Write a plan as files; `out` appears when all is written, in place of an earlier export.

    Ids, embeddings and the plan are held; texts and pictures only of one shard at a time.

    Args:
        plan: `batch_plan`.
        concepts: concept_id, label.
        hierarchy_closure: hyponym_id, hypernym_id, depth.
        prototypes: `prototypes`.
        images: image_id, product_id, sha256.
        image_embeddings: `image_embeddings` of the model that chose the prototypes.
        out: the folder to write.
        fetch_products: rows of `products` by product_id.
        fetch_texts: rows of `texts` by product_id.
        fetch_pictures: rows of `pictures` by sha256.
        concepts_per_text: C, concept slots a row.
        shard_batches: batches a file.

    Raises:
        TableError: `out` holds something else than an export; the plan names a text, picture or concept that is not there.
    """
    if out.exists() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise TableError(f"{out} is not empty and holds no exported batches", "name a new folder")
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "rows").mkdir(parents=True)
    (partial / "pictures").mkdir()
    reference = _Reference(concepts, prototypes, images, image_embeddings, concepts_per_text)
    used = set(pc.unique(pc.list_flatten(plan["concept_ids"])).to_pylist()) if plan.num_rows else set()
    shown = reference.prototype_table(used)
    shards = [
        _write_shard(
            rows,
            partial / "rows" / f"part-{number:05d}.parquet",
            reference,
            fetch_products,
            fetch_texts,
            fetch_pictures,
        )
        for number, rows in enumerate(_shards(plan, shard_batches))
    ]
    pq.write_table(shown, partial / "prototypes.parquet")
    pq.write_table(_concept_table(used, reference.label, hierarchy_closure), partial / "concepts.parquet")
    n_pictures = _write_pictures(sorted(set(shown["sha256"].to_pylist())), partial / "pictures", fetch_pictures)
    counts = {key.decode(): int(value) for key, value in (plan.schema.metadata or {}).items()}
    manifest = ExportManifest(
        format=FORMAT,
        rows=plan.num_rows,
        batches=len(pc.unique(plan["batch_id"])),
        batch_size=int(pc.max(plan["position"]).as_py()) + 1 if plan.num_rows else 0,
        concepts_per_text=concepts_per_text,
        prototypes_per_concept=reference.places,
        concepts=len(used),
        pictures=n_pictures,
        products_without_text=counts.get("products_without_text", 0),
        products_without_image=counts.get("products_without_image", 0),
        shards=shards,
    )
    (partial / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(out, ignore_errors=True)
    partial.rename(out)
    return manifest


def clauses_of(text: str, *, fewest_words: int = 3, most_words: int = 40) -> list[str]:
    """The lines and sentences of a text that are neither fragments nor paragraphs."""
    parts = (" ".join(_LIST_MARK.sub("", part).split()) for part in _CLAUSE_END.split(text))
    return [part for part in parts if fewest_words <= len(part.split()) <= most_words]


def facts_of(product: dict[str, Any]) -> list[str]:
    """Category names and attribute values in words; a value that says nothing alone ("2", "yes") comes with its name."""
    facts = list(product["category_path"] or ())
    for name, value in sorted(dict(product["attributes"] or {}).items()):
        plain = " ".join(str(value).replace("_", " ").split())
        if not plain:
            continue
        alone = any(letter.isalpha() for letter in plain) and plain.lower() not in {"yes", "no", "true", "false", "na"}
        facts.append(plain if alone else f"{name.replace('_', ' ')} {plain}")
    return list(dict.fromkeys(facts))


class _Reference:
    """What every row may refer to: labels, prototypes, embeddings, the pictures' hashes."""

    def __init__(
        self, concepts: pa.Table, prototypes: pa.Table, images: pa.Table, embeddings: pa.Table, slots: int
    ) -> None:
        self.slots = slots
        self.label = dict(zip(concepts["concept_id"].to_pylist(), concepts["label"].to_pylist(), strict=True))
        image_ids = images["image_id"].to_pylist()
        self.sha256 = dict(zip(image_ids, images["sha256"].to_pylist(), strict=True))
        self.product = dict(zip(image_ids, images["product_id"].to_pylist(), strict=True))
        self._prototypes = prototypes.sort_by([("concept_id", "ascending"), ("prototype_rank", "ascending")])
        self._shown: dict[str, list[str]] = {}
        for concept, image in zip(
            self._prototypes["concept_id"].to_pylist(), self._prototypes["image_id"].to_pylist(), strict=True
        ):
            if image not in self.sha256:
                raise TableError(f"prototype {image} of concept {concept} is not in the images table", "build again")
            self._shown.setdefault(concept, []).append(image)
        self.places = max(map(len, self._shown.values()), default=0)
        self._place = {image: row for row, image in enumerate(embeddings["id"].to_pylist())}
        flat = embeddings["embedding"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        self._vectors: npt.NDArray[np.float32] = flat.reshape(len(self._place), -1 if self._place else 0)

    def prototype_table(self, used: set[str]) -> pa.Table:
        """The prototypes of the concepts that the plan uses, with their pictures' hashes."""
        kept = self._prototypes.filter(
            pc.is_in(self._prototypes["concept_id"], value_set=pa.array(sorted(used), pa.string()))
        )
        hashes = pa.array([self.sha256[image] for image in kept["image_id"].to_pylist()], pa.string())
        return kept.append_column("sha256", hashes).select(PROTOTYPE_SCHEMA.names).cast(PROTOTYPE_SCHEMA)

    def slots_of(self, image: str, concept_ids: Sequence[str]) -> dict[str, list[Any]]:
        """The concept and prototype columns of one row, padded."""
        concept_ids = list(concept_ids[: self.slots])
        unknown = [concept for concept in concept_ids if concept not in self.label]
        if unknown:
            raise TableError(f"the plan names the concepts {unknown}, which the concepts table lacks", "build again")
        shown = [self._shown.get(concept, []) for concept in concept_ids]
        empty = self.slots - len(concept_ids)
        shown += [[]] * empty
        pad = [self.places - len(images) for images in shown]
        return {
            "concept_ids": concept_ids + [""] * empty,
            "concept_labels": [self.label[concept] for concept in concept_ids] + [""] * empty,
            "concept_mask": [True] * len(concept_ids) + [False] * empty,
            "prototype_sha256": [[self.sha256[i] for i in images] + [""] * n for images, n in zip(shown, pad, strict=True)],
            "prototype_similarity": [self._similarities(image, images) + [0.0] * n for images, n in zip(shown, pad, strict=True)],
            "prototype_mask": [[True] * len(images) + [False] * n for images, n in zip(shown, pad, strict=True)],
        }  # fmt: skip

    def _similarities(self, image: str, others: Sequence[str]) -> list[float]:
        """Cosines of one image and others; an image without an embedding (it could not be decoded) is like nothing: 0."""
        if image not in self._place:
            return [0.0] * len(others)
        places = [self._place[other] for other in others if other in self._place]
        found = iter((self._vectors[places] @ self._vectors[self._place[image]]).tolist())
        return [next(found) if other in self._place else 0.0 for other in others]


def _shards(plan: pa.Table, shard_batches: int) -> Iterator[pa.Table]:
    plan = plan.sort_by([("batch_id", "ascending"), ("position", "ascending")])
    numbers = plan["batch_id"].to_numpy()
    starts = np.flatnonzero(np.r_[True, numbers[1:] != numbers[:-1]]) if len(numbers) else np.array([], dtype=int)
    edges = [*starts[::shard_batches].tolist(), plan.num_rows]
    for start, stop in pairwise(edges):
        yield plan.slice(start, stop - start)


def _write_shard(
    plan: pa.Table,
    path: Path,
    reference: _Reference,
    fetch_products: FetchRows,
    fetch_texts: FetchRows,
    fetch_pictures: FetchRows,
) -> dict[str, Any]:
    rows = plan.to_pylist()
    product_ids = [reference.product[row["image_id"]] for row in rows]
    wanted = sorted(set(product_ids))
    products = {product["product_id"]: product for product in fetch_products(wanted).to_pylist()}
    texts: dict[str, list[dict[str, str]]] = {}
    for text in fetch_texts(wanted).sort_by([("field", "ascending"), ("text_id", "ascending")]).to_pylist():
        texts.setdefault(text["product_id"], []).append(text)
    pictures = _pictures_by_hash(sorted({reference.sha256[row["image_id"]] for row in rows}), fetch_pictures)
    full = [
        _row(row, products[product_id], texts.get(product_id, []), reference, pictures)
        for row, product_id in zip(rows, product_ids, strict=True)
    ]
    pq.write_table(pa.Table.from_pylist(full, schema=ROW_SCHEMA), path)
    return {
        "file": f"rows/{path.name}",
        "rows": len(rows),
        "first_batch": rows[0]["batch_id"],
        "last_batch": rows[-1]["batch_id"],
    }


def _row(
    planned: dict[str, Any],
    product: dict[str, Any],
    texts: Sequence[dict[str, str]],
    reference: _Reference,
    pictures: dict[str, bytes],
) -> dict[str, Any]:
    drawn = next((text["text"] for text in texts if text["text_id"] == planned["text_id"]), None)
    if drawn is None:
        raise TableError(f"the plan names text {planned['text_id']}, which the texts table lacks", "build again")
    sha256 = reference.sha256[planned["image_id"]]
    told = [text["text"] for text in texts if text["field"] != "title" and not text["field"].startswith(BOILERPLATE)]
    return {
        **{name: planned[name] for name in ("batch_id", "position", "text_id", "image_id")},
        "product_id": product["product_id"],
        "text": drawn,
        "title": product["title"] or "",
        "brand": product["brand"] or "",
        "clauses": [clause for text in told for clause in clauses_of(text)],
        "facts": facts_of(product),
        "sha256": sha256,
        "image": pictures[sha256],
        **reference.slots_of(planned["image_id"], planned["concept_ids"]),
    }


def _pictures_by_hash(hashes: Sequence[str], fetch_pictures: FetchRows) -> dict[str, bytes]:
    table = fetch_pictures(hashes)
    pictures = dict(zip(table["sha256"].to_pylist(), table["image"].to_pylist(), strict=True))
    gone = [sha256 for sha256 in hashes if sha256 not in pictures]
    if gone:
        raise TableError(f"the pictures table lacks {len(gone)} pictures, the first is {gone[0]}", "build again")
    return pictures


def _write_pictures(hashes: Sequence[str], folder: Path, fetch_pictures: FetchRows) -> int:
    schema = pa.schema([("sha256", pa.string()), ("image", pa.binary())])
    for number, start in enumerate(range(0, len(hashes), _PICTURES_A_FILE)):
        group = hashes[start : start + _PICTURES_A_FILE]
        pictures = _pictures_by_hash(group, fetch_pictures)
        table = pa.table([group, [pictures[sha256] for sha256 in group]], schema=schema)
        pq.write_table(table, folder / f"part-{number:05d}.parquet")
    return len(hashes)


def _concept_table(used: set[str], label: dict[str, str], closure: pa.Table) -> pa.Table:
    above: dict[str, list[tuple[int, str]]] = {}
    columns = (closure[name].to_pylist() for name in ("hyponym_id", "depth", "hypernym_id"))
    for low, depth, high in zip(*columns, strict=True):
        if low in used:
            above.setdefault(low, []).append((depth, high))
    rows = [
        {
            "concept_id": concept,
            "label": label[concept],
            "hypernym_ids": [high for _, high in sorted(above.get(concept, []))],
        }
        for concept in sorted(used)
    ]
    return pa.Table.from_pylist(rows, schema=CONCEPT_SCHEMA)
