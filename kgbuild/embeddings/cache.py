"""Embeddings kept on disk by content and model, so that nothing is computed twice."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kgbuild.ports import Embeddings

_SEGMENTS: Final = 64
_ABANDONED_SECONDS: Final = 3600  # a segment is written in far less
_KEY: Final = pa.binary(32)


def text_key(text: str) -> str:
    """The key of a text: SHA-256 of its UTF-8, as 64 hexadecimal digits. A picture's key is the SHA-256 of its bytes."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class EmbeddingCache:
    """A folder of segments (Arrow IPC, memory-mapped), each written whole under a temporary name and then renamed.

    A kill leaves at most a temporary file, which is removed when the cache is opened an hour later; a segment that cannot be read
    counts as absent, so the cache never changes a result, only the time it takes. Several processes may write: each adds its own
    segments.

    Args:
        folder: where; made when absent.
        fingerprint: the encoder's: another model has another folder inside.
        kind: "images" or "texts"; keys are 64 hexadecimal digits.
        dim: length of an embedding.
    """

    def __init__(self, folder: Path, *, fingerprint: str, kind: str, dim: int) -> None:
        self._folder = folder / fingerprint[:32] / kind
        self._folder.mkdir(parents=True, exist_ok=True)
        self._dim = dim
        self._schema = pa.schema([pa.field("key", _KEY), pa.field("embedding", pa.list_(pa.float32(), dim))])
        self._place: dict[bytes, tuple[int, int]] = {}
        self._rows: list[Embeddings] = []
        self._paths: set[Path] = set()
        self._clear_leftovers()
        for path in sorted(self._folder.glob("*.arrow")):
            self._open(path)

    def __len__(self) -> int:
        return len(self._place)

    def get(self, keys: Sequence[str]) -> tuple[npt.NDArray[np.bool_], Embeddings]:
        """Which of `keys` are held, (n,), and their embeddings, (n, dim); rows of those that are not are zero."""
        held = np.zeros(len(keys), np.bool_)
        rows = np.zeros((len(keys), self._dim), np.float32)
        for row, key in enumerate(keys):
            place = self._place.get(bytes.fromhex(key))
            if place is not None:
                held[row], rows[row] = True, self._rows[place[0]][place[1]]
        return held, rows

    def put(self, keys: Sequence[str], embeddings: Embeddings) -> None:
        """Add rows as one segment; keys that are held already are left as they are."""
        new = {bytes.fromhex(key): row for row, key in reversed(list(enumerate(keys)))}
        fresh = sorted(key for key in new if key not in self._place)
        if not fresh:
            return
        self._open(self._write(fresh, embeddings[[new[key] for key in fresh]]))
        if len(self._rows) > _SEGMENTS:
            self._compact()

    def _clear_leftovers(self) -> None:
        for path in self._folder.glob("*.tmp"):
            if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                path.unlink(missing_ok=True)

    def _write(self, keys: Sequence[bytes], rows: Embeddings) -> Path:
        values = pa.array(np.ascontiguousarray(rows, np.float32).reshape(-1), pa.float32())
        columns = [pa.array(keys, _KEY), pa.FixedSizeListArray.from_arrays(values, self._dim)]
        path = self._folder / f"{hashlib.sha256(b''.join(keys)).hexdigest()[:32]}.arrow"
        scratch = path.with_suffix(f".{uuid.uuid4().hex}.tmp")
        with scratch.open("wb") as stream:
            with pa.ipc.new_file(stream, self._schema) as writer:
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))
            stream.flush()
            os.fsync(stream.fileno())
        scratch.replace(path)
        return path

    def _open(self, path: Path) -> None:
        try:
            table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        except (OSError, pa.ArrowInvalid):
            return
        if table.schema != self._schema:
            return
        self._paths.add(path)
        for batch in table.to_batches():
            segment = len(self._rows)
            self._rows.append(batch["embedding"].flatten().to_numpy().reshape(-1, self._dim))
            for row, key in enumerate(batch["key"].to_pylist()):
                self._place.setdefault(key, (segment, row))

    def _compact(self) -> None:
        """Put the segments that are open here into one. Who has them mapped elsewhere can still read them."""
        before = self._paths
        keys = sorted(self._place)
        merged = self._write(keys, np.stack([self._rows[segment][row] for segment, row in map(self._place.get, keys)]))  # type: ignore[misc]
        for path in before - {merged}:
            path.unlink(missing_ok=True)
        self._place, self._rows, self._paths = {}, [], set()
        self._open(merged)
