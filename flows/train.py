"""Weekly: a model is trained on the current release's concept-image batches, and the one in use is measured beside it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from flows.evaluate import measure
from flows.settings import settle
from kgbuild.config import Config
from kgbuild.learning import train_current
from kgbuild.release import Workspace


@task(cache_policy=NO_CACHE)
def train_model(config: Config, out: Path, target: Path) -> dict[str, Any]:
    """Train on the current release into a folder of its id: a killed run goes on there, a new release starts anew."""
    folder = target / Workspace(out).require_current().release_id
    return train_current(config, out, folder, note=get_run_logger().info)


@flow(name="kgbuild-train", log_prints=True)
def train_on_graph(
    config: str = "kgbuild.toml",
    out: str = "out",
    target: str = "out/training",
    protocols: list[str] | None = None,
    settings: list[str] | None = None,
) -> dict[str, Any]:
    """Train, then measure the model in use and the new one; the report says where the new one lies."""
    tree = settle(config, Path(out), settings)
    report = train_model(tree, Path(out), Path(target))
    for model in (tree.encoder.model, str(report["model"])):
        measured = replace(tree, encoder=replace(tree.encoder, model=model))
        measure(measured, Path(out), protocols or ["sample"])
    return report
