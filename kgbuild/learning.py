"""From a release to a trained model: concept-image batches as files, the training stage, prototypes that follow the model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgbuild.config import Config
from kgbuild.release import Release, Workspace
from kgbuild.table_files import TableFolder

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from kgbuild.clip import ClipEncoder


def export_current(config: Config, out: Path, target: Path) -> dict[str, Any]:
    """Write the concept-image batches of the current release to `target` (format: `kgbuild/batches/shard_format.py`)."""
    from kgbuild.batches import export_batches
    from kgbuild.hierarchy import closure

    release = Workspace(out).require_current()
    manifest = export_batches(
        release.table("batch_plan"),
        release.table("concepts"),
        closure(release.table("is_a_edges")),
        release.table("prototypes"),
        release.table("images", ["image_id", "product_id", "sha256"]),
        release.table("image_embeddings"),
        target,
        fetch_products=_rows_by(release, "products", "product_id"),
        fetch_texts=_rows_by(release, "texts", "product_id"),
        fetch_pictures=_rows_by(release, "pictures", "sha256"),
        concepts_per_text=config.batches.concepts_per_text,
    )
    report = asdict(manifest)
    return {"folder": str(target), **report, "shards": len(report["shards"])}


def train_current(
    config: Config,
    out: Path,
    target: Path,
    *,
    shards: Path | None = None,
    resume: bool = True,
    note: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Train on the current release into `target`; prototypes are chosen anew by the current model at each epoch's start.

    Under torchrun every process calls this; the first one exports the shards and chooses the prototypes for all.
    """
    from kgbuild.training import train

    tell = note or _nobody
    release = Workspace(out).require_current()
    folder = shards or _exported(config, out, target, tell)
    result = train(
        config.training,
        folder,
        target,
        seed=config.seed,
        refresh_prototypes=prototype_refresher(config, release) if config.training.cva else None,
        on_step=_step_note(tell),
        resume=resume,
    )
    return {
        "model": str(result.model_folder),
        "steps": result.steps,
        "epochs": result.epochs,
        "loss": result.loss,
        "resumed_at_step": result.resumed_at_step,
    }


def prototype_refresher(config: Config, release: Release) -> Callable[[torch.nn.Module], pa.Table]:
    """A function that chooses the release's prototypes anew with the weights a model has at the moment."""
    from kgbuild.clip import ClipEncoder, load_clip_parts, pick_device

    parts = load_clip_parts(config.training.model, from_scratch=config.training.from_scratch)

    def refresh(model: torch.nn.Module) -> pa.Table:
        encoder = ClipEncoder(
            replace(parts, model=copy.deepcopy(model)),
            name="in training",
            device=pick_device(config.training.device),
            precision="fp32",
            batch_size=config.encoder.batch_size,
        )
        return prototypes_by(encoder, release, config)

    return refresh


def prototypes_by(encoder: ClipEncoder, release: Release, config: Config) -> pa.Table:
    """The table `prototypes` of a release as `encoder` sees its concepts and pictures."""
    from kgbuild.embeddings import embed_concepts
    from kgbuild.hierarchy import closure
    from kgbuild.prototypes import choose_prototypes

    concepts, batch_size = release.table("concepts"), config.encoder.batch_size
    _, prototypes = choose_prototypes(
        concepts,
        release.table("product_concepts"),
        closure(release.table("is_a_edges")),
        release.table("images"),
        embed_concepts(concepts, encoder=encoder, prompts=config.encoder.prompts, batch_size=batch_size),
        embed_release_images(encoder, release, batch_size=batch_size),
        **asdict(config.prototypes),
    )
    return prototypes


def embed_release_images(encoder: ClipEncoder, release: Release, *, batch_size: int) -> pa.Table:
    """The table `image_embeddings` of a release by `encoder`, shard by shard; pictures that fail are left out."""
    import pyarrow as pa

    from kgbuild.embeddings import embed_images
    from kgbuild.stages import rows_between

    parts = []
    for shard in release.batches("images", rows=2_048):
        pictures = rows_between(release, "pictures", "sha256", shard["sha256"])
        parts.append(embed_images(shard, pictures, encoder=encoder, batch_size=batch_size)[0])
    return pa.concat_tables(parts)


def _exported(config: Config, out: Path, target: Path, tell: Callable[[str], None]) -> Path:
    """Shards of the current release below `target`, written once a release; other processes of torchrun wait for them."""
    import os
    import time

    release = Workspace(out).require_current()
    folder = target / f"batches-{release.release_id}"
    if int(os.environ.get("RANK", "0")) == 0:
        if not (folder / "manifest.json").exists():
            report = export_current(config, out, folder)
            tell(f"exported {report['rows']:,} pairs in {report['shards']} shards to {folder}")
    else:
        while not (folder / "manifest.json").exists():
            time.sleep(1.0)
    return folder


def _step_note(tell: Callable[[str], None], *, every: int = 20) -> Callable[[Any], None]:
    def on_step(report: Any) -> None:
        if report.step % every == 0 or report.step == report.steps:
            cva = f", CVA {report.cva:.3f} (weight {report.cva_weight:.2f})" if report.cva_weight else ""
            tell(
                f"step {report.step:,} of {report.steps:,}, epoch {report.epoch + 1}: loss {report.loss:.3f}, "
                f"ITC {report.itc:.3f}{cva}, {report.pairs_per_second:,.0f} pairs/s"
            )

    return on_step


def _rows_by(tables: TableFolder, name: str, column: str) -> Callable[[Sequence[str]], pa.Table]:
    from kgbuild.stages import rows_with

    def fetch(keys: Sequence[str]) -> pa.Table:
        import pyarrow as pa

        return rows_with(tables, name, column, pa.array(list(keys), pa.string()))

    return fetch


def _nobody(text: str) -> None:
    """Where nobody listens."""
