"""Which settings a flow runs with: its config file, what the caller sets, and what the worker's surroundings set."""

import os
from collections.abc import Sequence
from pathlib import Path

from kgbuild.actions import find_config
from kgbuild.config import Config


def settle(config: str, out: Path, settings: Sequence[str] | None) -> Config:
    """The config of a run; KGBUILD_SET in the worker's environment holds further key=value settings, one a line.

    So a deployment need not know where its worker finds the store: KGBUILD_SET="store.uri=bolt://neo4j:7687".
    The caller's own settings win.
    """
    surroundings = [line.strip() for line in os.environ.get("KGBUILD_SET", "").splitlines() if line.strip()]
    return find_config(Path(config), [*surroundings, *(settings or [])], out)
