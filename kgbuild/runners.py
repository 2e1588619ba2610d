"""Where the shards of a map stage are worked on: in this process, or in several."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Final, TypeVar

from kgbuild.errors import KgbuildError
from kgbuild.ports import Runner

T = TypeVar("T")
R = TypeVar("R")

# Workers share the cores among themselves: one thread each, or n processes would start n * n threads.
_ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"), "1"
)


class SequentialRunner:
    """One shard after the other, in this process."""

    def map(self, work: Callable[[T], R], shards: Iterable[T]) -> Iterator[R]:
        """See `ports.Runner`."""
        return map(work, shards)


class ProcessRunner:
    """Shards spread over processes; at most two shards a worker are on their way, so memory stays flat."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def map(self, work: Callable[[T], R], shards: Iterable[T]) -> Iterator[R]:
        """See `ports.Runner`. `work` and the shards must be picklable.

        Raises:
            KgbuildError: a worker was killed, as the system does when memory runs out.
        """
        context = multiprocessing.get_context("spawn")
        with _environment(_ONE_THREAD), ProcessPoolExecutor(self.workers, mp_context=context) as pool:
            waiting: deque[Future[R]] = deque()
            try:
                for shard in shards:
                    waiting.append(pool.submit(work, shard))
                    if len(waiting) >= 2 * self.workers:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            except BrokenProcessPool:
                raise KgbuildError(
                    "a worker process was killed, most likely for want of memory",
                    "use fewer: --set run.workers=1, or smaller shards: --set run.shard_rows=2048; then run again",
                ) from None
            finally:
                pool.shutdown(wait=False, cancel_futures=True)


def make_runner(workers: int, n_shards: int) -> Runner:
    """The runner for `n_shards` shards; `workers` = 0 means one a core. A single shard or worker needs no processes."""
    count = min(workers or len(os.sched_getaffinity(0)), n_shards)
    return ProcessRunner(count) if count > 1 else SequentialRunner()


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
