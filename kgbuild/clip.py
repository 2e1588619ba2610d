"""The only loader of CLIP models: a name in, an encoder (or the parts that training wants) out.

Embeddings are the same bytes whatever batch a row travels in and wherever it stands there. A matrix product picks its kernel by
its shape and its number of threads, and another kernel adds in another order; so every forward pass has the same number of
rows (the last one is filled up), a multiple of 16, and on a CPU runs on one thread, while as many passes as torch may use
threads run beside each other. Measured on AVX-512: rows of 16, 32 and 64 give the same bits then, rows of 7 do not.
"""

from __future__ import annotations

import hashlib
import json
import pickle  # for its error alone
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kgbuild.clip_names import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    load_error,
    quiet_and_quick,
    resolve,
    wants_quick_gelu,
)
from kgbuild.config import EncoderConfig
from kgbuild.errors import MissingExtraError, ModelError
from kgbuild.pictures import PictureError, decode_rgb
from kgbuild.ports import Embeddings

try:
    import open_clip
    import torch
    from open_clip.transform import PreprocessCfg, image_transform_v2
    from safetensors import SafetensorError
    from safetensors.torch import save_file
except ImportError as missing:
    raise MissingExtraError(missing.name or "open_clip_torch", "images") from missing

_ROWS: Final = 16  # forward passes have a multiple of this many rows
_CPU_ROWS: Final = 32  # more is not faster on a CPU
_DECODING: Final = "1"  # counts up when `decode_rgb` or the order of steps changes pixels: part of the fingerprint
_DTYPES: Final = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

_LOADING: Final = (
    OSError,
    RuntimeError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    SafetensorError,
    pickle.UnpicklingError,
)  # what a wrong config or damaged weights make open_clip raise

Tokenizer = Callable[[list[str]], torch.Tensor]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ClipParts:
    """A CLIP model in fp32 on the CPU, in evaluation mode, with what is needed to feed it and to save it again.

    `model_cfg` and `preprocess_cfg` are open_clip's own; `preprocess_cfg` has size (height, width), mean, std, resize_mode
    (shortest, longest: padded with fill_color, squash: stretched), interpolation.
    """

    model: torch.nn.Module
    tokenizer: Tokenizer
    model_cfg: dict[str, Any]
    preprocess_cfg: dict[str, Any]


def load_clip(config: EncoderConfig) -> ClipEncoder:
    """Load the encoder that a configuration names.

    Raises:
        ModelError: the model is unknown, incomplete or cannot be downloaded, or the device is not there.
    """
    device = pick_device(config.device)
    return ClipEncoder(
        load_clip_parts(config.model),
        name=config.model,
        device=device,
        precision=config.precision,
        batch_size=config.batch_size,
    )


def load_clip_parts(model: str, *, from_scratch: bool = False) -> ClipParts:
    """Load a model by name: `kgbuild`, `ARCHITECTURE:TAG`, `hf-hub:OWNER/NAME`, `local-dir:FOLDER` or a folder.

    With `from_scratch` the weights are random (torch's global seed) and a bare `ARCHITECTURE` will do.

    Raises:
        ModelError: as `load_clip`.
    """
    name, tag = resolve(model, from_scratch=from_scratch)
    quick_gelu = wants_quick_gelu(name, tag)
    try:
        with quiet_and_quick(name):
            loaded = open_clip.create_model(
                name,
                None if from_scratch else tag,
                load_weights=not from_scratch,
                require_pretrained=not from_scratch,
                pretrained_text=False,
                force_quick_gelu=quick_gelu,
            )
            tokenizer = open_clip.get_tokenizer(name)
            model_cfg = dict(open_clip.get_model_config(name) or {})
    except ImportError as error:
        raise ModelError(f"model {model!r} needs the package {error.name!r}", f"pip install {error.name}") from error
    except _LOADING as error:
        raise load_error(model, name, error) from error
    if quick_gelu:
        model_cfg["quick_gelu"] = True
    return ClipParts(loaded.eval(), tokenizer, model_cfg, dict(loaded.visual.preprocess_cfg))


def save_clip(parts: ClipParts, folder: Path, *, dtype: torch.dtype = torch.float32) -> None:
    """Write a folder that open_clip loads by `local-dir:FOLDER`; each file appears whole or not at all.

    Args:
        parts: what to write.
        folder: made when absent; its two files are replaced.
        dtype: the type of floating weights in the file; reading widens them to fp32 again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        name: value.detach().to("cpu", dtype if value.is_floating_point() else value.dtype).contiguous().clone()
        for name, value in parts.model.state_dict().items()
    }
    described = {"model_cfg": parts.model_cfg, "preprocess_cfg": parts.preprocess_cfg}
    with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as scratch:
        save_file(weights, Path(scratch) / WEIGHTS_FILE)
        (Path(scratch) / CONFIG_FILE).write_text(json.dumps(described, indent=2, sort_keys=True) + "\n", "utf-8")
        for name in (WEIGHTS_FILE, CONFIG_FILE):
            (Path(scratch) / name).chmod(0o644)
            (Path(scratch) / name).replace(folder / name)


def pick_device(name: str) -> torch.device:
    """The device of that name; `auto` is CUDA, else MPS, else the CPU.

    Raises:
        ModelError: there is no such device on this machine.
    """
    devices = available_devices()
    if name == "auto":
        return torch.device(devices[0])
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ModelError(f"there is no device {name!r}", "use auto, cpu, cuda, cuda:1 or mps") from None
    if name not in devices and not (device.index == 0 and device.type in devices):
        raise ModelError(
            f"the device {name!r} was asked for, and torch sees only {', '.join(devices)} here",
            "set encoder.device to auto or cpu, or install the torch build for this accelerator",
        )
    return device


def available_devices() -> tuple[str, ...]:
    """What `encoder.device` may be on this machine, the best first: "cuda", "cuda:1" and so on, "mps", "cpu"."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    cuda = ["cuda", *(f"cuda:{index}" for index in range(1, count))] if count else []
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return (*cuda, *mps, "cpu")


class ClipEncoder:
    """A loaded model as `ports.Encoder`: encoded pictures or texts in, L2-normalised float32 rows out."""

    def __init__(self, parts: ClipParts, *, name: str, device: torch.device, precision: str, batch_size: int) -> None:
        self.model = name
        self.precision = precision
        self.device = device
        self._clip: Any = parts.model.to(device).to(memory_format=torch.channels_last).eval()
        self._tokenizer = parts.tokenizer
        self._dim = int(parts.model_cfg["embed_dim"])
        self._context_length = getattr(parts.tokenizer, "context_length", None)
        self._preprocess = dict(parts.preprocess_cfg)
        # open_clip's own steps up to the pixels; ToTensor and Normalize are done for a whole batch in `_pixels_forward`
        self._resize = image_transform_v2(PreprocessCfg(**self._preprocess), is_train=False).transforms[:-2]
        self._mean = torch.tensor(self._preprocess["mean"], device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(self._preprocess["std"], device=device).view(1, 3, 1, 1)
        self.rows = _CPU_ROWS if device.type == "cpu" else -(-batch_size // _ROWS) * _ROWS

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self._dim

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over weights, preprocessing, tokenizer and precision; not over the name or the device."""
        about = {
            "decoding": _DECODING,
            "preprocess": self._preprocess,
            "precision": self.precision,
            "tokenizer": [type(self._tokenizer).__name__, self._context_length],
        }
        digest = hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode())
        for key, value in sorted(self._clip.state_dict().items()):
            digest.update(f"\x1f{key}\x1f{value.dtype}\x1f{tuple(value.shape)}\x1f".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def encode_images(self, images: Sequence[bytes]) -> Embeddings:
        """Embed encoded pictures: (n, dim) float32, rows L2-normalised.

        All n decoded pictures may be held at once, at the model's own size.

        Raises:
            PictureError: a ValueError with the index and the reason of every picture that cannot be decoded.
            ModelError: the model gave numbers that are not finite.
        """
        broken: dict[int, str] = {}

        def decode(chunk: Sequence[tuple[int, bytes]]) -> Pixels:
            return np.stack([self._pixels(index, data, broken) for index, data in chunk])

        embeddings = self._encode(list(enumerate(images)), decode, self._forward_pixels)
        if broken:
            raise PictureError(broken)
        return embeddings

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts: (n, dim) float32, rows L2-normalised. What exceeds the model's context is cut off."""
        return self._encode(list(texts), lambda chunk: self._tokenizer(list(chunk)).numpy(), self._forward_tokens)

    def _encode(
        self,
        items: Sequence[Any],
        prepare: Callable[[Sequence[Any]], npt.NDArray[Any]],
        forward: Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]],
    ) -> Embeddings:
        chunks = [items[start : start + self.rows] for start in range(0, len(items), self.rows)]
        with _single_threads(self.device.type == "cpu") as pool:
            results: Iterable[npt.NDArray[np.float32]]
            if self.device.type == "cpu":
                results = pool.map(lambda chunk: forward(prepare(chunk)), chunks)
            else:  # one queue to the accelerator; the next chunks are prepared meanwhile
                results = map(forward, pool.map(prepare, chunks))
            rows = [*results, np.empty((0, self._dim), np.float32)]
        return _normalised(np.concatenate(rows), self.model, self.precision)

    def _pixels(self, index: int, data: bytes, broken: dict[int, str]) -> Pixels:
        height, width = self.image_size
        try:
            picture = decode_rgb(data, at_least=(height, width))
        except ValueError as error:
            broken[index] = str(error)
            return np.zeros((height, width, 3), np.uint8)
        for step in self._resize:
            picture = step(picture)
        return np.asarray(picture)

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the pictures that the model sees."""
        size = self._preprocess["size"]
        return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))

    def _forward_pixels(self, pixels: Pixels) -> npt.NDArray[np.float32]:
        batch = torch.from_numpy(_filled(pixels, self.rows)).to(self.device)
        scaled = batch.permute(0, 3, 1, 2).float().div(255)  # channels last, as convolutions like it best
        return self._run(lambda: self._clip.encode_image((scaled - self._mean) / self._std))[: len(pixels)]

    def _forward_tokens(self, tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        batch = torch.from_numpy(_filled(tokens, self.rows)).to(self.device)
        return self._run(lambda: self._clip.encode_text(batch))[: len(tokens)]

    def _run(self, forward: Callable[[], torch.Tensor]) -> npt.NDArray[np.float32]:
        cast = (
            nullcontext()
            if self.precision == "fp32"
            else torch.autocast(self.device.type, dtype=_DTYPES[self.precision], cache_enabled=False)
        )
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
            cast,
        ):
            return forward().float().cpu().numpy()


def _normalised(rows: npt.NDArray[np.float32], model: str, precision: str) -> Embeddings:
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows, dtype=np.float64))
    if not np.all(np.isfinite(lengths) & (lengths > 0)):
        raise ModelError(
            f"model {model!r} in {precision} gave embeddings that are zero or not finite",
            "set encoder.precision to fp32; if it stays so, the weights are damaged",
        )
    return (rows / lengths[:, None]).astype(np.float32)


def _filled(rows: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    """`rows` with its first row repeated until there are `count`."""
    return np.concatenate([rows, np.repeat(rows[:1], count - len(rows), axis=0)])


@contextmanager
def _single_threads(single: bool) -> Iterator[ThreadPoolExecutor]:
    """A pool of as many threads as torch may use, in each of which (if `single`) torch itself uses one."""
    allowed = torch.get_num_threads()
    if single:
        torch.set_num_threads(1)  # also what threads started from now on take over
    try:
        with ThreadPoolExecutor(allowed, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(allowed)
