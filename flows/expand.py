"""When new products come in: they join the current release, and the store and the page follow."""

from pathlib import Path

from prefect import flow
from prefect.transactions import transaction

from flows.settings import settle
from flows.tasks import expand_release, load_store, write_page
from kgbuild.release import Workspace


@flow(name="kgbuild-expand", log_prints=True)
def expand_graph(
    new_products: str, config: str = "kgbuild.toml", out: str = "out", settings: list[str] | None = None
) -> str:
    """Expand the current release and load it; where loading fails for good, the earlier release is the current one again."""
    folder = Path(out)
    tree = settle(config, folder, settings)
    with transaction() as publishing:
        publishing.set("out", out)
        publishing.set("before", Workspace(folder).require_current().release_id)
        release_id = expand_release(tree, Path(new_products), folder)
        load_store(tree, folder)
    write_page(folder)
    return release_id
