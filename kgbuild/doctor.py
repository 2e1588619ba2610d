"""What `kgbuild doctor` looks at: is everything here that a build needs, and if not, how does one get it."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Final

from kgbuild import __version__
from kgbuild.config import Config
from kgbuild.errors import KgbuildError

OK, WARN, BAD = "✓", "!", "✗"

# Distribution, extra, and whether a build on the embedded store can do without it.
_PACKAGES: Final = (
    ("spacy", "language", False),
    ("torch", "images", False),
    ("torchvision", "images", False),
    ("open_clip_torch", "images", False),
    ("neo4j", "graph", False),
    ("arcadedb-embedded", "embedded", True),
    ("prefect", "flows", True),
)
_LOW_DISK_BYTES: Final = 2 << 30


@dataclass(frozen=True)
class Finding:
    """One thing looked at: a mark, what it is, the state it is in, and what to do about it."""

    mark: str
    what: str
    state: str
    remedy: str = ""


def examine(config: Config, out: Path) -> list[Finding]:
    """All findings, in the order a build needs them."""
    return [
        Finding(OK, "kgbuild", __version__),
        Finding(
            OK if sys.version_info >= (3, 11) else BAD,
            "python",
            platform.python_version(),
            "" if sys.version_info >= (3, 11) else "3.11 or newer",
        ),
        *_packages(config),
        *_device(config),
        *_models(config),
        _disk(out),
        _store(config, out),
        _release(out),
    ]


def _packages(config: Config) -> Iterator[Finding]:
    for name, extra, optional in _PACKAGES:
        try:
            yield Finding(OK, name, metadata.version(name))
        except metadata.PackageNotFoundError:
            wanted = not optional or (name == "arcadedb-embedded" and not config.store.uri)
            yield Finding(BAD if wanted else WARN, name, "not installed", f'pip install "kgbuild[{extra}]"')


def _device(config: Config) -> Iterator[Finding]:
    if util.find_spec("torch") is None:
        return
    from kgbuild.clip import available_devices

    devices = available_devices()
    asked = config.encoder.device
    known = asked in ("auto", *devices) or asked.split(":")[0] in devices
    yield Finding(
        OK if known else BAD,
        "device",
        ", ".join(devices),
        "" if known else f"encoder.device = {asked!r} is not here; use auto",
    )


def _models(config: Config) -> Iterator[Finding]:
    if util.find_spec("spacy") is not None:
        from kgbuild.language import load_pipeline

        try:
            pipeline = load_pipeline(config.language.pipeline)
            yield Finding(OK, "language pipeline", f"{config.language.pipeline} ({', '.join(pipeline.pipe_names)})")
        except KgbuildError as error:
            yield Finding(BAD, "language pipeline", error.message, error.remedy)
    if util.find_spec("open_clip") is not None:
        from kgbuild.clip import load_clip

        try:
            encoder = load_clip(config.encoder)
            yield Finding(OK, "image-text model", f"{config.encoder.model} ({encoder.dim} dimensions)")
        except KgbuildError as error:
            yield Finding(BAD, "image-text model", error.message, error.remedy)


def _disk(out: Path) -> Finding:
    place = next(path for path in [out.absolute(), *out.absolute().parents] if path.exists())
    free = shutil.disk_usage(place).free
    low = free < _LOW_DISK_BYTES
    return Finding(
        WARN if low else OK, "free disk", f"{free / 2**30:.1f} GiB at {place}", "free some space" if low else ""
    )


def _store(config: Config, out: Path) -> Finding:
    from kgbuild.graph import open_store

    where = config.store.uri or "embedded"
    try:
        with open_store(config.store, out / "store") as store:
            count = store.query("MATCH (c:Concept) RETURN count(c) AS n")[0]["n"]
        return Finding(OK, "graph store", f"{where}: {count:,} concepts")
    except KgbuildError as error:
        return Finding(BAD, "graph store", error.message, error.remedy)


def _release(out: Path) -> Finding:
    from kgbuild.release import Workspace

    try:
        release = Workspace(out).current()
    except KgbuildError as error:
        return Finding(BAD, "release", error.message, error.remedy)
    if release is None:
        return Finding(WARN, "release", f"{out} holds none yet", "kgbuild build CATALOGUE --out " + str(out))
    return Finding(OK, "release", f"{release.release_id} at {release.path}")
