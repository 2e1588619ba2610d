"""How a build shows itself in Prefect: a task for each stage, log lines while it runs, a table when it is done."""

from collections import Counter
from collections.abc import Callable, Mapping

from prefect import get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from kgbuild.build import BuildReport


def as_task(name: str, step: Callable[[], None]) -> None:
    """Carry out a stage as a task of its name."""

    @task(name=name, task_run_name=name, cache_policy=NO_CACHE)
    def stage() -> None:
        step()

    stage()


class Watch:
    """A `Progress` that logs each tenth of a stage."""

    def __init__(self) -> None:
        self.total, self.done, self.rejects = 0, 0, Counter[str]()

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """See `Progress`."""
        self.total, self.done, self.rejects = total or 0, 0, Counter[str]()
        get_run_logger().info("%s: %s %s", stage, total if total is not None else "all", unit)

    def advance(self, stage: str, done: int, rejects: Mapping[str, int] | None = None) -> None:
        """See `Progress`."""
        before, self.done = self.done, self.done + done
        self.rejects.update(rejects or {})
        if self.total and before * 10 // self.total != self.done * 10 // self.total:
            get_run_logger().info("%s: %d of %d, rejects %s", stage, self.done, self.total, dict(self.rejects))

    def finish(self, stage: str, note: str) -> None:
        """See `Progress`."""
        get_run_logger().info("%s: %s", stage, note)


def report_build(report: BuildReport) -> str:
    """Keep a table of the stages as an artifact; the release's id is returned."""
    rows = [{"stage": s.name, "how": s.how, "seconds": round(s.seconds, 1), **s.rows} for s in report.stages]
    create_table_artifact(rows, key="kgbuild-stages", description=f"{report.release.release_id} {report.rejects}")
    return report.release.release_id
