"""The shipped model loads in plain open_clip and tells the sample's garments apart far better than chance."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

import kgbuild
from kgbuild.clip import load_clip
from kgbuild.config import EncoderConfig

SHIPPED = Path(kgbuild.__file__).parent / "models" / "clip_kgbuild"
SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"


def test_it_loads_in_plain_open_clip(tmp_path: Path) -> None:
    code = (
        "import sys, open_clip\n"
        f"source = 'local-dir:{SHIPPED}'\n"
        "model, _, preprocess = open_clip.create_model_and_transforms(source)\n"
        "tokens = open_clip.get_tokenizer(source)(['a red shirt'])\n"
        "assert model.encode_text(tokens).shape == (1, 256)\n"
        "assert 'kgbuild' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True)


def test_it_is_small_enough_to_ship() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 30_000_000
    assert (SHIPPED / "README.md").is_file()


def test_it_names_the_types_and_colours_of_drawn_garments() -> None:
    """Measured .64 of 14 types and .83 of 16 colours over the whole sample; chance is about .1."""
    truth = [json.loads(line) for line in (SAMPLE / "truth.jsonl").read_text("utf-8").splitlines()]
    truth = [row for row in truth if (SAMPLE / "images" / f"{row['id']}.jpg").exists()][:120]
    encoder = load_clip(EncoderConfig(device="cpu"))
    images = encoder.encode_images([(SAMPLE / "images" / f"{row['id']}.jpg").read_bytes() for row in truth])
    for name, prompt, least in (("type", "a photo of {value}", 0.45), ("colour", "a photo of {value} {type}", 0.6)):
        values = sorted({row[name] for row in truth})
        right = []
        for row, image in zip(truth, images, strict=True):
            texts = encoder.encode_texts([prompt.format(value=value, type=row["type"]) for value in values])
            right.append(values[int(np.argmax(texts @ image))] == row[name])
        assert np.mean(right) > least, name
