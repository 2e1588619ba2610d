"""Texts and queries tagged with the concepts of a release: what `kgbuild link` does, read -> link -> write."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kgbuild.errors import CatalogueError
from kgbuild.identity import file_sha256, fingerprint
from kgbuild.naming import canonical_mentions
from kgbuild.release import Release, Workspace

if TYPE_CHECKING:
    import pyarrow as pa

    from kgbuild.language.linking import Linker

_FIELDS: Final = ("text", "title", "description")
_FORM: Final = 'give JSON Lines or Parquet with "id" and "text", or "title" and "description"; or one text a line'
_PIECE: Final = 4096  # records at a time
_CODE: Final = ("automaton.py", "readings.py", "linking.py", "canonical.py")


class Passage(NamedTuple):
    """One text of a record; `record` counts the records, since their ids may repeat."""

    record: int
    id: str
    field: str
    text: str


def link_file(source: str, output: Path | None, out: Path, *, min_share: float, exact: bool) -> int:
    """Link the texts of a file to the current release of `out`, as JSON Lines; the number of records written.

    Args:
        source: Parquet (`*.parquet`), JSON Lines (`*.jsonl`, `*.json`), or text with one passage a line; "-" is such text on the
            standard input.
        output: where to write; None is the standard output.
        out: the folder of releases.
        min_share: how often a reading must be right to be linked, 0-1; at 0 whatever has the words of a concept is linked.
        exact: as `kgbuild.language.linking.share`.
    """
    from kgbuild.language.linking import Linker

    release = Workspace(out).require_current()
    concepts = release.table("concepts", ["concept_id", "label"])
    labels = dict(zip(concepts["concept_id"].to_pylist(), concepts["label"].to_pylist(), strict=True))
    linker = Linker(readings_of(Workspace(out), release), min_share=min_share, exact=exact)
    lines = (json.dumps(row, ensure_ascii=False) for row in _tagged(_passages(source), linker, labels))
    if output is None:
        return _write(lines, sys.stdout)
    partial = output.with_name(f".{output.name}.tmp")
    try:
        with partial.open("w", encoding="utf-8") as stream:
            count = _write(lines, stream)
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    return count


def _write(lines: Iterator[str], stream: Any) -> int:
    count = 0
    for line in lines:
        stream.write(line + "\n")
        count += 1
    return count


def readings_of(workspace: Workspace, release: Release) -> pa.Table:
    """The readings of a release's surface forms, kept in the cache of the workspace under the release's id."""
    import pyarrow.parquet as pq

    from kgbuild import language
    from kgbuild.language.linking import finest_known, read_surfaces

    rooms = Path(language.__file__).parent
    code = fingerprint([file_sha256(rooms / name) for name in _CODE])[:12]
    kept = workspace.cache / f"readings-{release.release_id}-{code}.parquet"
    if kept.exists():
        return pq.read_table(kept)
    concepts = release.table("concepts")
    columns = ["text_id", "start", "end", "surface_form", "concept_id", "head_noun", "modifiers"]
    mentions = canonical_mentions(release.table("mentions", columns), release.table("phrases"))
    readings = read_surfaces(finest_known(mentions, concepts), release.table("texts"), concepts)
    workspace.cache.mkdir(parents=True, exist_ok=True)
    partial = kept.with_name(f".{kept.name}.tmp")
    pq.write_table(readings, partial)
    partial.replace(kept)
    for earlier in workspace.cache.glob("readings-*.parquet"):
        if earlier != kept:
            earlier.unlink()
    return readings


def _tagged(passages: Iterator[Passage], linker: Linker, labels: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """One object a record: its id and its concepts in the order of the text."""
    import pyarrow as pa

    records = (list(group) for _, group in groupby(passages, key=lambda passage: passage.record))
    while piece := list(islice(records, _PIECE)):
        texts = [passage.text for record in piece for passage in record]
        table = pa.table({"text_id": [str(n) for n in range(len(texts))], "text": pa.array(texts, pa.string())})
        found: dict[int, list[dict[str, Any]]] = {}
        for link in linker.link(table).to_pylist():
            found.setdefault(int(link["text_id"]), []).append(link)
        number = 0
        for record in piece:
            rows = []
            for passage in record:
                rows += [_row(link, passage.field, labels) for link in found.get(number, ())]
                number += 1
            yield {"id": record[0].id, "concepts": rows}


def _row(link: Mapping[str, Any], field: str, labels: Mapping[str, str]) -> dict[str, Any]:
    name = link["concept_id"]
    place = {"field": field, "start": link["start"], "end": link["end"], "surface_form": link["surface_form"]}
    return {"label": labels[name], "concept_id": name, **place}


def _passages(source: str) -> Iterator[Passage]:
    if source.endswith(".parquet"):
        yield from _of_parquet(Path(source))
    elif source == "-":
        yield from _of_lines(sys.stdin, source)
    else:
        try:
            with Path(source).open(encoding="utf-8", errors="strict") as stream:
                yield from _of_lines(stream, source)
        except FileNotFoundError:
            raise CatalogueError(f"there is no file {source}", _FORM) from None
        except UnicodeDecodeError as error:
            raise CatalogueError(f"{source} is not UTF-8: {error}", "convert it to UTF-8") from None


def _of_lines(lines: Any, source: str) -> Iterator[Passage]:
    as_json = source.endswith((".jsonl", ".json"))
    for number, line in enumerate(lines, start=1):
        if not as_json:
            yield Passage(number, str(number), "text", line.rstrip("\r\n"))
        elif line.strip():
            yield from _of_row(number, _parsed(line, f"{source}:{number}"), f"{source}:{number}")


def _parsed(line: str, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise CatalogueError(f"{place} is no JSON: {error}", "each line is one JSON object") from None
    if not isinstance(row, dict):
        raise CatalogueError(f"{place} is no JSON object", _FORM)
    return row


def _of_row(number: int, row: Mapping[str, Any], place: str) -> Iterator[Passage]:
    fields = [field for field in _FIELDS if field in row]
    if row.get("id") is None or not fields:
        raise CatalogueError(f"{place} has the fields {sorted(row)}", _FORM)
    for field in fields:
        text = row[field] if row[field] is not None else ""
        if not isinstance(text, str):
            raise CatalogueError(f"{place} has a {field} that is no text: {text!r}", _FORM)
        # Half of a surrogate pair is no character, and Arrow has no place for it.
        yield Passage(number, str(row["id"]), field, text.encode("utf-8", "replace").decode("utf-8"))


def _of_parquet(source: Path) -> Iterator[Passage]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(source)
    except FileNotFoundError:
        raise CatalogueError(f"there is no file {source}", _FORM) from None
    except pa.ArrowInvalid as error:
        raise CatalogueError(f"{source} is no Parquet: {error}", _FORM) from None
    names = file.schema_arrow.names
    row_id = "id" if "id" in names else "text_id"
    columns = [name for name in (row_id, *_FIELDS) if name in names]
    number = 0
    for batch in file.iter_batches(columns=columns):
        for row in batch.rename_columns(["id" if name == row_id else name for name in columns]).to_pylist():
            number += 1
            yield from _of_row(number, row, f"{source}, row {number}")
