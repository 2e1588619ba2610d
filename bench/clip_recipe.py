"""How the shipped model `kgbuild/models/clip_kgbuild` is made: the real catalogue and drawn garments through the project's own stages.

    export OMP_NUM_THREADS=1
    python bench/clip_recipe.py data --out OUT            # ingest, mine the titles, compose, export: OUT/shards
    torchrun --nproc-per-node 2 bench/clip_recipe.py train --out OUT              # the long run: OUT/main/model
    torchrun --nproc-per-node 2 bench/clip_recipe.py finish --out OUT --cva on    # or off; the short last phase: OUT/finish_on/model
    torchrun --nproc-per-node 2 bench/clip_recipe.py drawn --out OUT              # a last look at the drawn garments: OUT/drawn_more/model
    python bench/clip_recipe.py measure MODEL             # retrieval on val, drawn garments by prompts

The drawn garments come from the sample's generator with another seed, so the sample itself stays unseen.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from kgbuild.batches import compose_batches, export_batches
from kgbuild.clip import ClipEncoder, load_clip, load_clip_parts
from kgbuild.config import CatalogueConfig, ColumnsConfig, EncoderConfig, IngestConfig, TrainingConfig, load_config
from kgbuild.embeddings import embed_concepts, embed_images
from kgbuild.hierarchy import build_hierarchy, closure
from kgbuild.ingest import ingest_catalogue
from kgbuild.language import load_pipeline, mine_mentions
from kgbuild.language.concepts import aggregate_concepts
from kgbuild.ports import Encoder
from kgbuild.prototypes import build_candidate_pools, select_prototypes
from kgbuild.tables import empty, in_order
from kgbuild.training import StepReport, train

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT.parent / "shared" / "data" / "catalog"
DRAWN_SEED, DRAWN_PRODUCTS = "kgbuild training 1", 2000
BATCH_SIZE = 512
COLUMNS = ColumnsConfig(
    texts=("description", "style_note"),
    images=("image",),
    brand="brand",
    category=("master_category", "sub_category", "article_type"),
    attributes=("gender", "base_colour", "season", "usage", "article_attributes"),
)
MAIN = TrainingConfig(
    model=str(ROOT / "kgbuild" / "models" / "clip_kgbuild"),
    from_scratch=True,
    epochs=18,
    learning_rate=1.4e-3,
    weight_decay=0.1,
    warmup_steps=120,
    batch_size=BATCH_SIZE,
    ema_decay=0.995,
    cva=False,
    device="cpu",
    checkpoint_steps=40,
)
FINISH = replace(MAIN, from_scratch=False, epochs=1, learning_rate=3e-4, warmup_steps=10, ema_decay=0.95)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, action in (("data", make_data), ("train", train_main), ("finish", finish), ("drawn", more_drawn)):
        command = commands.add_parser(name)
        command.add_argument("--out", type=Path, required=True)
        command.set_defaults(action=action)
        if name == "finish":
            command.add_argument("--cva", choices=("on", "off"), required=True)
    command = commands.add_parser("measure")
    command.add_argument("model", type=Path)
    command.add_argument("--limit", type=int, default=0, help="gallery: val and so many products of train; 0: all")
    command.set_defaults(action=measure)
    arguments = vars(parser.parse_args())
    arguments.pop("action")(**arguments)


def measure(model: Path, limit: int) -> None:
    """Retrieval on the catalogue's val part and zero-shot naming of the sample's drawn garments; prints one JSON object."""
    encoder = load_clip(EncoderConfig(model=str(model), batch_size=256))
    print(json.dumps({"model": str(model), **_measure_catalogue(encoder, limit), **_measure_sample(encoder)}))


def _measure_catalogue(encoder: Encoder, limit: int) -> dict[str, float]:
    names = ["id", "title", "article_type", "image"]
    parts = [pq.read_table(CATALOGUE / f"{part}.parquet", columns=names) for part in ("val", "train")]
    table = pa.concat_tables(parts)
    table = table.filter(pc.is_valid(table["image"]))
    n_val = parts[0].filter(pc.is_valid(parts[0]["image"])).num_rows
    if limit:  # a smaller gallery, for a quick look while training
        table = table.slice(0, n_val + limit)
    images = np.concatenate([encoder.encode_images(group["image"].to_pylist()) for group in _groups(table, 4096)])
    titles = table["title"].to_pylist()
    queries = sorted({title for title in titles[:n_val] if title})
    texts = encoder.encode_texts(queries)
    of_title: dict[str, list[int]] = {}
    for place, title in enumerate(titles):
        of_title.setdefault(title, []).append(place)
    ranks = []
    for query, text in zip(queries, texts, strict=True):
        similarity = images @ text
        ranks.append(1 + int((similarity > similarity[of_title[query]].max()).sum()))
    types = np.array(table["article_type"].to_pylist())
    hashes = np.array([hashlib.sha256(image).hexdigest() for image in table["image"].to_pylist()])
    nearest = []
    for place in range(min(2000, n_val)):
        similarity = images @ images[place]
        similarity[hashes == hashes[place]] = -1
        nearest.append(types[int(similarity.argmax())] == types[place])
    found = np.array(ranks)
    return {
        "queries": len(queries), "gallery": len(images), "r@1": float((found <= 1).mean()), "r@10": float((found <= 10).mean()),
        "mrr": float((1 / found).mean()), "median_rank": float(np.median(found)), "nearest_same_type": float(np.mean(nearest)),
    }  # fmt: skip


def _measure_sample(encoder: Encoder) -> dict[str, float]:
    folder = ROOT / "data" / "sample"
    truth = [json.loads(line) for line in (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
    truth = [row for row in truth if not row["arrival"] and (folder / "images" / f"{row['id']}.jpg").exists()]
    images = encoder.encode_images([(folder / "images" / f"{row['id']}.jpg").read_bytes() for row in truth])
    asked = {
        "type": "a photo of {value}",
        "colour": "a photo of {value} {type}",
        "pattern": "a photo of {value} {type}",
    }
    right: dict[str, float] = {"drawn": len(truth)}
    for name, prompt in asked.items():
        rows = [place for place, row in enumerate(truth) if row[name]]
        values = sorted({truth[place][name] for place in rows})
        words = {"floral": "floral print", "plain": "solid"}
        said = [
            [prompt.format(value=words.get(value, value), type=truth[place]["type"]) for value in values]
            for place in rows
        ]
        known = sorted({text for of_one in said for text in of_one})
        vectors = dict(zip(known, encoder.encode_texts(known), strict=True))
        hits = [
            values[int(np.argmax([images[place] @ vectors[text] for text in texts]))] == truth[place][name]
            for place, texts in zip(rows, said, strict=True)
        ]
        right[f"drawn_{name}"] = float(np.mean(hits))
    return right


def _groups(table: pa.Table, rows: int) -> Iterator[pa.Table]:
    return (table.slice(start, rows) for start in range(0, table.num_rows, rows))


def make_data(out: Path) -> None:
    draw_garments(out / "drawn")
    (out / "tables").mkdir(exist_ok=True)
    tables = {name: in_order(table, name) for name, table in _ingested(out / "drawn").items()}
    titles = tables["texts"].filter(pc.equal(tables["texts"]["field"], "title"))
    pipeline = load_pipeline("en_kgbuild")
    mentions, _ = mine_mentions(titles, tables["products"], pipeline=pipeline, batch_size=128)
    concepts, product_concepts = aggregate_concepts(mentions, titles, min_products=8, max_modifiers=4)
    above = closure(build_hierarchy(concepts, rules=("drop_modifier", "generalise_modifier")))
    print(f"{mentions.num_rows} mentions, {concepts.num_rows} concepts, {above.num_rows} pairs is-a", flush=True)
    tables |= {"concepts": concepts, "product_concepts": product_concepts, "closure": above}
    for name, table in tables.items():
        pq.write_table(table, out / "tables" / f"{name}.parquet")
    plan = compose_batches(
        tables["texts"], tables["images"], product_concepts, above, concepts,
        batch_size=BATCH_SIZE, concepts_per_text=5, seed=0,
    )  # fmt: skip
    manifest = export_batches(
        plan, concepts, above, empty("prototypes"), tables["images"], empty("image_embeddings"), out / "shards",
        fetch_products=_rows_of(tables["products"], "product_id"), fetch_texts=_rows_of(tables["texts"], "product_id"),
        fetch_pictures=_rows_of(tables["pictures"], "sha256"), concepts_per_text=5, shard_batches=16,
    )  # fmt: skip
    print(f"{manifest.rows} pairs in {manifest.batches} batches with {manifest.concepts} concepts")


def draw_garments(folder: Path) -> None:
    """A catalogue like data/sample, of other products."""
    sys.path.insert(0, str(ROOT / "data"))
    import make_sample

    make_sample.SEED = DRAWN_SEED  # the seeds of the pictures start with it
    if (folder / "kgbuild.toml").exists():
        return
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rng = random.Random(DRAWN_SEED)
    rows = []
    for entry in make_sample._entries(rng, DRAWN_PRODUCTS, start=900_001, new=False):
        make_sample._write_pictures(entry, folder)
        rows.append(json.dumps(make_sample._row(entry), ensure_ascii=False))
    (folder / "catalogue.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "kgbuild.toml").write_text(make_sample.CONFIG, encoding="utf-8")


def _ingested(drawn: Path) -> dict[str, pa.Table]:
    real = CatalogueConfig(path=str(CATALOGUE / "train.parquet"), columns=COLUMNS)
    sources = [real, load_config(drawn / "kgbuild.toml").catalogue]
    batches = [batch for source in sources for batch in ingest_catalogue(source, IngestConfig())]
    return {
        name: pa.concat_tables([getattr(b, name) for b in batches])
        for name in ("products", "texts", "images", "pictures")
    }


def _rows_of(table: pa.Table, column: str) -> Callable[[Sequence[str]], pa.Table]:
    return lambda keys: table.filter(pc.is_in(table[column], value_set=pa.array(keys, pa.string())))


def train_main(out: Path) -> None:
    _train(MAIN, out, out / "main")


def finish(out: Path, cva: str) -> None:
    _train(replace(FINISH, model=str(out / "main" / "model"), cva=cva == "on"), out, out / f"finish_{cva}")


def more_drawn(out: Path) -> None:
    """Half of the catalogue's pairs, and each drawn garment six times."""
    target = out / "shards_drawn"
    if int(os.environ.get("RANK", "0")) == 0:
        _write_drawn_shards(out / "shards", target)
    while not (target / "manifest.json").exists():
        time.sleep(1.0)
    settings = replace(FINISH, model=str(out / "finish_on" / "model"), cva=False, learning_rate=4e-4, warmup_steps=6)
    torch.set_num_threads(1)
    print(train(settings, target, out / "drawn_more", seed=0))


def _write_drawn_shards(shards: Path, target: Path) -> None:
    (target / "rows").mkdir(parents=True, exist_ok=True)
    manifest = json.loads((shards / "manifest.json").read_text(encoding="utf-8"))
    rows = pa.concat_tables([pq.read_table(shards / shard["file"]) for shard in manifest["shards"]])
    ids = rows["product_id"].to_pylist()
    drawn = pa.array([len(product) == 6 and product > "900000" for product in ids])
    real = rows.filter(pc.invert(drawn))
    parts = [real.take(pa.array(np.sort(np.random.default_rng(0).permutation(real.num_rows)[:18_000])))]
    column = rows.schema.get_field_index("product_id")
    for turn in range(6):  # under another id each time, so that each gets texts and changes of its own
        told = [f"{product}#{turn}" for product in rows.filter(drawn)["product_id"].to_pylist()]
        parts.append(rows.filter(drawn).set_column(column, "product_id", pa.array(told)))
    manifest["shards"] = []
    for number, part in enumerate(parts):
        name = f"rows/part-{number:05d}.parquet"
        pq.write_table(part, target / name)
        manifest["shards"].append({"file": name, "rows": part.num_rows})
    manifest["rows"] = sum(part.num_rows for part in parts)
    (target / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def _train(settings: TrainingConfig, out: Path, target: Path) -> None:
    torch.set_num_threads(1)

    def say(report: StepReport) -> None:
        if report.step % 20 == 0:
            print(report, flush=True)

    refresh = partial(_choose_prototypes, out / "tables", settings.model) if settings.cva else None
    print(train(settings, out / "shards", target, seed=0, on_step=say, refresh_prototypes=refresh))


def _choose_prototypes(tables: Path, base: str, model: torch.nn.Module) -> pa.Table:
    """The project's own prototypes stage with the weights of the moment."""
    torch.set_num_threads(2)  # the other process waits
    parts = replace(load_clip_parts(base), model=copy.deepcopy(model))
    encoder = ClipEncoder(parts, name="in training", device=torch.device("cpu"), precision="bf16", batch_size=256)
    read = {path.stem: pq.read_table(path) for path in tables.glob("*.parquet")}
    images, _ = embed_images(read["images"], read["pictures"], encoder=encoder, batch_size=256)
    words = embed_concepts(read["concepts"], encoder=encoder, prompts=EncoderConfig().prompts, batch_size=256)
    pools = build_candidate_pools(
        read["concepts"],
        read["product_concepts"],
        read["closure"],
        read["images"],
        words,
        images,
        pool_size=20,
        gate=True,
    )
    torch.set_num_threads(1)
    return select_prototypes(pools, images, read["images"], k=8, mmr_lambda=0.7, duplicate_similarity=0.98)


if __name__ == "__main__":
    main()
