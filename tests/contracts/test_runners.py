"""One contract, every runner: results in the order of the shards, the first failure raised, no shard taken before its time."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kgbuild.errors import ConfigError, KgbuildError, MissingExtraError
from kgbuild.ports import Runner
from kgbuild.runners import ProcessRunner, SequentialRunner, make_runner


@pytest.fixture(params=["sequential", "processes"])
def runner(request: pytest.FixtureRequest) -> Runner:
    return SequentialRunner() if request.param == "sequential" else ProcessRunner(2)


def _square(n: int) -> int:
    time.sleep(0.05 if n == 0 else 0)  # the first shard is the slowest: order is not that of finishing
    return n * n


def _fail_from_three(n: int) -> int:
    if n >= 3:
        raise ConfigError(f"shard {n} is bad", "mend it")
    return n


def _lack_an_extra(n: int) -> int:
    raise MissingExtraError("spacy", "language")


def _full_disk(n: int) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def _kill_own_process(n: int) -> int:
    if n == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def _leave_a_mark(task: tuple[str, int]) -> int:
    folder, n = task
    (Path(folder) / str(n)).touch()
    if n == 0:
        raise ValueError("the first shard fails")
    return n


def _threads_asked_for(_: int) -> str:
    return os.environ["OMP_NUM_THREADS"]


def test_results_come_in_the_order_of_the_shards(runner: Runner) -> None:
    assert list(runner.map(_square, range(12))) == [n * n for n in range(12)]


def test_no_shards_give_no_results(runner: Runner) -> None:
    assert list(runner.map(_square, [])) == []


def test_the_first_failure_is_raised_as_it_was_after_the_results_before_it(runner: Runner) -> None:
    results = iter(runner.map(_fail_from_three, range(9)))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ConfigError, match="shard 3 is bad") as caught:
        next(results)
    assert caught.value.remedy == "mend it"


def test_a_missing_extra_keeps_its_remedy(runner: Runner) -> None:
    with pytest.raises(MissingExtraError, match="spacy") as caught:
        list(runner.map(_lack_an_extra, range(2)))
    assert caught.value.remedy == 'pip install "kgbuild[language]"'


def test_a_full_disk_keeps_its_number(runner: Runner) -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        list(runner.map(_full_disk, range(2)))
    assert caught.value.errno == errno.ENOSPC


def test_shards_are_taken_as_they_are_needed(runner: Runner) -> None:
    taken: list[int] = []

    def shards() -> Iterator[int]:
        for n in range(100):
            taken.append(n)
            yield n

    results = runner.map(_square, shards())
    assert next(results) == 0
    assert next(results) == 1
    assert len(taken) <= 6  # two workers with two shards each on their way, and those already given back
    if hasattr(results, "close"):
        results.close()
        assert len(taken) <= 6


def test_a_failure_stops_what_has_not_begun(runner: Runner, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="first shard"):
        list(runner.map(_leave_a_mark, [(str(tmp_path), n) for n in range(50)]))
    assert len(list(tmp_path.iterdir())) <= 6


def test_a_killed_worker_is_explained() -> None:
    with pytest.raises(KgbuildError, match="worker process was killed") as caught:
        list(ProcessRunner(2).map(_kill_own_process, range(6)))
    assert "run.workers" in caught.value.remedy
    assert "run.shard_rows" in caught.value.remedy


def test_workers_have_one_thread_each_and_the_parents_setting_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    assert list(ProcessRunner(2).map(_threads_asked_for, range(2))) == ["1", "1"]
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


@pytest.mark.parametrize(("workers", "shards", "processes"), [(1, 9, 0), (4, 1, 0), (4, 0, 0), (4, 3, 3), (2, 9, 2)])
def test_processes_are_used_where_they_can_help(workers: int, shards: int, processes: int) -> None:
    made = make_runner(workers, shards)
    assert (made.workers if isinstance(made, ProcessRunner) else 0) == processes


def test_zero_workers_mean_one_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2})
    made = make_runner(0, 100)
    assert isinstance(made, ProcessRunner)
    assert made.workers == 3
