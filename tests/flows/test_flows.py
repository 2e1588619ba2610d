"""The flows on a Prefect server: they do what the command line does, and a release the store refuses is stepped back from."""

import json
from pathlib import Path

import pytest

pytest.importorskip("prefect", reason="prefect is not installed")

from clip_fixture import write_tiny_clip

from flows import tasks
from flows.build import build_graph
from flows.evaluate import evaluate_model
from flows.expand import expand_graph
from flows.train import train_on_graph
from kgbuild import actions, build
from kgbuild.errors import StoreError
from kgbuild.release import StageRecord, Workspace
from kgbuild.stages import PIPELINE
from kgbuild.table_files import write_table
from kgbuild.tables import reject_rows

pytestmark = pytest.mark.timeout(900)  # 20 s for the server and 30 s of work, on a machine that has nothing else to do
SAMPLE = Path(__file__).parents[2] / "data" / "sample"


def task_runs(flow_name):
    """Names of the task runs of the latest run of a flow."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName
    from prefect.client.schemas.sorting import FlowRunSort

    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[flow_name])), sort=FlowRunSort.START_TIME_DESC, limit=1
        )
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

        found = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[runs[0].id])))
    return {run.name.split("-")[0] for run in found}


@pytest.mark.usefixtures("prefect_server")
def test_build_expand_evaluate_and_train_on_the_sample(tmp_path):
    some = tmp_path / "some.jsonl"
    lines = (SAMPLE / "catalogue.jsonl").read_bytes().splitlines()
    some.write_bytes(b"\n".join(lines[:40]) + b"\n")
    config, out = str(SAMPLE / "kgbuild.toml"), str(tmp_path / "out")
    model = write_tiny_clip(tmp_path / "model")  # what the pictures look like to it does not matter here
    settings = [
        f"catalogue.path={some}", f"catalogue.image_root={SAMPLE}", "run.workers=1", "store.heap=512m", f"encoder.model={model}",
        "concepts.min_products=2",
    ]  # fmt: skip

    release_id = build_graph(config=config, out=out, settings=settings)
    release = Workspace(Path(out)).require_current()
    assert release.release_id == release_id
    assert release.rows("products") > 30
    assert (Path(out) / "page.html").stat().st_size > 40_000
    assert {"ingest", *(stage.name for stage in PIPELINE), "load_store", "write_page"} <= task_runs("kgbuild-build")
    plain = build.build(actions.find_config(Path(config), settings, tmp_path), tmp_path / "plain")
    assert plain.release.release_id == release_id  # the command line's function, the same release

    more = tmp_path / "more.jsonl"
    more.write_bytes(b"\n".join(lines[40:46]) + b"\n")
    expanded = expand_graph(new_products=str(more), config=config, out=out, settings=settings)
    assert expanded != release_id
    assert Workspace(Path(out)).require_current().rows("products") > release.rows("products")

    rows = evaluate_model(config=config, out=out, protocols=["full"], settings=settings)
    assert {row["direction"] for row in rows} == {"image_to_text", "text_to_image", "both"}
    assert all(row["run_id"].startswith(expanded) for row in rows)

    learn = [*settings, f"training.model={model}", "training.warmup_steps=1", "batches.batch_size=32"]
    report = train_on_graph(config=config, out=out, target=str(tmp_path / "models"), protocols=["full"], settings=learn)
    assert Path(report["model"]).is_relative_to(tmp_path / "models" / expanded)
    assert list(Path(report["model"]).glob("*.safetensors"))
    assert {"train_model", "measure"} <= task_runs("kgbuild-train")


@pytest.fixture
def stand_ins(monkeypatch):
    """A build that makes a release of one row, and a store that can be reached or not."""
    state = {"row": "first", "reachable": True, "loads": 0}

    def make(config, out, *, progress, around):
        workspace, records = Workspace(out), {}
        workspace.next.mkdir(parents=True, exist_ok=True)

        def ingest():
            progress.start("ingest", 1, "products")
            info = write_table(workspace.next, "rejects/ingest", [reject_rows("ingest", [(state["row"], "r", "d")])])
            records["ingest"] = StageRecord("a", "b", {"rejects/ingest": info})
            progress.advance("ingest", 1)
            progress.finish("ingest", "built")

        around("ingest", ingest)
        release, changed = workspace.publish({}, "0", records)
        return build.BuildReport(release, changed, (build.StageReport("ingest", "built", 0.0, {}),), {}, 0.0)

    def load(config, out):
        state["loads"] += 1
        if not state["reachable"]:
            raise StoreError("bolt://nowhere cannot be reached")
        return {}

    monkeypatch.setattr(build, "build", make)
    monkeypatch.setattr(actions, "load_current", load)
    monkeypatch.setattr(actions, "write_current_page", lambda out, output: {})
    monkeypatch.setattr(tasks.load_store, "retry_delay_seconds", [0])
    return state


@pytest.mark.usefixtures("prefect_server")
def test_a_release_that_the_store_refuses_is_stepped_back_from(tmp_path, stand_ins):
    config, out = str(SAMPLE / "kgbuild.toml"), str(tmp_path)
    first = build_graph(config=config, out=out)
    stand_ins |= {"row": "second", "reachable": False, "loads": 0}
    state = build_graph(config=config, out=out, return_state=True)
    assert state.is_failed()
    assert "cannot be reached" in str(state.message)
    assert stand_ins["loads"] == 1 + 3  # store errors are tried again
    assert Workspace(tmp_path).require_current().release_id == first
    history = [json.loads(line)["release_id"] for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert history[0] == history[2] == first != history[1]
    stand_ins["reachable"] = True
    assert build_graph(config=config, out=out) == history[1]
