"""The training log: one JSON object a step."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class StepReport:
    """One optimiser step, as the log has it.

    `step` counts from 1; the losses are those of the global batch; `prototypes_missing` counts prototypes of this epoch that are left
    out because the shards do not hold their pictures.
    """

    step: int
    steps: int
    epoch: int
    loss: float
    itc: float
    cva: float
    cva_weight: float
    prototypes_missing: int
    learning_rate: float
    pairs_per_second: float


def start_log(path: Path, first_step: int) -> None:
    """Keep of an earlier log the steps before the one that the run goes on from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_text(encoding="utf-8").splitlines() if first_step and path.exists() else []
    kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= first_step]
    path.write_text("".join(line + "\n" for line in kept), encoding="utf-8")


def write_log(path: Path, report: StepReport) -> None:
    """Append one step."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(asdict(report)) + "\n")
