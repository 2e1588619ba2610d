"""What the CLI shows: progress and logs on stderr, results on stdout."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, highlight=False)


def result(text: str) -> None:
    """A line of the result, as it is."""
    out.print(text, markup=False)


def note(text: str) -> None:
    """A remark for the person who watches."""
    err.print(text, markup=False)


def failure(text: str) -> None:
    """An error, with its remedy on the next line."""
    head, *rest = text.splitlines() or [""]
    err.print(Text("error: ", style="bold red") + Text(head))
    for line in rest:
        err.print(Text(line, style="yellow"))


def as_json(value: Any) -> None:
    """One JSON value on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "") -> None:
    """A table on stdout; numbers are aligned to the right."""
    body = [[_cell(value) for value in row] for row in rows]
    drawn = Table(title=title or None, title_justify="left", show_edge=False, pad_edge=False, header_style="bold")
    for index, name in enumerate(columns):
        numeric = bool(body) and all(_is_number(row[index]) for row in body)
        drawn.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in body:
        drawn.add_row(*(Text(cell) for cell in row))
    Console(soft_wrap=False, highlight=False, width=None if out.is_terminal else 200).print(drawn)


def _cell(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (Mapping, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "", 1).replace("-", "").replace("e", "").isdigit() or cell == ""


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "", style="cyan")


class LiveProgress:
    """Draws a build: a line a stage with counts, rate, time left and rejects. Implements `ports.Progress`."""

    def __init__(self) -> None:
        self._tasks: dict[str, TaskID] = {}
        self._rejects: dict[str, Counter[str]] = {}
        self._live = Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description:<19}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            _Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[note]}", style="yellow"),
            console=err,
            disable=not err.is_terminal,
        )

    def __enter__(self) -> LiveProgress:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """See `ports.Progress`."""
        self._tasks[stage] = self._live.add_task(stage, total=total, unit=unit, note="")
        if not err.is_terminal:
            note(f"{stage}: started" + (f", {total:,} {unit}" if total else ""))

    def advance(self, stage: str, done: int, rejects: Mapping[str, int] | None = None) -> None:
        """See `ports.Progress`."""
        counts = self._rejects.setdefault(stage, Counter())
        counts.update(rejects or {})
        said = ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common(3))
        self._live.update(self._tasks[stage], advance=done, note=f"rejected: {said}" if said else "")

    def finish(self, stage: str, note_: str) -> None:
        """See `ports.Progress`."""
        if stage not in self._tasks:
            self._tasks[stage] = self._live.add_task(stage, total=1, unit="", note=note_)
            self._live.update(self._tasks[stage], completed=1)
        task = self._live.tasks[self._tasks[stage]]
        done = task.completed or 1
        self._live.update(task.id, total=done, completed=done, note=note_ if note_ != "built" else task.fields["note"])
        if not err.is_terminal:
            note(f"{stage}: {note_}")
