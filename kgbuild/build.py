"""Building a release: which stages must run, what can be taken over from the current release, and the run itself.

A stage is done when its fingerprint (code, settings, models, content of the input tables) is that of a record: of the
current release, or of the unfinished one in `next`. A map stage whose inputs alone changed works on new rows only and takes
the others over from the current release; so an expansion costs what it adds, and equals a build of everything at once.
"""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from kgbuild import __version__
from kgbuild.config import CatalogueConfig, Config, config_to_dict
from kgbuild.errors import CatalogueError, ConfigError, KgbuildError
from kgbuild.identity import fingerprint
from kgbuild.merge import Source, ingest_tables
from kgbuild.ports import Progress, Silent
from kgbuild.release import Release, StageRecord, Workspace, clear_record, read_record, write_record
from kgbuild.runners import make_runner
from kgbuild.shards import ShardResult, ShardTask, changed_products, ordered, part_metadata, parts_in_order, run_shard
from kgbuild.stages import INGEST, PIPELINE, Stage, row_fingerprint, stage_names
from kgbuild.table_files import TableFolder, TableInfo, link_output, write_table
from kgbuild.tables import count_reasons


@dataclass(frozen=True)
class StageReport:
    """How one stage was come by: built, partly (rows taken over), resumed, or reused; and how long it took, in seconds."""

    name: str
    how: str
    seconds: float
    rows: dict[str, int]


@dataclass(frozen=True)
class BuildReport:
    """What a build did. `changed` is False when the current release already was what was asked for."""

    release: Release
    changed: bool
    stages: tuple[StageReport, ...]
    rejects: dict[str, int]
    seconds: float
    pruned: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlannedStage:
    """What a build would do with one stage, and why."""

    name: str
    action: str
    reason: str


Around = Callable[[str, Callable[[], None]], None]
"""Carries out a stage, given its name and what it does: the CLI just calls it, a flow makes a task of it."""


def plainly(name: str, step: Callable[[], None]) -> None:  # noqa: ARG001 - the plainest `Around`
    """Carry out a stage by calling it."""
    step()


def build(config: Config, out: Path, *, progress: Progress | None = None, around: Around = plainly) -> BuildReport:
    """Build a release from the catalogue of `config` and make it the current one of `out`."""
    return _run(config, Workspace(out), Source(_require_catalogue(config)), progress or Silent(), around=around)


def expand(
    config: Config, new_products: Path, out: Path, *, progress: Progress | None = None, around: Around = plainly
) -> BuildReport:
    """Add new products to the current release of `out`; those whose id is there already replace the older ones.

    Gives the same tables as a build of both catalogues at once (METHOD section 2).
    """
    workspace = Workspace(out)
    source = _expansion(config, workspace, new_products)
    return _run(config, workspace, source, progress or Silent(), around=around)


def run_stage(
    config: Config, name: str, out: Path, *, progress: Progress | None = None, force: bool = True
) -> BuildReport:
    """Run one stage of the current release again, and those that depend on what it makes."""
    if name not in stage_names():
        raise ConfigError(f"there is no stage {name!r}", f"stages: {', '.join(stage_names())}")
    if name == INGEST:
        return _run(config, Workspace(out), Source(_require_catalogue(config)), progress or Silent(), force=name)
    workspace = Workspace(out)
    source = Source(None, workspace.require_current())
    return _run(config, workspace, source, progress or Silent(), force=name if force else None)


def plan(config: Config, out: Path, *, new_products: Path | None = None) -> list[PlannedStage]:
    """What `build` (or `expand` with new products) would do, without doing it.

    A stage that reads what will be made anew is said to run; it may yet be kept, when that turns out as it was.
    """
    workspace = Workspace(out)
    current = workspace.current()
    source = Source(_require_catalogue(config)) if new_products is None else _expansion(config, workspace, new_products)
    made: dict[str, str] = {}  # content of the outputs that are known beforehand
    planned = [_planned(INGEST, source.fingerprint(config), "the catalogue or its settings changed", workspace, made)]
    for stage in PIPELINE:
        row_print = row_fingerprint(stage, config)
        unknown = [name for name in stage.reads if name not in made]
        print_ = None if unknown else fingerprint([row_print, [made[name] for name in stage.reads]])
        before = current.manifest.stages.get(stage.name) if current else None
        same_rows = before is not None and before.row_fingerprint == row_print
        reason = "its settings, model or code changed" if before and not same_rows else "what it reads changed"
        reason = f"{', '.join(unknown)} will be made anew" if unknown else reason
        step = _planned(stage.name, print_, reason, workspace, made)
        partly = step.action == "run" and stage.shard_by and same_rows
        planned.append(replace(step, action="run on new rows") if partly else step)
    return planned


def _planned(name: str, print_: str | None, reason: str, workspace: Workspace, made: dict[str, str]) -> PlannedStage:
    """What is to be done with one stage; what it keeps is added to `made`. A fingerprint of None is not known yet."""
    current = workspace.current()
    records = {
        "finished by an interrupted build": read_record(workspace.next, name),
        "nothing it depends on changed": current.manifest.stages.get(name) if current else None,
    }
    for why, record in records.items():
        if record is not None and record.fingerprint == print_:
            made.update({output: info.sha256 for output, info in record.outputs.items()})
            return PlannedStage(name, "keep", why)
    return PlannedStage(name, "run", reason if current else "nothing was built yet")


def _expansion(config: Config, workspace: Workspace, new_products: Path) -> Source:
    catalogue = replace(config.catalogue, path=str(new_products), format="auto")
    return Source(catalogue, workspace.require_current())


def _require_catalogue(config: Config) -> CatalogueConfig:
    if not config.catalogue.path:
        raise CatalogueError(
            "no catalogue is given", "set catalogue.path, or make a config with: kgbuild init CATALOGUE"
        )
    return config.catalogue


def _run(
    config: Config,
    workspace: Workspace,
    source: Source,
    progress: Progress,
    *,
    force: str | None = None,
    around: Around = plainly,
) -> BuildReport:
    began = time.monotonic()
    with workspace.lock(), _full_disk_explained(workspace.out):
        workspace.next.mkdir(parents=True, exist_ok=True)
        current = workspace.current()
        if source.base is not None and current is not None:
            source = replace(source, base=current)  # another process may have published while this one had no lock yet
        run = _Run(config, workspace, current, progress, force)
        around(INGEST, partial(run.ingest, source))
        for stage in PIPELINE:
            around(stage.name, partial(run.stage, stage))
        # A first build keeps its own record of how it was made; an expansion keeps the base's catalogue settings.
        release, changed = workspace.publish(config_to_dict(config), __version__, run.records)
        pruned = workspace.prune(config.run.keep_releases) if changed else []
    seconds = time.monotonic() - began
    return BuildReport(
        release,
        changed,
        tuple(run.reports),
        count_reasons(release.table("rejects", ["reason"])),
        seconds,
        tuple(pruned),
    )


@dataclass
class _Run:
    """One pass over the pipeline: the records grow as stages end."""

    config: Config
    workspace: Workspace
    current: Release | None
    progress: Progress
    force: str | None
    records: dict[str, StageRecord] = field(default_factory=dict)
    reports: list[StageReport] = field(default_factory=list)

    @property
    def folder(self) -> TableFolder:
        return TableFolder(self.workspace.next)

    def ingest(self, source: Source) -> None:
        if source.catalogue is None:
            assert source.base is not None
            record = source.base.manifest.stages[INGEST]
            self._take_over(INGEST, record, source.base)
            return
        print_ = source.fingerprint(self.config)
        if self._reuse(INGEST, print_):
            return
        began = time.monotonic()
        clear_record(self.workspace.next, INGEST)
        self.progress.start(INGEST, None, "products")
        outputs = ingest_tables(self.config, source, self.workspace.next, self.progress)
        self._done(INGEST, StageRecord(print_, print_, outputs), "built", began)

    def stage(self, stage: Stage) -> None:
        row_print = row_fingerprint(stage, self.config)
        inputs = [self._output(name).sha256 for name in stage.reads]
        print_ = fingerprint([row_print, inputs])
        if self._reuse(stage.name, print_):
            return
        began = time.monotonic()
        clear_record(self.workspace.next, stage.name)
        outputs, how = self._map(stage, row_print) if stage.shard_by else (self._global(stage), "built")
        self._done(stage.name, StageRecord(print_, row_print, outputs), how, began)

    def _output(self, name: str) -> TableInfo:
        return next(record.outputs[name] for record in self.records.values() if name in record.outputs)

    def _reuse(self, name: str, print_: str) -> bool:
        if name == self.force:
            return False
        resumed = read_record(self.workspace.next, name)
        if resumed is not None and resumed.fingerprint == print_:
            self.records[name] = resumed
            self._report(name, "resumed", 0.0, resumed)
            return True
        if self.current is not None:
            record = self.current.manifest.stages.get(name)
            if record is not None and record.fingerprint == print_:
                self._take_over(name, record, self.current)
                return True
        return False

    def _take_over(self, name: str, record: StageRecord, origin: Release) -> None:
        clear_record(self.workspace.next, name)
        for output in record.outputs:
            link_output(origin, self.workspace.next, output)
        write_record(self.workspace.next, name, record)
        self.records[name] = record
        self._report(name, "reused", 0.0, record)

    def _done(self, name: str, record: StageRecord, how: str, began: float) -> None:
        write_record(self.workspace.next, name, record)
        self.records[name] = record
        self._report(name, how, time.monotonic() - began, record)

    def _report(self, name: str, how: str, seconds: float, record: StageRecord) -> None:
        rows = {output: info.rows for output, info in record.outputs.items()}
        self.reports.append(StageReport(name, how, seconds, rows))
        self.progress.finish(name, how)

    def _global(self, stage: Stage) -> dict[str, TableInfo]:
        self.progress.start(stage.name, None, "rows")
        results = stage.fn(self.folder, self.config)
        return {
            output: write_table(
                self.workspace.next,
                output,
                [ordered(results[output], output)],
                metadata=results[output].schema.metadata,
            )
            for output in stage.writes
        }

    def _map(self, stage: Stage, row_print: str) -> tuple[dict[str, TableInfo], str]:
        assert stage.shard_by is not None
        total = self.folder.rows(stage.shard_by)
        size = max(1, self.config.run.shard_rows // stage.shard_divisor)
        base, stale = self._reusable_rows(stage, row_print)
        parts = self.workspace.next / f"{stage.name}.parts"
        shape = fingerprint([row_print, [self._output(name).sha256 for name in stage.reads], str(base), size])[:12]
        tasks = [
            ShardTask(
                stage.name,
                self.config,
                self.workspace.next,
                base,
                stale,
                start,
                min(total, start + size),
                parts / shape,
            )
            for start in range(0, total, size)
        ]
        (parts / shape).mkdir(parents=True, exist_ok=True)
        runner = make_runner(1 if stage.in_process else self.config.run.workers, len(tasks))
        self.progress.start(stage.name, total, stage.shard_by)
        done: list[ShardResult] = []
        for result in runner.map(run_shard, tasks):
            done.append(result)
            self.progress.advance(stage.name, result.rows, result.rejects)
        outputs = {
            output: write_table(
                self.workspace.next, output, parts_in_order(done, output), metadata=part_metadata(done, output)
            )
            for output in stage.writes
        }
        shutil.rmtree(parts)
        reused = sum(result.reused for result in done)
        return outputs, f"built, {reused} of {total} {stage.shard_by} taken over" if reused else "built"

    def _reusable_rows(self, stage: Stage, row_print: str) -> tuple[Path | None, frozenset[str]]:
        """The release whose rows can be taken over, and the products whose own row changed since."""
        if self.current is None or stage.name == self.force:
            return None, frozenset()
        record = self.current.manifest.stages.get(stage.name)
        if record is None or record.row_fingerprint != row_print:
            return None, frozenset()
        return self.current.path, changed_products(self.current, self.folder)


class _full_disk_explained:  # noqa: N801 - reads as the statement it is used in
    """Turn «no space left» into a message; what is finished stays and is used by the next run."""

    def __init__(self, out: Path) -> None:
        self.out = out

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise KgbuildError(
                f"the disk that holds {self.out} is full ({error.strerror})",
                "free some space and run the same command again: finished stages are kept, the current release is untouched",
            ) from error
