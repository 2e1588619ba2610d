"""What can be checked of flows and deployments without a server: parameters fit, entry points exist, files stay short."""

import ast
import inspect
from importlib import import_module
from pathlib import Path

import pytest

from kgbuild.errors import ConfigError

ROOT = Path(__file__).parents[2]
yaml = pytest.importorskip("yaml", reason="prefect brings yaml")
pytest.importorskip("prefect", reason="prefect is not installed")
DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: one["entrypoint"])
def test_a_deployment_fits_its_flow(deployment):
    file, _, name = deployment["entrypoint"].partition(":")
    flow = getattr(import_module(file.removesuffix(".py").replace("/", ".")), name)
    flow.validate_parameters(deployment["parameters"])
    assert (ROOT / deployment["parameters"]["config"]).exists()
    unknown = set(deployment["parameters"]) - set(inspect.signature(flow.fn).parameters)
    assert not unknown


def test_builds_do_not_pile_up():
    nightly = next(one for one in DEPLOYMENTS if one["name"] == "nightly")
    assert nightly["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}
    (schedule,) = nightly["schedules"]
    assert schedule["timezone"]
    writers = [one for one in DEPLOYMENTS if one["entrypoint"].split(":")[0] in ("flows/build.py", "flows/expand.py")]
    assert {one["work_pool"]["work_queue_name"] for one in writers} == {"release"}


@pytest.mark.parametrize("file", sorted((ROOT / "flows").glob("*.py")), ids=lambda file: file.name)
def test_a_flow_is_a_table_of_contents(file):
    text = file.read_text()
    assert len(text.splitlines()) <= 50
    imported = {node.module or "" for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
    stage_packages = ("ingest", "language", "hierarchy", "embeddings", "prototypes", "batches", "training", "retrieval")
    assert not [name for name in imported if name.startswith(tuple(f"kgbuild.{package}" for package in stage_packages))]


def test_the_surroundings_of_a_worker_add_settings(monkeypatch, tmp_path):
    from flows.settings import settle

    config = str(ROOT / "data" / "sample" / "kgbuild.toml")
    monkeypatch.setenv("KGBUILD_SET", "store.uri=bolt://neo4j:7687\n\n  prototypes.k=7\n")
    assert settle(config, tmp_path, None).store.uri == "bolt://neo4j:7687"
    assert settle(config, tmp_path, None).prototypes.k == 7
    assert settle(config, tmp_path, ["prototypes.k=3"]).prototypes.k == 3
    monkeypatch.setenv("KGBUILD_SET", "stor.uri=x")
    with pytest.raises(ConfigError, match="stor"):
        settle(config, tmp_path, None)


def test_compose_and_prefect_agree():
    compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
    command = "\n".join(compose["services"]["worker"]["command"])
    pools = {one["work_pool"]["name"] for one in DEPLOYMENTS}
    queues = {one["work_pool"]["work_queue_name"] for one in DEPLOYMENTS} - {"default"}
    assert all(f"worker start --pool {pool}" in command for pool in pools)
    assert all(f"work-queue create {queue}" in command for queue in queues)
    assert "store.uri=bolt://neo4j:7687" in compose["services"]["worker"]["environment"]["KGBUILD_SET"]
    assert compose["services"]["neo4j"]["image"].startswith("neo4j:5.26")


def test_the_image_is_made_of_files_that_exist():
    lines = (ROOT / "docker" / "Dockerfile").read_text().splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY") and "--from" not in line]
    for names in copied:
        for name in names:
            if not name.startswith("--"):
                assert (ROOT / name).exists(), name
    allowed = {
        line.removeprefix("!")
        for line in (ROOT / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert {name for names in copied for name in names if not name.startswith("--")} <= allowed
