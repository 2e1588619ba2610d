"""The pipeline as a list one can read: what each stage reads, writes and depends on.

A stage function takes tables and gives tables; the adapters here are the only place where it meets folders and settings.
How stages are run (skipped, taken over, spread over processes) is in `build.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from kgbuild.config import Config, EncoderConfig
from kgbuild.identity import file_sha256, fingerprint
from kgbuild.naming import ByHand, canonical_mentions, read_by_hand
from kgbuild.table_files import TableFolder

if TYPE_CHECKING:
    from kgbuild.clip import ClipEncoder
    from kgbuild.embeddings import EmbeddingCache
    from kgbuild.language.pipeline import Miner

Tables = Mapping[str, pa.Table]


@dataclass(frozen=True)
class Stage:
    """One stage of the pipeline, as data.

    Attributes:
        name: what `kgbuild run` calls it.
        reads: tables it reads; `writes`: outputs it makes (`rejects/<stage>` is its part of the rejects).
        settings: config sections, or single settings, that shape its result; `code`: modules whose source does (see also `_ALL_CODE`).
        fn: for a global stage, (tables, config) -> tables; for a map stage, (shard, tables, config) -> tables.
        shard_by: the table a map stage goes through in shards; None for a global stage. Its outputs follow that table's order.
        row_key: for a map stage, the column of the outputs that names the row of `shard_by` they come from.
        shard_divisor: shards are so much smaller than `run.shard_rows` (pictures are heavy).
        models: a cheap fingerprint of the models and files it loads.
        in_process: the stage uses all cores by itself and must not be spread over processes.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    settings: tuple[str, ...]
    code: tuple[str, ...]
    fn: Callable[..., Tables]
    shard_by: str | None = None
    row_key: str = ""
    shard_divisor: int = 1
    models: Callable[[Config], str] | None = None
    in_process: bool = False


def _mine(shard: pa.Table, tables: TableFolder, config: Config) -> Tables:
    from kgbuild.language import mine_mentions

    products = rows_with(tables, "products", "product_id", shard["product_id"])
    miner = _miner(config.language.pipeline)
    mentions, rejects = mine_mentions(shard, products, miner=miner, batch_size=config.language.batch_size)
    return {"mentions": mentions, "rejects/mentions": rejects}


def _synonyms(tables: TableFolder, config: Config) -> Tables:
    from kgbuild.language.synonyms import find_synonyms

    synonyms, phrases = find_synonyms(
        tables.table("mentions", ["text_id", "concept_id", "head_noun", "modifiers"]),
        tables.table("texts", ["text_id", "product_id", "field"]),
        tables.table("products", ["product_id", "category_path"]),
        by_hand=_by_hand(config),
    )
    return {"synonyms": synonyms, "phrases": phrases}


def _by_hand(config: Config) -> ByHand:
    return read_by_hand(Path(config.language.synonyms)) if config.language.synonyms else ByHand()


def by_hand_fingerprint(config: Config) -> str:
    """A fingerprint of what a person decided: another order or comment in the file changes nothing."""
    return _by_hand(config).fingerprint()


def _head_edges(tables: TableFolder, config: Config) -> Tables:
    from kgbuild.hierarchy.heads import find_head_edges
    from kgbuild.hierarchy.names import HEAD_RULES
    from kgbuild.hierarchy.taxonomy import read_taxonomy
    from kgbuild.language.names import name_form

    seed = config.hierarchy.seed_taxonomy
    heads, head_edges, product_categories = find_head_edges(
        canonical_mentions(tables.table("mentions"), tables.table("phrases")),
        tables.table("texts"),
        tables.table("products", ["product_id", "category_path"]),
        name_of=name_form,
        min_products=config.concepts.min_products,
        rules=[rule for rule in config.hierarchy.rules if rule in HEAD_RULES],
        taxonomy=read_taxonomy(Path(seed)) if seed else (),
    )
    return {"heads": heads, "head_edges": head_edges, "product_categories": product_categories}


def seed_fingerprint(config: Config) -> str:
    """A fingerprint of the seed taxonomy, if there is one."""
    from kgbuild.hierarchy.taxonomy import read_taxonomy

    seed = config.hierarchy.seed_taxonomy
    return fingerprint([list(path) for path in read_taxonomy(Path(seed))]) if seed else ""


def _concepts(tables: TableFolder, config: Config) -> Tables:
    from kgbuild.hierarchy.domains import leave_out_others
    from kgbuild.hierarchy.placed import add_head_concepts
    from kgbuild.language.concepts import aggregate_concepts
    from kgbuild.language.labels import concept_label, modifier_order

    mentions, rejects = leave_out_others(
        canonical_mentions(tables.table("mentions"), tables.table("phrases")), tables.table("heads")
    )
    concepts, product_concepts = aggregate_concepts(
        mentions,
        tables.table("texts", ["text_id", "product_id"]),
        min_products=config.concepts.min_products,
        max_modifiers=config.concepts.max_modifiers,
    )
    concepts = add_head_concepts(
        concepts,
        product_concepts,
        tables.table("head_edges"),
        tables.table("product_categories"),
        label_of=partial(concept_label, order=modifier_order(mentions)),
    )
    return {"concepts": concepts, "product_concepts": product_concepts, "rejects/concepts": rejects}


def _hierarchy(tables: TableFolder, config: Config) -> Tables:
    from kgbuild.hierarchy import RULES, build_hierarchy
    from kgbuild.hierarchy.placed import attach_heads

    concepts = tables.table("concepts")
    edges = build_hierarchy(concepts, rules=[rule for rule in config.hierarchy.rules if rule in RULES])
    return {"is_a_edges": attach_heads(edges, tables.table("head_edges"), concepts)}


def _embed_images(shard: pa.Table, tables: TableFolder, config: Config) -> Tables:
    from kgbuild.embeddings import embed_images

    # Images lie in the order of their pictures' hashes (see identity.image_id): one range of pictures serves the shard.
    pictures = rows_between(tables, "pictures", "sha256", shard["sha256"])
    encoder = _encoder(config.encoder)
    embeddings, rejects = embed_images(
        shard,
        pictures,
        encoder=encoder,
        batch_size=config.encoder.batch_size,
        cache=_cache(tables, encoder, _kept_as(config)),
    )
    return {"image_embeddings": embeddings, "rejects/image_embeddings": rejects}


def _kept_as(config: Config) -> str:
    """The kind of a cache keyed by pictures as found: how they were kept is a part of it."""
    return f"images-{config.ingest.picture_max_side}-{code_fingerprint('ingest/pictures.py')[:8]}"


def _embed_concepts(tables: TableFolder, config: Config) -> Tables:
    from kgbuild.embeddings import embed_concepts

    encoder = _encoder(config.encoder)
    embeddings = embed_concepts(
        tables.table("concepts"),
        encoder=encoder,
        prompts=config.encoder.prompts,
        batch_size=config.encoder.batch_size,
        cache=_cache(tables, encoder, "texts"),
    )
    return {"concept_embeddings": embeddings}


def _prototypes(tables: TableFolder, config: Config) -> Tables:
    from kgbuild.hierarchy import closure
    from kgbuild.prototypes import choose_prototypes, concepts_without_images

    concepts = tables.table("concepts")
    pools, prototypes = choose_prototypes(
        concepts,
        tables.table("product_concepts"),
        closure(tables.table("is_a_edges")),
        tables.table("images"),
        tables.table("concept_embeddings"),
        tables.table("image_embeddings"),
        **asdict(config.prototypes),
    )
    return {
        "candidate_pools": pools,
        "prototypes": prototypes,
        "rejects/prototypes": concepts_without_images(concepts, pools),
    }


def _batches(tables: TableFolder, config: Config) -> Tables:
    from kgbuild.batches import compose_batches
    from kgbuild.hierarchy import closure

    plan = compose_batches(
        tables.table("texts", ["text_id", "product_id", "field"]),
        tables.table("images"),
        tables.table("product_concepts"),
        closure(tables.table("is_a_edges")),
        tables.table("concepts"),
        batch_size=config.batches.batch_size,
        concepts_per_text=config.batches.concepts_per_text,
        seed=config.seed,
    )
    return {"batch_plan": plan}


def _graph_view(tables: TableFolder, config: Config) -> Tables:  # noqa: ARG001 - all global stages are called alike
    from kgbuild.graph import build_view

    names = ("products", "images", "concepts", "is_a_edges", "product_concepts", "prototypes")
    nodes, edges = build_view(**{name: tables.table(name) for name in names})
    return {"nodes": nodes, "edges": edges}


def language_fingerprint(config: Config) -> str:
    """A fingerprint of the spaCy pipeline without loading it."""
    return _model_fingerprint(config.language.pipeline)


def encoder_fingerprint(config: Config) -> str:
    """A fingerprint of the image-text model without loading it: its files, or its name where it is fetched by name."""
    return _model_fingerprint({"kgbuild": "clip_kgbuild"}.get(config.encoder.model, config.encoder.model))


@lru_cache(maxsize=8)
def _model_fingerprint(name: str) -> str:
    for path in (Path(__file__).parent / "models" / name, Path(name.removeprefix("local-dir:"))):
        if path.is_dir():
            return file_sha256(path)
    return name


INGEST: Final = "ingest"
INGEST_TABLES: Final = ("products", "texts", "images", "pictures", "rejects/ingest")
INGEST_CODE: Final = ("ingest", "tables.py", "identity.py", "spill.py")

# What every stage's rows depend on, and the code that the encoder is made of.
_ALL_CODE: Final = ("tables.py", "identity.py", "domains.py")
_ENCODER_CODE: Final = ("embeddings", "clip.py", "clip_names.py", "pictures.py", "vectors.py")

# Not the whole package: learning, scoring and the later stage `concepts` live there too, and mining is the longest stage.
_MINING_CODE: Final = tuple(
    f"language/{name}.py"
    for name in (
        "__init__",
        "atoms",
        "canonical",
        "decode",
        "inputs",
        "lexicon",
        "mining",
        "model",
        "network",
        "phrases",
        "pipeline",
        "reader",
        "score",
        "sentences",
    )
)

_SYNONYMS_CODE: Final = (
    *(
        f"language/synonyms{part}.py"
        for part in ("", "_company", "_cuts", "_decisions", "_forms", "_names", "_spelling", "_usage")
    ),
    "naming.py",
    "language/canonical.py",
    "language/counts.py",
    "subsumption.py",
)

PIPELINE: Final[tuple[Stage, ...]] = (
    Stage(
        "mentions",
        reads=("texts", "products"),
        writes=("mentions", "rejects/mentions"),
        settings=("language.pipeline", "language.batch_size"),
        code=_MINING_CODE,
        fn=_mine,
        shard_by="texts",
        row_key="text_id",
        models=language_fingerprint,
    ),
    Stage(
        "synonyms",
        reads=("mentions", "texts", "products"),
        writes=("synonyms", "phrases"),
        settings=(),
        code=_SYNONYMS_CODE,
        fn=_synonyms,
        models=by_hand_fingerprint,
    ),
    Stage(
        "head_edges",
        reads=("mentions", "texts", "phrases", "products"),
        writes=("heads", "head_edges", "product_categories"),
        settings=("concepts.min_products", "hierarchy.rules"),
        code=("hierarchy", "language/names.py", "language/canonical.py", "naming.py", "subsumption.py"),
        fn=_head_edges,
        models=seed_fingerprint,
    ),
    Stage(
        "concepts",
        reads=("mentions", "texts", "phrases", "heads", "head_edges", "product_categories"),
        writes=("concepts", "product_concepts", "rejects/concepts"),
        settings=("concepts",),
        code=(
            "language/concepts.py",
            "language/candidates.py",
            "language/counts.py",
            "language/labels.py",
            "hierarchy",
            "naming.py",
            "subsumption.py",
        ),
        fn=_concepts,
    ),
    Stage(
        "hierarchy",
        reads=("concepts", "head_edges"),
        writes=("is_a_edges",),
        settings=("hierarchy.rules",),
        code=("hierarchy", "subsumption.py"),
        fn=_hierarchy,
    ),
    Stage(
        "image_embeddings",
        reads=("images", "pictures"),
        writes=("image_embeddings", "rejects/image_embeddings"),
        settings=("encoder", "ingest.picture_max_side"),  # an image's id is of its picture as found, not as kept
        code=(*_ENCODER_CODE, "ingest/pictures.py", "ingest/files.py"),
        fn=_embed_images,
        shard_by="images",
        row_key="id",
        shard_divisor=4,
        models=encoder_fingerprint,
        in_process=True,
    ),
    Stage(
        "concept_embeddings",
        reads=("concepts",),
        writes=("concept_embeddings",),
        settings=("encoder",),
        code=_ENCODER_CODE,
        fn=_embed_concepts,
        models=encoder_fingerprint,
    ),
    Stage(
        "prototypes",
        reads=("concepts", "product_concepts", "is_a_edges", "images", "concept_embeddings", "image_embeddings"),
        writes=("candidate_pools", "prototypes", "rejects/prototypes"),
        settings=("prototypes",),
        code=("prototypes", "vectors.py", "hierarchy", "subsumption.py"),
        fn=_prototypes,
    ),
    Stage(
        "batches",
        reads=("texts", "images", "product_concepts", "is_a_edges", "concepts"),
        writes=("batch_plan",),
        settings=("batches", "seed"),
        code=("batches", "hierarchy", "subsumption.py"),
        fn=_batches,
    ),
    Stage(
        "graph",
        reads=("products", "images", "concepts", "is_a_edges", "product_concepts", "prototypes"),
        writes=("nodes", "edges"),
        settings=(),
        code=("graph/view.py",),
        fn=_graph_view,
    ),
)


def stage_names() -> Sequence[str]:
    """The names of all stages, in order."""
    return (INGEST, *(stage.name for stage in PIPELINE))


@lru_cache(maxsize=1)
def _miner(name: str) -> Miner:
    from kgbuild.language import load_miner

    return load_miner(name)


@lru_cache(maxsize=1)
def _encoder(config: EncoderConfig) -> ClipEncoder:
    from kgbuild.clip import load_clip

    return load_clip(config)


def _cache(tables: TableFolder, encoder: ClipEncoder, kind: str) -> EmbeddingCache:
    from kgbuild.embeddings import EmbeddingCache

    folder = tables.path.parent / "cache" / "embeddings"
    return EmbeddingCache(folder, fingerprint=encoder.fingerprint, kind=kind, dim=encoder.dim)


def rows_with(tables: TableFolder, name: str, column: str, values: Any) -> pa.Table:
    """The rows of a table whose `column` is one of `values`, read without holding the table."""
    return ds.dataset(tables.location(name)).to_table(filter=ds.field(column).isin(pc.unique(values)))


def rows_between(tables: TableFolder, name: str, column: str, values: Any) -> pa.Table:
    """The rows of a table whose `column` lies between the least and the greatest of `values`; skips row groups outside."""
    bounds = pc.min_max(values)
    if not bounds["min"].is_valid:
        return ds.dataset(tables.location(name)).schema.empty_table()
    inside = (ds.field(column) >= bounds["min"]) & (ds.field(column) <= bounds["max"])
    return ds.dataset(tables.location(name)).to_table(filter=inside)


def row_fingerprint(stage: Stage, config: Config) -> str:
    """What the rows of a stage depend on besides its input tables: its name, code, settings and models."""
    models = stage.models(config) if stage.models else ""
    code = [inspect.getsource(stage.fn), code_fingerprint(*_ALL_CODE, *stage.code)]
    return fingerprint([stage.name, code, config.section_fingerprint(*stage.settings), models])


@lru_cache(maxsize=64)
def code_fingerprint(*modules: str) -> str:
    """A hash over the source of modules and packages of kgbuild: a changed stage runs again without a version to bump."""
    root = Path(__file__).parent
    files = [
        file
        for name in modules
        for file in ([root / name] if name.endswith(".py") else sorted((root / name).glob("*.py")))
    ]
    return fingerprint([[file.relative_to(root).as_posix(), file_sha256(file)] for file in files])
