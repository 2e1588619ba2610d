"""A release is a folder of Parquet tables with a manifest; `OUT/current` points at the one in use.

    OUT/current             -> releases/<id>, moved by one rename when all is well
    OUT/releases/<id>/      <table>.parquet (a file, or a folder of parts) and manifest.json; its tables never change once published
    OUT/next/               the release being built: a kill leaves it, the next run goes on from what is whole in it
    OUT/history.jsonl       what was published, when
    OUT/cache/, OUT/store/  embeddings by content and model; the embedded graph store

Files are written under a temporary name and renamed (see table_files.py).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from kgbuild.errors import ReleaseError
from kgbuild.identity import fingerprint
from kgbuild.table_files import TableFolder, TableInfo

MANIFEST: Final = "manifest.json"


@dataclass(frozen=True)
class StageRecord:
    """What the manifest says of one stage.

    `fingerprint` covers code, settings, models and input tables; `row_fingerprint` all but the input tables: rows of an earlier
    release that were made under the same one can be taken over.
    """

    fingerprint: str
    row_fingerprint: str
    outputs: Mapping[str, TableInfo]


@dataclass(frozen=True)
class Manifest:
    """How a release came about. It holds no times and no paths of tables: the same content gives the same bytes."""

    release_id: str
    version: str
    config: Mapping[str, Any]
    stages: Mapping[str, StageRecord]

    def rows(self) -> dict[str, int]:
        """Row counts by table."""
        counts: dict[str, int] = {}
        for record in self.stages.values():
            for output, info in record.outputs.items():
                counts[output.split("/")[0]] = counts.get(output.split("/")[0], 0) + info.rows
        return counts


class Release(TableFolder):
    """A published release."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.manifest = read_manifest(path)

    @property
    def release_id(self) -> str:
        """The id: a hash of the tables' content and of the settings that shaped it."""
        return self.manifest.release_id


class Workspace:
    """The folder that a user names with --out."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.next = out / "next"
        self.releases = out / "releases"
        self.store = out / "store"
        self.cache = out / "cache"

    def current(self) -> Release | None:
        """The release in use, or None where nothing was published yet."""
        link = self.out / "current"
        return Release(link.resolve()) if link.exists() else None

    def require_current(self) -> Release:
        """The release in use. Raises ReleaseError where there is none."""
        release = self.current()
        if release is None:
            raise ReleaseError(f"{self.out} holds no release", f"make one with: kgbuild build --out {self.out}")
        return release

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """One writer at a time. Raises ReleaseError when another process holds the folder."""
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            handle = (self.out / ".lock").open("a+")
        except (FileExistsError, NotADirectoryError, PermissionError) as error:
            raise ReleaseError(
                f"{self.out} cannot be written to: {error.strerror}", "name another folder: --out DIR"
            ) from None
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                handle.seek(0)
                raise ReleaseError(
                    f"process {handle.read().strip() or '?'} is already at work in {self.out}",
                    "wait for it, or stop it",
                ) from None
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
            yield

    def publish(
        self, config: Mapping[str, Any], version: str, stages: Mapping[str, StageRecord]
    ) -> tuple[Release, bool]:
        """Turn `next` into a release and point `current` at it; False when its content is that of the current one."""
        shas = {name: {out: info.sha256 for out, info in record.outputs.items()} for name, record in stages.items()}
        release_id = (
            "r" + fingerprint([shas, {key: config[key] for key in sorted(config) if key not in _NOT_CONTENT}])[:12]
        )
        manifest = Manifest(release_id, version, config, stages)
        before = self.current()
        if before is not None and before.release_id == release_id:
            if before.manifest != manifest:  # made otherwise this time: remembered, or each build would make it again
                _write_manifest(before.path, manifest)
            shutil.rmtree(self.next)
            return Release(before.path), False
        _write_manifest(self.next, manifest)
        self.releases.mkdir(exist_ok=True)
        target, aside = self.releases / release_id, self.releases / f".old-{release_id}"
        if target.exists():  # published before and now again: the content is the same by its id
            shutil.rmtree(aside, ignore_errors=True)
            target.rename(aside)
        self.next.rename(target)
        self.point_to(release_id)
        for leftover in self.releases.glob(".old-*"):
            shutil.rmtree(leftover)
        _remove_all_but_tables(target, stages)  # last, so that a kill before it loses no record of what is whole
        return Release(target), True

    def point_to(self, release_id: str) -> None:
        """Move `current` to a published release, by one rename; also the way to roll back."""
        if not (self.releases / release_id / MANIFEST).exists():
            known = ", ".join(sorted(path.name for path in self.releases.glob("r*"))) or "none"
            raise ReleaseError(f"{self.out} has no release {release_id}", f"it has: {known}")
        link = self.out / f".current.{os.getpid()}"
        link.unlink(missing_ok=True)
        link.symlink_to(Path("releases") / release_id)
        link.replace(self.out / "current")
        with (self.out / "history.jsonl").open("a") as history:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            history.write(json.dumps({"release_id": release_id, "published": stamp}) + "\n")

    def prune(self, keep: int) -> list[str]:
        """Remove all but the `keep` releases published last; their ids are returned."""
        current = self.current()
        known = ([current.release_id] if current else []) + list(reversed(self._published()))
        newest = list(dict.fromkeys(known))[:keep]
        old = sorted(path.name for path in self.releases.glob("r*") if path.name not in newest)
        for release_id in old:
            shutil.rmtree(self.releases / release_id)
        return old

    def _published(self) -> list[str]:
        """Ids in the order of publishing; a line that a full disk or a kill cut off is passed over."""
        history = self.out / "history.jsonl"
        text = history.read_text("utf-8", errors="replace") if history.exists() else ""
        return re.findall(r'"release_id": "(r[0-9a-f]{12})"', text)


# Settings that say where and how a build runs, not what it makes.
_NOT_CONTENT: Final = frozenset({"catalogue", "run", "store", "training"})


def read_manifest(path: Path) -> Manifest:
    """The manifest of a release folder. Raises ReleaseError when it is absent or damaged."""
    try:
        plain = json.loads((path / MANIFEST).read_text("utf-8"))
        stages = {
            name: StageRecord(
                record["fingerprint"],
                record["row_fingerprint"],
                {output: TableInfo(**info) for output, info in record["outputs"].items()},
            )
            for name, record in plain["stages"].items()
        }
        return Manifest(plain["release_id"], plain["version"], plain["config"], stages)
    except FileNotFoundError:
        raise ReleaseError(f"{path} is no release: it has no {MANIFEST}", "give a folder under OUT/releases") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReleaseError(
            f"{path / MANIFEST} is damaged: {error!r}",
            "go back to another release: kgbuild use ID; or remove OUT/current and build again",
        ) from error


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    write_text(folder / MANIFEST, json.dumps(asdict(manifest), indent=1, sort_keys=True) + "\n")


def _remove_all_but_tables(folder: Path, stages: Mapping[str, StageRecord]) -> None:
    """Remove records, parts and temporary files that a build, or one that was killed before it, left in its folder."""
    tables = {TableFolder(folder).location(output) for record in stages.values() for output in record.outputs}
    keep = {folder / MANIFEST, *tables, *(table.parent for table in tables)}
    for parent in sorted({table.parent for table in tables}):
        for entry in list(parent.iterdir()):
            if entry not in keep:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def clear_record(folder: Path, stage: str) -> None:
    """Forget that a stage was done in this folder: its outputs are about to be written over."""
    (folder / f"{stage}.done.json").unlink(missing_ok=True)


def write_record(folder: Path, stage: str, record: StageRecord) -> None:
    """Mark a stage of the release being built as done."""
    write_text(folder / f"{stage}.done.json", json.dumps(asdict(record), sort_keys=True))


def read_record(folder: Path, stage: str) -> StageRecord | None:
    """The record of a stage done earlier in this folder, if its outputs are all there."""
    try:
        plain = json.loads((folder / f"{stage}.done.json").read_text("utf-8"))
        outputs = {output: TableInfo(**info) for output, info in plain["outputs"].items()}
        record = StageRecord(plain["fingerprint"], plain["row_fingerprint"], outputs)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None  # absent, or of another version of kgbuild: the stage is done again
    return record if all(TableFolder(folder).has(output) for output in outputs) else None


def write_text(path: Path, text: str) -> None:
    """Write a small file under a temporary name and rename it."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, "utf-8")
    temporary.replace(path)
