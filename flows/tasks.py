"""Build, expand, load and page as tasks: each calls what the command line calls. The release knows what is done: no cache here."""

from pathlib import Path
from typing import Any

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.transactions import Transaction

from flows.watch import Watch, as_task, report_build
from kgbuild import actions, build
from kgbuild.config import Config
from kgbuild.errors import StoreError
from kgbuild.release import Workspace


def _is_store_error(task: Task[..., Any], run: object, state: Any) -> bool:  # noqa: ARG001 - Prefect's signature
    return isinstance(state.result(raise_on_failure=False), StoreError)


@task(cache_policy=NO_CACHE)
def build_release(config: Config, out: Path) -> str:
    """Build the catalogue's release; each stage is a task of its own."""
    return report_build(build.build(config, out, progress=Watch(), around=as_task))


@task(cache_policy=NO_CACHE)
def expand_release(config: Config, new_products: Path, out: Path) -> str:
    """Add products to the current release; each stage is a task of its own."""
    return report_build(build.expand(config, new_products, out, progress=Watch(), around=as_task))


@build_release.on_rollback
@expand_release.on_rollback
def step_back(publishing: Transaction) -> None:
    """Point `current` at the release that was in use before, if there was one."""
    if before := publishing.get("before", ""):
        Workspace(Path(publishing.get("out"))).point_to(before)


@task(cache_policy=NO_CACHE, retries=3, retry_delay_seconds=[5, 60, 300], retry_condition_fn=_is_store_error)
def load_store(config: Config, out: Path) -> dict[str, Any]:
    """Load the current release into the store; tried again while the store cannot be reached."""
    return actions.load_current(config, out)


@task(cache_policy=NO_CACHE)
def write_page(out: Path) -> str:
    """Write the picture page of the current release beside it."""
    return str(actions.write_current_page(out, out / "page.html"))
