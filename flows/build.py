"""Nightly: what the catalogue holds becomes the next release, and the store and the page follow."""

from pathlib import Path

from prefect import flow
from prefect.transactions import transaction

from flows.settings import settle
from flows.tasks import build_release, load_store, write_page
from kgbuild.release import Workspace


@flow(name="kgbuild-build", log_prints=True)
def build_graph(config: str = "kgbuild.toml", out: str = "out", settings: list[str] | None = None) -> str:
    """Build a release and load it; where loading fails for good, the earlier release is the current one again."""
    folder = Path(out)
    tree = settle(config, folder, settings)
    before = Workspace(folder).current()
    with transaction() as publishing:
        publishing.set("out", out)
        publishing.set("before", before.release_id if before else "")
        release_id = build_release(tree, folder)
        load_store(tree, folder)
    write_page(folder)
    return release_id
