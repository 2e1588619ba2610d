"""The command line from end to end, on the project's own sample, with the shipped models and the embedded store."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from kgbuild.cli import app, main
from kgbuild.release import Workspace

SAMPLE = Path(__file__).parent.parent / "data" / "sample"
CONFIG = str(SAMPLE / "kgbuild.toml")

pytest.importorskip("arcadedb_embedded", reason="the embedded store is not installed")


def run(*arguments: str, status: int = 0) -> str:
    outcome = CliRunner().invoke(app, list(arguments))
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    assert outcome.exit_code == status, outcome.output
    return outcome.stdout


def rows(*arguments: str) -> list[dict]:
    return [json.loads(line) for line in run(*arguments).splitlines()]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    out = tmp_path_factory.mktemp("cli") / "out"
    return out, rows("build", "--config", CONFIG, "--out", str(out), "--json")[-1]


def test_build_reports_every_stage_and_loads_the_store(built: tuple[Path, dict]) -> None:
    out, report = built
    assert [stage["stage"] for stage in report["stages"]] == [
        "ingest", "mentions", "synonyms", "head_edges", "concepts", "hierarchy", "image_embeddings", "concept_embeddings", "prototypes",
        "batches", "graph",
    ]  # fmt: skip
    release = Workspace(out).require_current()
    assert report["release"] == release.release_id == report["load"]["release"]
    assert report["load"]["nodes"]["Concept"] == release.rows("concepts")
    assert report["load"]["edges"]["HAS_PROTOTYPE"] == release.rows("prototypes")
    assert report["rejects"]["duplicate_id"] == 1


def test_second_build_and_second_load_change_nothing(built: tuple[Path, dict]) -> None:
    out, report = built
    again = rows("build", "--config", CONFIG, "--out", str(out), "--json")[-1]
    assert again["changed"] is False
    assert again["release"] == report["release"]
    assert again["load"]["skipped"] is True
    forced = rows("load", "--out", str(out), "--force", "--json")[-1]
    assert [forced[key] for key in ("nodes_created", "nodes_deleted", "edges_created", "edges_deleted")] == [0, 0, 0, 0]
    assert all(row["create"] == row["delete"] == 0 for row in rows("load", "--out", str(out), "--dry-run", "--json")[0])


def test_dry_run_names_what_a_changed_setting_redoes(built: tuple[Path, dict]) -> None:
    out, _ = built
    plan = rows("build", "--config", CONFIG, "--out", str(out), "--dry-run", "--json", "--set", "prototypes.k=3")[0]
    assert [item["name"] for item in plan if item["action"] != "keep"] == ["prototypes", "graph"]


def test_query_answers_cypher_with_parameters(built: tuple[Path, dict]) -> None:
    out, _ = built
    found = rows(
        "query", "MATCH (n:Concept)-[:IS_A]->(c:Concept {label: $label}) RETURN n.label AS label ORDER BY label",
        "--param", "label=t-shirt", "--out", str(out), "--json",
    )  # fmt: skip
    labels = [row["label"] for row in found]
    assert "short sleeve t-shirt" in labels
    assert labels == sorted(labels)
    assert all(label.endswith("t-shirt") for label in labels)


def test_status_and_show(built: tuple[Path, dict]) -> None:
    out, report = built
    state = rows("status", "--out", str(out), "--json")[0]
    assert state["release"] == report["release"]
    assert state["stores"] == {"embedded": report["release"]}
    card = rows("show", "t-shirt", "--out", str(out), "--json")[0]
    assert card["head_noun"] == "t-shirt"
    assert card["prototypes"]
    assert card["examples"]
    assert "short sleeve t-shirt" in [label for label, _, _ in card["narrower"]]
    assert "t-shirt" in run("show", "t-shirt", "--out", str(out))


def test_page_is_one_file_with_the_concepts(built: tuple[Path, dict], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert "page.html" in run("page", str(page), "--out", str(built[0]))
    assert "short sleeve t-shirt" in page.read_text("utf-8")


def test_export_train_and_eval(built: tuple[Path, dict], tmp_path: Path) -> None:
    out, _ = built
    report = rows("export", str(tmp_path / "shards"), "--out", str(out), "--json")[0]
    assert report["rows"] == Workspace(out).require_current().rows("batch_plan")
    trained = rows(
        "train", str(tmp_path / "run"), "--out", str(out), "--json",
        "--set", "training.epochs=1", "--set", "training.batch_size=128", "--set", "training.cva_encoded=16",
    )[-1]  # fmt: skip
    assert trained["steps"] == 3
    measured = rows(
        "eval", "--out", str(out), "--protocol", "full", "--set", f"encoder.model={trained['model']}", "--json"
    )
    recalls = {row["direction"]: row["value"] for row in measured if row["metric"] == "recall_at_10"}
    assert set(recalls) >= {"image_to_text", "text_to_image"}
    assert all(0.0 <= value <= 1.0 for value in recalls.values())


def test_concepts_of_a_file(tmp_path: Path) -> None:
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"id": "1", "title": "Osterholt Women White T-shirt", "description": null}\n', "utf-8")
    run("concepts", str(source), "--out", str(output))
    found = json.loads(output.read_text("utf-8"))
    assert found["id"] == "1"
    assert any(c["head"] == "t-shirt" and {"women", "white"} <= set(c["modifiers"]) for c in found["concepts"])


def test_embed_texts_gives_unit_rows(tmp_path: Path) -> None:
    source, output = tmp_path / "in.parquet", tmp_path / "out.parquet"
    pq.write_table(pa.table({"id": ["a", "b"], "text": ["white shirt", "black shoe"]}), source)
    run("embed", "texts", str(source), "--out", str(output))
    table = pq.read_table(output)
    assert table["id"].to_pylist() == ["a", "b"]
    for embedding in table["embedding"].to_pylist():
        assert sum(x * x for x in embedding) == pytest.approx(1.0, abs=1e-4)


def test_init_writes_a_config_that_loads_and_refuses_to_overwrite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from kgbuild.config import load_config

    config = tmp_path / "kgbuild.toml"
    run("init", str(SAMPLE / "catalogue.jsonl"), "--config", str(config))
    columns = load_config(config).catalogue.columns
    assert (columns.id, columns.title, columns.brand) == ("id", "title", "brand")
    assert message_of(["init", str(SAMPLE / "catalogue.jsonl"), "--config", str(config)], capsys).count("--force") == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["build", "no_such_file.parquet", "--out", "{out}"], "no_such_file.parquet"),
        (["build", "--out", "{out}", "--set", "prototypes.kk=3"], "did you mean"),
        (["status", "--out", "{out}"], "kgbuild build"),
        (["query", "RETURN 1", "--out", "{out}", "--param", "nothing"], "name=value"),
        (["run", "mentionz", "--out", "{out}"], "mentions"),
        (["embed", "sounds", "x.parquet", "--out", "y.parquet"], "texts or images"),
        (["concepts", "no_such.jsonl", "--out", "y.jsonl"], "no_such.jsonl"),
        (["load", "--out", "{out}"], "kgbuild build"),
    ],
)
def test_errors_name_the_value_and_the_remedy(
    arguments: list[str],
    named: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    message = message_of([part.format(out=tmp_path / "out") for part in arguments], capsys)
    assert named in message
    assert "Traceback" not in message


def message_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["kgbuild", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
    assert stop.value.code == 1
    return capsys.readouterr().err
