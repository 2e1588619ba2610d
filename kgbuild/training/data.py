"""Shards of `batches.export` as training batches: in a seeded order, from any position, each picture decoded once.

The order of an epoch depends on the seed and the epoch alone: shard files are permuted, a window of rows is shuffled, and global
batches are cut from it. Processes take slices of a global batch, so neither their number nor the shard size changes what is drawn.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from PIL import Image

from kgbuild.errors import TableError
from kgbuild.identity import fingerprint

Row = dict[str, Any]
_PICTURES = ("sha256", "image")


@dataclass(frozen=True)
class ShardSet:
    """A folder that `export_batches` wrote."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def row_files(self) -> list[Path]:
        """The files with text-image pairs, in order."""
        return [self.folder / shard["file"] for shard in self.manifest["shards"]]

    @property
    def n_rows(self) -> int:
        """Text-image pairs in all."""
        return int(self.manifest["rows"])


def open_shards(folder: Path) -> ShardSet:
    """Read the manifest of an exported folder.

    Raises:
        TableError: there is no manifest, or a shard it names is gone.
    """
    manifest_path = folder / "manifest.json"
    if not manifest_path.is_file():
        raise TableError(f"{folder} holds no exported batches (no manifest.json)", "run: kgbuild export")
    shards = ShardSet(folder, json.loads(manifest_path.read_text(encoding="utf-8")))
    gone = [path.name for path in shards.row_files if not path.is_file()]
    if gone:
        raise TableError(f"{folder} lacks the shards {gone}", "export the batches again")
    return shards


def epoch_batches(shards: ShardSet, *, batch_size: int, window_rows: int, seed: int, epoch: int) -> Iterator[list[Row]]:
    """Global batches of one epoch; rows that fill no whole batch are left for another epoch's order.

    Holds about `window_rows` rows without their pictures. With `window_rows` 0 the whole batches come as composed, in a seeded order.
    """
    rng = np.random.default_rng([seed, epoch, 1])
    if window_rows == 0:
        yield from _composed_batches(shards, rng)
        return
    paths = shards.row_files
    window: list[Row] = []
    for turn, number in enumerate(rng.permutation(len(paths))):
        window.extend(_light_rows(paths[number]))
        last = turn == len(paths) - 1
        if len(window) < window_rows and not last:
            continue
        shuffled = [window[place] for place in rng.permutation(len(window))]
        whole = len(shuffled) // batch_size * batch_size
        for start in range(0, whole, batch_size):
            yield shuffled[start : start + batch_size]
        window = shuffled[whole:]


def batches_an_epoch(shards: ShardSet, *, batch_size: int, window_rows: int) -> int:
    """How many batches `epoch_batches` yields."""
    if window_rows:
        return shards.n_rows // batch_size
    whole = int(shards.manifest["batch_size"])
    return sum(int((np.unique(_batch_ids(path), return_counts=True)[1] == whole).sum()) for path in shards.row_files)


def _composed_batches(shards: ShardSet, rng: np.random.Generator) -> Iterator[list[Row]]:
    paths = shards.row_files
    for number in rng.permutation(len(paths)):
        by_batch: dict[int, list[Row]] = {}
        for row in _light_rows(paths[number]):
            by_batch.setdefault(row["batch_id"], []).append(row)
        whole = [batch_id for batch_id, rows in sorted(by_batch.items()) if len(rows) == shards.manifest["batch_size"]]
        for place in rng.permutation(len(whole)):
            yield by_batch[whole[place]]


def _batch_ids(path: Path) -> npt.NDArray[np.int32]:
    return pq.read_table(path, columns=["batch_id"])["batch_id"].to_numpy()


def _light_rows(path: Path) -> list[Row]:
    file = pq.ParquetFile(path)
    columns = [name for name in file.schema_arrow.names if name != "image"]
    return file.read(columns=columns).to_pylist()


class PictureCache:
    """Every picture of a shard set, decoded and resized once into a memory-mapped (n, height, width, 3) uint8 file."""

    def __init__(self, pixels: npt.NDArray[np.uint8], places: dict[str, int]) -> None:
        self._pixels = pixels
        self._places = places

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self._places

    def __len__(self) -> int:
        return len(self._places)

    def take(self, sha256s: list[str]) -> npt.NDArray[np.uint8]:
        """(n, height, width, 3) pixels of pictures by the hash of their bytes."""
        places = np.array([self._places[sha256] for sha256 in sha256s], dtype=np.int64)
        return self._pixels[places]


def build_picture_cache(
    shards: ShardSet, folder: Path, *, size: tuple[int, int], geometry: Callable[[Any], Any], geometry_key: str
) -> PictureCache:
    """Open the cache for this shard set and geometry under `folder`, or fill it: about 14 KB a picture of 80 x 60.

    Raises:
        TableError: a picture cannot be decoded.
    """
    sources = [*shards.row_files, *sorted((shards.folder / "pictures").glob("*.parquet"))]
    places: dict[str, int] = {}
    for source in sources:
        for sha256 in pq.read_table(source, columns=["sha256"])["sha256"].to_pylist():
            places.setdefault(sha256, len(places))
    key = fingerprint([geometry_key, list(size), hashlib.sha256("".join(places).encode()).hexdigest()])[:16]
    path = folder / f"pictures-{key}.npy"
    if not path.is_file():
        _fill(path, sources, places, size, geometry)
    return PictureCache(np.load(path, mmap_mode="r"), places)


def _fill(
    path: Path, sources: list[Path], places: dict[str, int], size: tuple[int, int], geometry: Callable[[Any], Any]
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    pixels = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=(max(1, len(places)), *size, 3))
    done = np.zeros(len(places), dtype=bool)
    with ThreadPoolExecutor() as pool:
        for source in sources:
            for group in pq.ParquetFile(source).iter_batches(batch_size=1024, columns=list(_PICTURES)):
                todo = [pair for pair in zip(*group.to_pydict().values(), strict=True) if not done[places[pair[0]]]]
                for (sha256, _), decoded in zip(
                    todo, pool.map(lambda pair: _decode(pair[0], pair[1], geometry), todo), strict=True
                ):
                    pixels[places[sha256]] = decoded
                    done[places[sha256]] = True
    pixels.flush()
    del pixels
    partial.replace(path)


def _decode(sha256: str, image: bytes, geometry: Callable[[Any], Any]) -> npt.NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(image)) as picture:
            return np.asarray(geometry(picture.convert("RGB")), dtype=np.uint8)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise TableError(
            f"picture {sha256} of the shards cannot be decoded: {error}", "export the batches again"
        ) from error


def row_keys(row: Row) -> tuple[int, int, int]:
    """Product, title and picture of a row as 63-bit numbers: rows that share one are no negatives of each other."""
    title = " ".join((row.get("title") or row["text"]).lower().split())
    return _number("product", row["product_id"]), _number("title", title), _number("picture", row["sha256"])


def row_rng(seed: int, epoch: int, row: Row) -> random.Random:
    """The random source of one row in one epoch, whatever process or place it is drawn in."""
    return random.Random(_number(f"{seed}:{epoch}", row["product_id"] + row["image_id"]))


def _number(kind: str, value: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{kind}\x1f{value}".encode(), digest_size=8).digest(), "big") >> 1
