"""What the commands and flows do with a release besides building one: load, ask, show, export, train, measure.

Plain functions over a config and an output folder; they read tables, call stage packages and return plain values.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgbuild.config import Config, load_config, to_toml
from kgbuild.errors import CatalogueError, ConfigError, KgbuildError
from kgbuild.naming import DECISIONS, ByHand, by_hand_toml, canonical_mentions, read_by_hand
from kgbuild.release import Release, Workspace, write_text

if TYPE_CHECKING:
    import pyarrow as pa

    from kgbuild.clip import ClipEncoder

LOADED = "stores.json"


def propose_config(catalogue: str, folder: Path) -> tuple[str, dict[str, str]]:
    """A config file's text with a mapping for a catalogue, its path relative to `folder`; and what was seen, by setting."""
    from kgbuild.ingest import propose_mapping

    proposed, notes = propose_mapping(catalogue)
    if "://" not in proposed.path:
        proposed = replace(proposed, path=os.path.relpath(proposed.path, folder))
    return to_toml(Config(catalogue=proposed), notes=notes), notes


def find_config(path: Path | None, settings: Sequence[str], out: Path, *, catalogue: str | None = None) -> Config:
    """The config of a file; without one, that of the current release of `out`; for a bare catalogue, a proposed one."""
    if path is not None:
        config = load_config(path, settings)
    elif catalogue is not None:
        from kgbuild.ingest import propose_mapping

        proposed, _ = propose_mapping(catalogue)
        config = replace(load_config(None, settings), catalogue=proposed)
    else:
        release = Workspace(out).current()
        base = dict(release.manifest.config) if release else {}
        config = load_config(None, settings, base=base)
    return replace(config, catalogue=replace(config.catalogue, path=catalogue)) if catalogue else config


def describe(out: Path) -> dict[str, Any]:
    """What `kgbuild status` prints: release, tables, rejects, earlier releases, the store."""
    workspace = Workspace(out)
    release = workspace.require_current()
    rejects = release.table("rejects", ["stage", "reason"]).group_by(["stage", "reason"]).aggregate([([], "count_all")])
    return {
        "release": release.release_id,
        "folder": str(release.path),
        "version": release.manifest.version,
        "rows": release.manifest.rows(),
        "rejects": sorted([row["stage"], row["reason"], row["count_all"]] for row in rejects.to_pylist()),
        "releases": sorted(path.name for path in workspace.releases.glob("r*")),
        "stores": loaded_stores(workspace),
    }


def load_current(
    config: Config, out: Path, *, force: bool = False, on_progress: Callable[[str, int, int], None] | None = None
) -> dict[str, Any]:
    """Load the current release into the store of `config`; says what was created and deleted there."""
    from kgbuild.graph import load_release, open_store

    workspace = Workspace(out)
    release = workspace.require_current()
    with open_store(config.store, workspace.store) as store:
        report = load_release(
            store,
            release,
            run_id=_run_id(),
            release_id=release.release_id,
            dim=embedding_dim(release),
            rows_per_transaction=config.store.rows_per_transaction,
            on_progress=on_progress,
            force=force,
        )
        _mark_loaded(workspace, config, report.release_id)
    return {
        "release": report.release_id,
        "skipped": report.skipped,
        "nodes": dict(report.nodes),
        "edges": dict(report.edges),
        "vectors": report.vectors,
        "nodes_created": report.counts.nodes_created,
        "nodes_deleted": report.counts.nodes_deleted,
        "edges_created": report.counts.edges_created,
        "edges_deleted": report.counts.edges_deleted,
        "seconds": round(report.seconds, 1),
    }


def diff_current(config: Config, out: Path) -> list[dict[str, Any]]:
    """What `load_current` would create and delete in the store, by node label and edge type."""
    from kgbuild.graph import diff_release, open_store

    workspace = Workspace(out)
    release = workspace.require_current()
    with open_store(config.store, workspace.store) as store:
        diff = diff_release(store, release)
    rows = []
    for what, created, deleted in (
        ("node", diff.nodes_created, diff.nodes_deleted),
        ("edge", diff.edges_created, diff.edges_deleted),
    ):
        kinds = sorted({*created, *deleted})
        rows += [{"what": what, "kind": k, "create": created.get(k, 0), "delete": deleted.get(k, 0)} for k in kinds]
    return rows


def _mark_loaded(workspace: Workspace, config: Config, release_id: str) -> None:
    """Remember for `status` where this folder's releases were loaded, without asking the store."""
    place = config.store.uri or "embedded"
    known = loaded_stores(workspace)
    write_text(workspace.out / LOADED, json.dumps({**known, place: release_id}, sort_keys=True) + "\n")


def loaded_stores(workspace: Workspace) -> dict[str, str]:
    """Store -> the release it was given last."""
    marker = workspace.out / LOADED
    known: dict[str, str] = json.loads(marker.read_text("utf-8")) if marker.exists() else {}
    return known


def query_current(config: Config, out: Path, cypher: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows that answer a reading Cypher statement on the store of `config`."""
    from kgbuild.graph import open_store

    with open_store(config.store, Workspace(out).store) as store:
        return store.query(cypher, parameters)


def embedding_dim(release: Release) -> int:
    """The length of the release's embeddings."""
    metadata = release.schema("image_embeddings").metadata or {}
    return int(metadata.get(b"dim", b"0"))


def _run_id() -> str:
    import time

    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + f"-{os.getpid()}"


def show_concept(out: Path, wanted: str) -> dict[str, Any]:
    """One concept of the current release, by label or id, with its neighbours, pictures and examples.

    Raises:
        KgbuildError: there is no such concept; the nearest labels are named.
    """
    import pyarrow.compute as pc

    release = Workspace(out).require_current()
    concepts = release.table("concepts")
    labels = dict(zip(concepts["concept_id"].to_pylist(), concepts["label"].to_pylist(), strict=True))
    concept_id = _find_concept(labels, wanted)
    row = concepts.filter(pc.equal(concepts["concept_id"], concept_id)).to_pylist()[0]
    edges = release.table("is_a_edges")
    up = edges.filter(pc.equal(edges["hyponym_id"], concept_id)).to_pylist()
    down = edges.filter(pc.equal(edges["hypernym_id"], concept_id)).to_pylist()
    sizes = dict(zip(concepts["concept_id"].to_pylist(), concepts["n_products"].to_pylist(), strict=True))
    broader = [[labels[e["hypernym_id"]], e["rule"], sizes[e["hypernym_id"]]] for e in up]
    narrower = [[labels[e["hyponym_id"]], e["rule"], sizes[e["hyponym_id"]]] for e in down]
    return {
        **row,
        "broader": sorted(broader, key=lambda item: (-item[2], item[0])),
        "narrower": sorted(narrower, key=lambda item: (-item[2], item[0])),
        "prototypes": _prototype_rows(release, concept_id),
        "examples": _examples(release, concept_id, edges),
    }


def hierarchy_lines(out: Path, below: str, *, n_roots: int, depth: int, width: int) -> Iterator[str]:
    """The tree view of the current release, a line a concept: indented label, products, how many siblings are not shown.

    Raises:
        KgbuildError: there is no concept `below`; the nearest labels are named.
    """
    from kgbuild.hierarchy import tree_lines

    release = Workspace(out).require_current()
    concepts = release.table("concepts")
    labels = dict(zip(concepts["concept_id"].to_pylist(), concepts["label"].to_pylist(), strict=True))
    start = _find_concept(labels, below) if below else None
    edges = release.table("is_a_edges")
    for line in tree_lines(concepts, edges, n_roots=n_roots, depth=depth, width=width, top=start):
        more = f"   (+{line.more:,})" if line.more else ""
        yield f"{'    ' * line.depth}{line.label}  {line.n_products:,}{more}"


def _find_concept(labels: Mapping[str, str], wanted: str) -> str:
    import difflib

    if wanted in labels:
        return wanted
    by_label = {label: concept_id for concept_id, label in labels.items()}
    words = frozenset(wanted.lower().split())
    found = by_label.get(wanted.lower()) or next(
        (by_label[label] for label in sorted(by_label) if frozenset(label.split()) == words), None
    )
    if found is None:
        near = difflib.get_close_matches(wanted.lower(), by_label, n=5, cutoff=0.5)
        raise KgbuildError(
            f"no concept {wanted!r} in this release", f"near: {', '.join(near)}" if near else "see kgbuild query"
        )
    return found


def _prototype_rows(release: Release, concept_id: str) -> list[list[Any]]:
    import pyarrow.compute as pc

    prototypes = release.table("prototypes")
    chosen = prototypes.filter(pc.equal(prototypes["concept_id"], concept_id)).to_pylist()
    images = release.table("images", ["image_id", "uri"])
    wanted = images.filter(pc.is_in(images["image_id"], value_set=_strings(p["image_id"] for p in chosen)))
    uris = dict(zip(wanted["image_id"].to_pylist(), wanted["uri"].to_pylist(), strict=True))
    return [[p["prototype_rank"], p["relevance"], p["redundancy"], uris[p["image_id"]]] for p in chosen]


def _examples(release: Release, concept_id: str, edges: pa.Table, *, count: int = 8) -> list[list[str]]:
    """Surface forms of mentions of this concept, else of ones below it, with some of their text around."""
    import pyarrow.compute as pc

    from kgbuild.hierarchy import descendants

    below = _strings(descendants(edges, concept_id))
    own: list[dict[str, Any]] = []
    narrower: list[dict[str, Any]] = []
    for mentions in _mentions(release, ["text_id", "start", "end", "surface_form", "concept_id"]):
        own += mentions.filter(pc.equal(mentions["concept_id"], concept_id)).slice(0, count).to_pylist()
        narrower += mentions.filter(pc.is_in(mentions["concept_id"], value_set=below)).slice(0, count).to_pylist()
        if len(own) >= count:
            break
    found = (own + narrower)[:count]
    wanted = _strings(mention["text_id"] for mention in found)
    texts: dict[str, str] = {}
    for rows in release.batches("texts", ["text_id", "text"]):
        hit = rows.filter(pc.is_in(rows["text_id"], value_set=wanted))
        texts.update(zip(hit["text_id"].to_pylist(), hit["text"].to_pylist(), strict=True))
    return [[m["surface_form"], _around(texts[m["text_id"]], m["start"], m["end"])] for m in found]


def synonym_rows(out: Path, decision: str = "") -> list[dict[str, Any]]:
    """The rows of table synonyms with one decision, or with all: by decision, then the most frequent names first.

    Raises:
        ConfigError: there is no such decision.
    """
    if decision and decision not in DECISIONS:
        raise ConfigError(f"there is no decision {decision!r}", f"it is one of: {', '.join(DECISIONS)}")
    rows = Workspace(out).require_current().table("synonyms").to_pylist()
    chosen = [row for row in rows if decision in ("", row["decision"])]
    return sorted(
        chosen, key=lambda row: (row["decision"], -row["support"], row["kind"], row["name"], row["canonical"])
    )


def synonym_file(config: Config, out: Path) -> str:
    """A file for `language.synonyms`: what the present one says, and the proposals of the current release, commented out."""
    present = read_by_hand(Path(config.language.synonyms)) if config.language.synonyms else ByHand()
    rows = synonym_rows(out, "proposed")
    return by_hand_toml(present, [((row["name"], row["canonical"]), row["evidence"]) for row in rows])


def _mentions(release: Release, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The mentions under their canonical concepts, piece by piece."""
    phrases = release.table("phrases")
    return (canonical_mentions(piece, phrases) for piece in release.batches("mentions", columns, rows=65_536))


def _around(text: str, start: int, end: int, *, margin: int = 40) -> str:
    left, right = max(0, start - margin), min(len(text), end + margin)
    return ("…" if left else "") + " ".join(text[left:right].split()) + ("…" if right < len(text) else "")


def _strings(values: Any) -> pa.Array:
    import pyarrow as pa

    return pa.array(sorted(set(values)), pa.string())


def mine_file(source: Path, output: Path, pipeline: str) -> int:
    """Maximal concepts of the texts of a JSON Lines file (`id`, `title`, `description`); the number of lines written."""
    from kgbuild.language import extract_concepts, load_miner

    count = 0
    partial = output.with_name(f".{output.name}.tmp")
    try:
        with partial.open("w", encoding="utf-8") as stream:
            for found in extract_concepts(_read_lines(source), miner=load_miner(pipeline)):
                stream.write(json.dumps(found, ensure_ascii=False) + "\n")
                count += 1
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    return count


def _read_lines(source: Path) -> Iterator[dict[str, Any]]:
    try:
        with source.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield _record(line, f"{source}:{number}")
    except FileNotFoundError:
        raise CatalogueError(
            f"there is no file {source}", 'give JSON Lines with "id", "title", "description"'
        ) from None
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{source} is not UTF-8: {error}", "convert it to UTF-8") from None


def _record(line: str, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise CatalogueError(f"{place} is no JSON: {error}", "each line is one JSON object") from None
    if not isinstance(row, dict) or "id" not in row:
        raise CatalogueError(f'{place} has no "id"', 'each line is an object with "id", "title", "description"')
    return {"id": str(row["id"]), "title": row.get("title") or "", "description": row.get("description") or ""}


def embed_to_file(
    kind: str, source: Path, model: str, output: Path, settings: Sequence[str]
) -> tuple[int, list[tuple[str, str, str]]]:
    """Embed the rows of a Parquet file; the number of rows written, and the rejected rows as (id, reason, detail)."""
    from kgbuild.embeddings import embed_file

    if kind not in ("texts", "images"):
        raise ConfigError(
            f"kgbuild embed takes texts or images, not {kind!r}", "kgbuild embed images IN.parquet --out OUT.parquet"
        )
    encoder = replace(load_config(None, settings).encoder, model=model)
    return embed_file(kind, source, encoder, output)


def picture_reader(release: Release) -> Callable[[Sequence[str]], dict[str, bytes]]:
    """A function that gives the bytes of pictures of a release by their sha256."""
    from kgbuild.stages import rows_with

    def read(hashes: Sequence[str]) -> dict[str, bytes]:
        rows = rows_with(release, "pictures", "sha256", _strings(hashes))
        return dict(zip(rows["sha256"].to_pylist(), rows["image"].to_pylist(), strict=True))

    return read


def write_current_page(out: Path, output: Path) -> dict[str, Any]:
    """Write the HTML page of the current release; what is on it."""
    from dataclasses import asdict

    from kgbuild.serve import write_page

    release = Workspace(out).require_current()
    report = write_page(
        output,
        concepts=release.table("concepts"),
        is_a_edges=release.table("is_a_edges"),
        prototypes=release.table("prototypes"),
        images=release.table("images", ["image_id", "product_id", "sha256"]),
        products=release.batches("products"),
        texts=release.batches("texts"),
        mentions=_mentions(release),
        pictures=picture_reader(release),
        release_id=release.release_id,
    )
    return asdict(report)


def evaluate_current(
    config: Config,
    out: Path,
    protocols: Sequence[str],
    *,
    split: str = "",
    field: str = "title",
    attributes: Sequence[str] = (),
    run_id: str = "",
) -> list[dict[str, Any]]:
    """Measure retrieval of the configured encoder on the current release; rows of the table `metrics`.

    Image embeddings of the release are used when this encoder made them, else the pictures are embedded here.
    """
    import pyarrow as pa

    from kgbuild.clip import load_clip
    from kgbuild.embeddings import embed_texts
    from kgbuild.retrieval import ProtocolSettings, evaluate, texts_to_embed
    from kgbuild.vectors import embedding_rows

    release = Workspace(out).require_current()
    products, images = release.table("products"), release.table("images")
    texts = release.table("texts")
    encoder = load_clip(config.encoder)
    image_embeddings = _image_embeddings(release, config, encoder)
    settings = ProtocolSettings(field=field, attributes=tuple(attributes), query_split=split or None)
    found = []
    for protocol in protocols:
        wanted = texts_to_embed(products, texts, protocol=protocol, settings=settings)
        matrix = embed_texts(wanted["text"].to_pylist(), encoder=encoder, batch_size=config.encoder.batch_size)
        text_embeddings = embedding_rows(wanted["id"].combine_chunks(), matrix)
        found.append(
            evaluate(
                products,
                texts,
                images,
                text_embeddings,
                image_embeddings,
                protocol=protocol,
                run_id=run_id or f"{release.release_id}:{config.encoder.model}",
                seed=config.seed,
                settings=settings,
            )
        )
    rows: list[dict[str, Any]] = pa.concat_tables(found).to_pylist()
    return rows


def _image_embeddings(release: Release, config: Config, encoder: ClipEncoder) -> pa.Table:
    from kgbuild.learning import embed_release_images

    made_by = (release.schema("image_embeddings").metadata or {}).get(b"fingerprint", b"").decode()
    if made_by == encoder.fingerprint:
        return release.table("image_embeddings")
    return embed_release_images(encoder, release, batch_size=config.encoder.batch_size)
