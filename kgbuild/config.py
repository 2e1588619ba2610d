"""One frozen, typed tree of settings: the only place where a default stands. Unknown keys are refused.

Every field carries a line of help and, where it has one, its bounds or choices; `kgbuild init` writes them as comments and
`schemas/config.schema.json` is made from them.
"""

from __future__ import annotations

import copy
import dataclasses
import difflib
import json
import math
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

from kgbuild.errors import ConfigError
from kgbuild.identity import fingerprint


def _set(
    default: Any,
    about: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    return field(default=default, metadata={"about": about, "low": low, "high": high, "choices": choices})


@dataclass(frozen=True)
class ColumnsConfig:
    """Which columns of the catalogue hold what. Empty means: the catalogue has none."""

    id: str = _set("id", "the product's id, unique in the catalogue")
    title: str = _set("title", "the product's title")
    texts: tuple[str, ...] = _set((), "further text columns, the most descriptive first")
    images: tuple[str, ...] = _set((), "columns with pictures: bytes, paths, URLs, or lists of these")
    brand: str = _set("", "the brand, kept out of the concepts")
    category: tuple[str, ...] = _set((), "category columns from broad to narrow, or one column with a path")
    category_separator: str = _set(">", "what parts the levels when the category is one column")
    attributes: tuple[str, ...] = _set((), "columns taken as attributes: plain values, or JSON objects")
    split: str = _set("", "a column that says train, val or test")


@dataclass(frozen=True)
class CatalogueConfig:
    """Where the products are."""

    path: str = _set("", "a Parquet, CSV or JSON Lines file, or a folder of them")
    format: str = _set("auto", "the file format", choices=("auto", "parquet", "csv", "jsonl"))
    image_root: str = _set("", "what image paths are relative to; empty: the catalogue's folder")
    columns: ColumnsConfig = field(default_factory=ColumnsConfig)


@dataclass(frozen=True)
class IngestConfig:
    """What is done to texts and pictures on their way in."""

    picture_max_side: int = _set(256, "pictures larger than this are reduced, in pixels", low=16, high=4096)
    text_max_characters: int = _set(20_000, "a longer text is cut here and reported", low=100)
    split_boilerplate: bool = _set(True, "set care, warranty, delivery and model-statistics sections apart")
    url_timeout_seconds: float = _set(20.0, "how long one picture behind a URL may take", low=0.1)


@dataclass(frozen=True)
class LanguageConfig:
    """How phrases are found."""

    pipeline: str = _set("en_kgbuild", "the shipped spaCy pipeline, or the name or folder of an installed one")
    batch_size: int = _set(4096, "texts read together: more is faster and takes more memory", low=1)
    synonyms: str = _set(
        "", "a TOML file with names to merge and to keep apart (kgbuild synonyms --write); empty: none"
    )


@dataclass(frozen=True)
class ConceptsConfig:
    """Which phrases become concepts."""

    min_products: int = _set(3, "a concept needs mentions in so many products", low=1)
    max_modifiers: int = _set(4, "concepts of the graph have at most so many modifiers", low=0, high=6)


_IS_A_RULES = (
    *("drop_modifier", "generalise_modifier"),  # from a concept's modifiers
    *("category", "cooccurrence", "pattern", "compound", "seed_taxonomy", "usage"),  # between heads
)


@dataclass(frozen=True)
class HierarchyConfig:
    """How concepts are ordered."""

    rules: tuple[str, ...] = _set(
        _IS_A_RULES,
        "the rules that may draw an is-a edge; without usage not every concept reaches a root",
        choices=_IS_A_RULES,
    )
    seed_taxonomy: str = _set(
        "", "a taxonomy file in Shopify's or Google's format that says more of kinds; empty: none"
    )


@dataclass(frozen=True)
class EncoderConfig:
    """The image-text model."""

    model: str = _set(
        "kgbuild",
        "kgbuild (shipped), an open_clip name such as ViT-B-32:laion2b_s34b_b79k, hf-hub:OWNER/NAME, or a folder",
    )
    device: str = _set("auto", "where it runs: auto, cpu, cuda, cuda:1, mps")
    precision: str = _set("fp32", "arithmetic of the encoder", choices=("fp32", "bf16", "fp16"))
    batch_size: int = _set(64, "pictures or texts a forward pass", low=1)
    prompts: tuple[str, ...] = _set(
        ("a photo of {concept}", "{concept}", "a product photo of {concept}"),
        "a concept is embedded as the mean over these prompts",
    )


@dataclass(frozen=True)
class PrototypesConfig:
    """Which pictures stand for a concept."""

    pool_size: int = _set(20, "pictures in the candidate pool", low=1)
    k: int = _set(5, "prototypes a concept, at most", low=1)
    mmr_lambda: float = _set(0.7, "weight on relevance; 1.0 is pure relevance, 0.0 pure diversity", low=0.0, high=1.0)
    gate: bool = _set(True, "only pictures of products that mention the concept or one below it")
    duplicate_similarity: float = _set(0.98, "pictures more alike than this count as one", low=0.0, high=1.0)


@dataclass(frozen=True)
class BatchesConfig:
    """How training batches are composed."""

    batch_size: int = _set(256, "text-image pairs a batch", low=2)
    concepts_per_text: int = _set(5, "granularities a text, finest first (C of METHOD section 4)", low=1, high=16)


@dataclass(frozen=True)
class TrainingConfig:
    """The ITC + CVA stage."""

    model: str = _set("kgbuild", "the model to start from: kgbuild, ARCHITECTURE:TAG of open_clip, or a folder")
    from_scratch: bool = _set(False, "start from random weights of that architecture")
    epochs: int = _set(1, "passes over the exported pairs", low=1)
    learning_rate: float = _set(1e-4, "peak rate of AdamW", low=0.0)
    weight_decay: float = _set(0.001, "not on biases, norms and logit_scale", low=0.0)
    warmup_steps: int = _set(100, "steps of linear warm-up before the cosine", low=0)
    batch_size: int = _set(0, "pairs a step over all processes; 0: as the batches were composed", low=0)
    shuffle_rows: int = _set(
        65536, "rows held while their order is mixed anew each epoch; 0: the batches as they were composed", low=0
    )
    clip_gradient: float = _set(1.0, "largest norm of the gradient; 0: not clipped", low=0.0)
    ema_decay: float = _set(
        0.995, "decay of the averaged weights that are exported; 0: the last weights", low=0.0, high=1.0
    )
    text_views: int = _set(
        2, "texts a picture and step, drawn from title, facts and clauses; 0: the planned text alone", low=0
    )
    augment: bool = _set(True, "flips, small crops and turns, light, blank patches")
    cva: bool = _set(True, "add the concept-visual alignment loss")
    cva_prototypes: int = _set(5, "prototypes nearest to each image that enter CVA (K)", low=1)
    cva_max_weight: float = _set(0.5, "upper bound of the adaptive CVA weight g", low=0.0, high=1.0)
    cva_encoded: int = _set(
        128,
        "prototype pictures a step that are encoded anew with gradient; the others keep the epoch's embedding",
        low=0,
    )
    precision: str = _set("bf16", "autocast precision", choices=("fp32", "bf16"))
    device: str = _set("auto", "where it runs: auto, cpu, cuda")
    checkpoint_steps: int = _set(200, "steps between checkpoints; each epoch's end has one too", low=1)
    keep_checkpoints: int = _set(2, "how many checkpoints stay", low=1)


@dataclass(frozen=True)
class StoreConfig:
    """The graph store. Without a URI an embedded ArcadeDB is started beside the release and stopped again."""

    uri: str = _set("", "bolt://, neo4j:// or neo4j+s:// address of a Neo4j; empty: embedded")
    user: str = _set("neo4j", "user name")
    password_env: str = _set("NEO4J_PASSWORD", "the environment variable that holds the password")
    database: str = _set("neo4j", "database name")
    heap: str = _set("2g", "memory of the embedded store's Java")
    rows_per_transaction: int = _set(2000, "rows a transaction; nodes with vectors take a quarter", low=1)


@dataclass(frozen=True)
class RunConfig:
    """How a build runs; nothing here changes what it makes."""

    workers: int = _set(0, "processes for stages that map over shards; 0: one a core", low=0)
    shard_rows: int = _set(8192, "rows a shard", low=1)
    keep_releases: int = _set(5, "older releases beyond these are removed", low=1)


@dataclass(frozen=True)
class Config:
    """All settings of a project."""

    seed: int = _set(0, "seed of every sampling", low=0)
    catalogue: CatalogueConfig = field(default_factory=CatalogueConfig)
    ingest: IngestConfig = field(default_factory=IngestConfig)
    language: LanguageConfig = field(default_factory=LanguageConfig)
    concepts: ConceptsConfig = field(default_factory=ConceptsConfig)
    hierarchy: HierarchyConfig = field(default_factory=HierarchyConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    prototypes: PrototypesConfig = field(default_factory=PrototypesConfig)
    batches: BatchesConfig = field(default_factory=BatchesConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def section_fingerprint(self, *sections: str) -> str:
        """SHA-256 over the values of some sections (or single settings: "ingest.picture_max_side"): must a stage run again?"""
        return fingerprint({name: _plain(attrgetter(name)(self)) for name in sections})


def load_config(path: Path | None, overrides: Sequence[str] = (), *, base: Mapping[str, Any] | None = None) -> Config:
    """Read a TOML file, or start from `base` values, and apply `section.key=value` overrides.

    A relative path (see `_PATHS`) of the file is taken from the file's folder.

    Raises:
        ConfigError: the file is absent or no TOML; a key is unknown; a value has the wrong type or is out of bounds.
    """
    values: dict[str, Any] = copy.deepcopy(dict(base or {}))
    if path is not None:
        values = _read_toml(path)
        _resolve_paths(values, path.parent)
    for override in overrides:
        _apply_override(values, override)
    return config_from_dict(values)


def config_from_dict(values: Mapping[str, Any]) -> Config:
    """A `Config` from nested plain values, checked as `load_config` checks."""
    config = _build(Config, values, "")
    assert isinstance(config, Config)
    return config


def config_to_dict(config: Config) -> dict[str, Any]:
    """Nested plain values; `config_from_dict` reads them back to an equal `Config`."""
    plain = _plain(config)
    assert isinstance(plain, dict)
    return plain


def to_toml(config: Config, *, notes: Mapping[str, str] | None = None) -> str:
    """The config as TOML with a comment on every key; `notes` maps "section.key" to a further comment above it."""
    return "\n".join(_toml_lines(config, "", notes or {})).strip() + "\n"


def config_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the configuration file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "kgbuild", **_json_schema(Config)}


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"there is no config file {path}", "make one with: kgbuild init CATALOGUE") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no valid TOML: {error}", "mend the line it names") from None


_PATHS = (
    *(("catalogue", "path"), ("catalogue", "image_root")),
    *(("language", "synonyms"), ("hierarchy", "seed_taxonomy")),
)


def _resolve_paths(values: dict[str, Any], folder: Path) -> None:
    for section, key in _PATHS:
        place = values.get(section)
        given = place.get(key) if isinstance(place, dict) else None
        if isinstance(place, dict) and isinstance(given, str) and given and "://" not in given:
            place[key] = str(folder / given)


def _apply_override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise ConfigError(f"--set takes key=value, not {override!r}", "for example: --set prototypes.k=8")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word is a string, so that shells need no nested quotes
    *parents, last = key.strip().split(".")
    place = values
    for parent in parents:
        place = place.setdefault(parent, {})
        if not isinstance(place, dict):
            raise ConfigError(f"{key}: {parent} is no section", "see schemas/config.schema.json for the keys")
    place[last] = value


def _hints(cls: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _build(cls: type[Any], values: Mapping[str, Any], prefix: str) -> Any:
    fields = {f.name: f for f in dataclasses.fields(cls)}
    hints = _hints(cls)
    for key in values:
        if key not in fields:
            near = difflib.get_close_matches(key, [*fields, *_all_keys()], n=1, cutoff=0.5)
            remedy = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(fields)}"
            raise ConfigError(f"unknown setting {prefix + key!r}", remedy)
    return cls(**{key: _value(fields[key], hints[key], given, prefix + key) for key, given in values.items()})


def _all_keys() -> Iterator[str]:
    for section in dataclasses.fields(Config):
        hint = _hints(Config)[section.name]
        if dataclasses.is_dataclass(hint):
            yield from (f"{section.name}.{f.name}" for f in dataclasses.fields(hint))


def _value(spec: dataclasses.Field[Any], hint: Any, given: Any, key: str) -> Any:
    if dataclasses.is_dataclass(hint):
        if not isinstance(given, Mapping):
            raise ConfigError(f"{key} is a section, not {given!r}", f"write [{key}] and its keys below it")
        assert isinstance(hint, type)
        return _build(hint, given, key + ".")
    if isinstance(hint, types.GenericAlias) or typing.get_origin(hint) is tuple:
        given = (given,) if isinstance(given, str) else given
        if not isinstance(given, (list, tuple)) or not all(isinstance(item, str) for item in given):
            raise ConfigError(
                f"{key} takes a list of strings, not {given!r}", f'for example: {key.split(".")[-1]} = ["a", "b"]'
            )
        _check_choices(spec, tuple(given), key)
        return tuple(given)
    if hint is float and isinstance(given, int) and not isinstance(given, bool):
        given = float(given)
    if type(given) is not hint or (hint is float and not math.isfinite(given)):
        raise ConfigError(
            f"{key} takes a value of type {hint.__name__}, not {given!r}", str(spec.metadata.get("about", ""))
        )
    _check_choices(spec, (given,), key)
    _check_bounds(spec, given, key)
    return given


def _check_choices(spec: dataclasses.Field[Any], given: tuple[Any, ...], key: str) -> None:
    choices = spec.metadata.get("choices") or ()
    wrong = [value for value in given if choices and value not in choices]
    if wrong:
        raise ConfigError(f"{key} cannot be {wrong[0]!r}", f"it is one of: {', '.join(choices)}")


def _check_bounds(spec: dataclasses.Field[Any], given: Any, key: str) -> None:
    low, high = spec.metadata.get("low"), spec.metadata.get("high")
    if (low is not None and given < low) or (high is not None and given > high):
        raise ConfigError(
            f"{key} = {given} is out of range", f"it lies between {low} and {'any' if high is None else high}"
        )


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return list(value) if isinstance(value, tuple) else value


def _toml_lines(node: Any, prefix: str, notes: Mapping[str, str]) -> Iterator[str]:
    nested = []
    for spec in dataclasses.fields(node):
        value = getattr(node, spec.name)
        if dataclasses.is_dataclass(value):
            nested.append((spec.name, value))
            continue
        key = prefix + spec.name
        if key in notes:
            yield f"# {_one_line(notes[key])}"
        yield f"{spec.name} = {_toml_value(value)}  # {_comment(spec)}"
    for name, value in nested:
        doc = (type(value).__doc__ or "").strip().splitlines()[0]
        yield from ("", f"[{prefix}{name}]  # {doc}")
        yield from _toml_lines(value, f"{prefix}{name}.", notes)


def _toml_value(value: Any) -> str:
    # JSON's strings, numbers, booleans and lists are TOML's too, but for the control character that only TOML wants escaped.
    return json.dumps(_plain(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _one_line(note: str) -> str:
    """A comment without line ends and control characters, which would end it or spoil the file."""
    return "".join(c if c.isprintable() else " " for c in note)


def _comment(spec: dataclasses.Field[Any]) -> str:
    choices = spec.metadata.get("choices")
    return spec.metadata["about"] + (f" ({', '.join(choices)})" if choices else "")


_JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def _json_schema(cls: type[Any]) -> dict[str, Any]:
    hints, properties = _hints(cls), {}
    for spec in dataclasses.fields(cls):
        hint = hints[spec.name]
        if dataclasses.is_dataclass(hint):
            assert isinstance(hint, type)
            properties[spec.name] = _json_schema(hint)
            continue
        entry: dict[str, Any] = {"description": spec.metadata["about"], "default": _plain(spec.default)}
        choices = list(spec.metadata["choices"])
        if hint in _JSON_TYPES:
            entry |= {"type": _JSON_TYPES[hint]} | ({"enum": choices} if choices else {})
        else:
            entry |= {"type": "array", "items": {"type": "string"} | ({"enum": choices} if choices else {})}
        bounds = {"minimum": spec.metadata["low"], "maximum": spec.metadata["high"]}
        properties[spec.name] = entry | {name: bound for name, bound in bounds.items() if bound is not None}
    doc = (cls.__doc__ or "").strip().splitlines()[0]
    return {"type": "object", "description": doc, "properties": properties, "additionalProperties": False}
