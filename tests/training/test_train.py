"""The trainer on a tiny model: it learns, it resumes bit for bit, two processes are one, and plain open_clip loads what it leaves."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import open_clip
import pyarrow as pa
import pytest
import torch
from clip_fixture import tiny_config
from small_catalogue import compose, export, small_tables

from kgbuild.config import TrainingConfig
from kgbuild.errors import ModelError, TableError
from kgbuild.training import StepReport, train

TABLES = small_tables()
VISION = {"image_size": [20, 15], "layers": 1, "width": 32, "head_width": 16, "patch_size": 5}


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("shards") / "out"
    export(TABLES, compose(TABLES), folder, shard_batches=1)
    return folder


@pytest.fixture(scope="module")
def architecture(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("architecture")
    (folder / "open_clip_config.json").write_text(json.dumps(tiny_config(vision=VISION, resize_mode="squash")), "utf-8")
    return folder


@pytest.fixture
def settings(architecture: Path) -> TrainingConfig:
    return TrainingConfig(
        model=str(architecture),
        from_scratch=True,
        epochs=3,
        learning_rate=3e-3,
        warmup_steps=2,
        batch_size=10,
        precision="fp32",
        device="cpu",
        checkpoint_steps=1,
        keep_checkpoints=100,
        cva_encoded=4,
    )


class StoppedError(Exception):
    pass


def stop_after(step: int):
    def on_step(report: StepReport) -> None:
        if report.step == step:
            raise StoppedError

    return on_step


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return open_clip.create_model(f"local-dir:{folder}").state_dict()


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, second[name]) for name, value in first.items())


def log_of(out: Path) -> list[dict]:
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "pairs_per_second"} for row in rows]


def refresh_from(calls: list[int]):
    """Prototypes that differ from epoch to epoch, so that a resumed run must know those of its epoch."""

    def refresh(model: torch.nn.Module) -> pa.Table:
        assert not model.training
        calls.append(len(calls))
        table = TABLES["prototypes"]
        return table.slice(len(calls) % 5)

    return refresh


def test_it_learns_and_plain_open_clip_loads_the_result(shards: Path, settings: TrainingConfig, tmp_path: Path) -> None:
    settings = dataclasses.replace(settings, epochs=12, augment=False, ema_decay=0.5, checkpoint_steps=100)
    reports: list[StepReport] = []
    result = train(settings, shards, tmp_path, seed=0, on_step=reports.append)
    assert [report.step for report in reports] == list(range(1, 25))
    assert sum(r.itc for r in reports[-4:]) < 0.8 * sum(r.itc for r in reports[:4])
    assert all(r.cva > 0 and 0 < r.cva_weight <= 0.5 for r in reports)
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{result.model_folder}")
    tokens = open_clip.get_tokenizer(f"local-dir:{result.model_folder}")(["a red shirt"])
    assert tokens.shape == (1, 16)
    assert torch.isfinite(model.encode_text(tokens)).all()
    assert preprocess.transforms[0].size == [20, 15]
    code = f"import open_clip; open_clip.create_model_and_transforms('local-dir:{result.model_folder}')"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True)


def test_killed_and_resumed_equals_never_stopped(shards: Path, settings: TrainingConfig, tmp_path: Path) -> None:
    whole = train(settings, shards, tmp_path / "whole", seed=3, refresh_prototypes=refresh_from([]))
    calls: list[int] = []
    for stop in (
        2,
        3,
        5,
    ):  # in an epoch, right after a refresh, in the last epoch; the step's checkpoint is lost and done again
        with pytest.raises(StoppedError):
            train(
                settings,
                shards,
                tmp_path / "parts",
                seed=3,
                on_step=stop_after(stop),
                refresh_prototypes=refresh_from(calls),
            )
        if stop % 2 == 1:  # its epoch has no checkpoint yet, so its prototypes will be asked for again
            calls.pop()
    resumed = train(settings, shards, tmp_path / "parts", seed=3, refresh_prototypes=refresh_from(calls))
    assert resumed.resumed_at_step == 4
    assert resumed.loss == whole.loss
    assert log_of(tmp_path / "parts") == log_of(tmp_path / "whole")
    assert equal(weights(resumed.model_folder), weights(whole.model_folder))


def test_the_same_seed_gives_the_same_weights(shards: Path, settings: TrainingConfig, tmp_path: Path) -> None:
    settings = dataclasses.replace(settings, epochs=1, checkpoint_steps=100)
    once = train(settings, shards, tmp_path / "a", seed=0)
    again = train(settings, shards, tmp_path / "b", seed=0)
    assert equal(weights(once.model_folder), weights(again.model_folder))
    other = train(settings, shards, tmp_path / "c", seed=1)
    assert not equal(weights(once.model_folder), weights(other.model_folder))


def test_checkpoints_of_another_run_are_refused(shards: Path, settings: TrainingConfig, tmp_path: Path) -> None:
    settings = dataclasses.replace(settings, epochs=1, cva=False)
    train(settings, shards, tmp_path, seed=0)
    with pytest.raises(ModelError, match="another run"):
        train(dataclasses.replace(settings, learning_rate=0.5), shards, tmp_path, seed=0)
    assert (
        train(dataclasses.replace(settings, learning_rate=1e-3), shards, tmp_path, seed=0, resume=False).resumed_at_step
        == 0
    )


def test_only_the_newest_checkpoints_stay(shards: Path, settings: TrainingConfig, tmp_path: Path) -> None:
    train(dataclasses.replace(settings, keep_checkpoints=2, cva=False), shards, tmp_path, seed=0)
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["step-00000005.pt", "step-00000006.pt"]


def test_composed_batches_are_taken_as_they_are(shards: Path, settings: TrainingConfig, tmp_path: Path) -> None:
    settings = dataclasses.replace(settings, shuffle_rows=0, batch_size=0, text_views=0, epochs=2)
    assert train(settings, shards, tmp_path, seed=0).steps == 2 * 2  # of 8 + 8 + 6 rows


def test_too_few_pairs_and_no_shards_are_refused(shards: Path, settings: TrainingConfig, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="22 pairs, fewer than one batch of 64"):
        train(dataclasses.replace(settings, batch_size=64), shards, tmp_path, seed=0)
    with pytest.raises(TableError, match="no exported batches"):
        train(settings, tmp_path, tmp_path / "out", seed=0)


def test_prototypes_reach_the_image_tower(shards: Path, settings: TrainingConfig, tmp_path: Path) -> None:
    """With every picture constant the image tower still changes by CVA when prototypes are encoded anew, as they should be."""
    settings = dataclasses.replace(settings, epochs=1, ema_decay=0.0)
    frozen = train(dataclasses.replace(settings, cva_encoded=0), shards, tmp_path / "constant", seed=0)
    alive = train(dataclasses.replace(settings, cva_encoded=64), shards, tmp_path / "alive", seed=0)
    first, second = weights(frozen.model_folder), weights(alive.model_folder)
    assert any(not torch.equal(first[name], second[name]) for name in first if name.startswith("visual."))


WORKER = """
import json, sys
from pathlib import Path
from kgbuild.config import TrainingConfig
from kgbuild.training import train
train(TrainingConfig(**json.loads(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3]), seed=1)
"""


def test_two_gloo_processes_have_the_loss_of_one(shards: Path, settings: TrainingConfig, tmp_path: Path) -> None:
    settings = dataclasses.replace(settings, epochs=2, cva_encoded=64)
    train(settings, shards, tmp_path / "one", seed=1)
    (tmp_path / "worker.py").write_text(WORKER)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [json.dumps(dataclasses.asdict(settings)), str(shards), str(tmp_path / "two")]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={port}",
               str(tmp_path / "worker.py"), *arguments]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=280, env={**os.environ, "OMP_NUM_THREADS": "1"})
    one, two = log_of(tmp_path / "one"), log_of(tmp_path / "two")
    assert len(one) == len(two) == 4
    for first, second in zip(one, two, strict=True):
        for name in ("loss", "itc", "cva", "cva_weight"):
            assert second[name] == pytest.approx(first[name], rel=2e-4), (first["step"], name)
    first, second = weights(tmp_path / "one" / "model"), weights(tmp_path / "two" / "model")
    for name, value in first.items():
        assert torch.allclose(value.float(), second[name].float(), atol=2e-3), name
