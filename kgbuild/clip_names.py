"""What the name of a CLIP model leads to, and what to say when it leads nowhere."""

from __future__ import annotations

import difflib
import logging
import os
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from kgbuild.errors import MissingExtraError, ModelError

try:
    import open_clip
    from huggingface_hub import constants as hub
    from open_clip.factory import _find_checkpoint_in_dir
    from open_clip.pretrained import get_pretrained_cfg
except ImportError as missing:
    raise MissingExtraError(missing.name or "open_clip_torch", "images") from missing

SHIPPED: Final = Path(__file__).parent / "models" / "clip_kgbuild"
CONFIG_FILE: Final = "open_clip_config.json"
WEIGHTS_FILE: Final = "open_clip_model.safetensors"
_CONNECT_SECONDS: Final = 5.0


def resolve(model: str, *, from_scratch: bool) -> tuple[str, str | None]:
    """What open_clip calls the model, and its pretrained tag.

    Raises:
        ModelError: there is no such folder, architecture or tag.
    """
    if model == "kgbuild":
        return _folder(SHIPPED, model, from_scratch=from_scratch), None
    if model.startswith("hf-hub:"):
        return model, None
    path = Path(model.removeprefix("local-dir:")).expanduser()
    if model.startswith(("local-dir:", ".", "~", os.sep)) or path.is_dir():
        return _folder(path, model, from_scratch=from_scratch), None
    architecture, _, tag = model.partition(":")
    _check_architecture(architecture, model)
    known = open_clip.list_pretrained_tags_by_model(architecture)
    if not from_scratch and get_pretrained_cfg(architecture, tag) == {} and not Path(tag).is_file():
        named = f"has no pretrained tag {tag!r}" if tag else "needs a pretrained tag"
        remedy = (
            f"write {architecture}:TAG with one of: {', '.join(known)}" if known else "it has no pretrained weights"
        )
        raise ModelError(f"the architecture {architecture!r} {named}", remedy)
    return architecture, tag or None


def _check_architecture(architecture: str, model: str) -> None:
    names = open_clip.list_models()
    if architecture in names:
        return
    folded = {name.lower(): name for name in names}
    near = [folded[name] for name in difflib.get_close_matches(architecture.lower(), folded, n=3, cutoff=0.4)]
    raise ModelError(
        f"there is no model {model!r}: no folder of that name, and open_clip has no architecture {architecture!r}",
        (f"near names: {', '.join(near)}; " if near else "")
        + "or use kgbuild, hf-hub:OWNER/NAME, or a folder with "
        + CONFIG_FILE,
    )


def _folder(folder: Path, model: str, *, from_scratch: bool) -> str:
    if not folder.is_dir():
        remedy = "reinstall kgbuild" if model == "kgbuild" else "check the path of encoder.model"
        raise ModelError(f"the model folder {folder} of {model!r} does not exist", remedy)
    lacking = [] if (folder / CONFIG_FILE).is_file() else [CONFIG_FILE]
    if not from_scratch and _find_checkpoint_in_dir(folder) is None:
        lacking.append(f"weights ({WEIGHTS_FILE})")
    if lacking:
        raise ModelError(
            f"the model folder {folder} lacks {' and '.join(lacking)}",
            "an open_clip folder has both; `kgbuild train` writes one",
        )
    return f"local-dir:{folder.resolve()}"


def load_error(model: str, name: str, error: Exception) -> ModelError:
    """What to raise when open_clip could not load a model."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = " ".join(lines[:2])[:300] or type(error).__name__
    if name.startswith("local-dir:"):
        return ModelError(
            f"the model folder {name.removeprefix('local-dir:')} cannot be loaded: {reason}",
            f"its weights must fit its {CONFIG_FILE}; write it with open_clip or `kgbuild train`",
        )
    return ModelError(
        f"model {model!r} cannot be loaded: {reason}",
        "if this machine is offline: fetch the model's folder (config and weights) on another one and set encoder.model to it; "
        "or use encoder.model = kgbuild, which needs no network",
    )


def wants_quick_gelu(name: str, tag: str | None) -> bool:
    """Whether these weights were trained with QuickGELU; open_clip only warns when the architecture's config says otherwise."""
    return bool(tag and (get_pretrained_cfg(name, tag) or {}).get("quick_gelu"))


@contextmanager
def quiet_and_quick(name: str) -> Iterator[None]:
    """Load without open_clip's warnings (failures raise) and, where the hub cannot be reached, from what was fetched before.

    Without a network the hub's client would try each file for twenty seconds.
    """
    logged, offline = logging.root.manager.disable, hub.HF_HUB_OFFLINE
    logging.disable(logging.ERROR)
    if not name.startswith("local-dir:") and not offline:
        hub.HF_HUB_OFFLINE = not _hub_answers()
    try:
        yield
    finally:
        hub.HF_HUB_OFFLINE = offline
        logging.disable(logged)


def _hub_answers() -> bool:
    address = urlsplit(hub.ENDPOINT)
    if address.scheme in urllib.request.getproxies() or not address.hostname:
        return True  # only the client knows the way through a proxy
    try:
        with socket.create_connection((address.hostname, address.port or 443), _CONNECT_SECONDS):
            return True
    except OSError:
        return False
