"""On demand: retrieval with the configured model on the current release, as a table that Prefect shows."""

from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE

from flows.settings import settle
from kgbuild import actions
from kgbuild.config import Config


@task(cache_policy=NO_CACHE)
def measure(config: Config, out: Path, protocols: list[str], split: str = "") -> list[dict[str, Any]]:
    """Measure the configured model and keep the numbers as an artifact."""
    rows = actions.evaluate_current(config, out, protocols, split=split)
    create_table_artifact(rows, key="kgbuild-metrics", description=config.encoder.model)
    return rows


@flow(name="kgbuild-evaluate", log_prints=True)
def evaluate_model(
    config: str = "kgbuild.toml",
    out: str = "out",
    protocols: list[str] | None = None,
    split: str = "",
    settings: list[str] | None = None,
) -> list[dict[str, Any]]:
    """Measure by the named protocols; the rows are those of the table `metrics`."""
    tree = settle(config, Path(out), settings)
    return measure(tree, Path(out), protocols or ["sample", "full"], split)
