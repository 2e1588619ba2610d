"""The loader and the encoder, against open_clip itself and against their own laws."""

from __future__ import annotations

import io
import json
from itertools import pairwise

import numpy as np
import open_clip
import pytest
import torch
from clip_fixture import tiny_config, write_tiny_clip
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kgbuild.clip import ClipEncoder, available_devices, load_clip, load_clip_parts, pick_device, save_clip
from kgbuild.config import EncoderConfig
from kgbuild.errors import ModelError
from kgbuild.pictures import PictureError, decode_rgb


def picture(seed, size=(60, 80), kind="PNG", mode="RGB", **options):
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (8, 6, len(mode)), dtype=np.uint8), mode)
    stream = io.BytesIO()
    small.resize(size, Image.Resampling.BICUBIC).save(stream, kind, **options)
    return stream.getvalue()


PICTURES = [picture(seed, kind="JPEG" if seed % 2 else "PNG") for seed in range(75)]
TEXTS = [
    f"a {colour} {thing}"
    for colour in ("red", "navy blue", "")
    for thing in ("dress", "shirt, long sleeve", "boot", "")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def encoder(folder):
    return load_clip(EncoderConfig(model=str(folder), device="cpu"))


@pytest.fixture(scope="module")
def together(encoder):
    return encoder.encode_images(PICTURES), encoder.encode_texts(TEXTS)


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(len(PICTURES))), cuts=st.sets(st.integers(1, len(PICTURES) - 1), max_size=4))
def test_an_image_has_the_same_bytes_in_every_batch(encoder, together, order, cuts):
    bounds = [0, *sorted(cuts), len(order)]
    for low, high in pairwise(bounds):
        part = order[low:high]
        assert encoder.encode_images([PICTURES[i] for i in part]).tobytes() == together[0][part].tobytes()


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(len(TEXTS))), cut=st.integers(0, len(TEXTS)))
def test_a_text_has_the_same_bytes_in_every_batch(encoder, together, order, cut):
    for part in (order[:cut], order[cut:]):
        assert encoder.encode_texts([TEXTS[i] for i in part]).tobytes() == together[1][part].tobytes()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    "vision",
    [
        {
            "image_size": [80, 60],
            "timm_model_name": "test_convnext",
            "timm_model_pretrained": False,
            "timm_pool": "avg",
        },
        {"image_size": [80, 60], "timm_model_name": "test_resnet", "timm_model_pretrained": False, "timm_pool": "avg"},
        {"image_size": 64, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16},
    ],
    ids=["convolutions", "residual", "attention"],
)
def test_no_architecture_batch_size_or_number_of_threads_changes_bytes(tmp_path, vision, precision):
    parts = load_clip_parts(str(write_tiny_clip(tmp_path, vision=vision, dim=24)))
    threads = torch.get_num_threads()
    results = set()
    try:
        for count, batch_size in ((1, 16), (2, 64)):
            torch.set_num_threads(count)
            encoder = ClipEncoder(
                parts, name="x", device=torch.device("cpu"), precision=precision, batch_size=batch_size
            )
            forward, backward = encoder.encode_images(PICTURES[:34]), encoder.encode_images(PICTURES[33::-1])[::-1]
            results |= {forward.tobytes(), backward.tobytes()}
            assert encoder.encode_images(PICTURES[3:4]).tobytes() == forward[3:4].tobytes()
            assert torch.get_num_threads() == count, "the number of threads is given back"
    finally:
        torch.set_num_threads(threads)
    assert len(results) == 1


def test_same_embeddings_as_plain_open_clip(folder, encoder, together):
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    model.eval()
    with torch.inference_mode():
        images = torch.stack([preprocess(Image.open(io.BytesIO(data))) for data in PICTURES])
        expected = model.encode_image(images, normalize=True).numpy()
        expected_texts = model.encode_text(tokenizer(TEXTS), normalize=True).numpy()
    np.testing.assert_allclose(together[0], expected, atol=2e-6)
    np.testing.assert_allclose(together[1], expected_texts, atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(together[0], axis=1), 1.0, atol=1e-6)
    assert together[0].dtype == np.float32
    assert together[0].shape == (len(PICTURES), encoder.dim)


def test_nothing_in_nothing_out(encoder):
    assert encoder.encode_images([]).shape == (0, encoder.dim)
    assert encoder.encode_texts([]).shape == (0, encoder.dim)


def test_broken_pictures_are_named_all_of_them(encoder):
    good = PICTURES[1]
    with pytest.raises(ValueError, match=r"picture 1: .*picture 40: ") as caught:
        encoder.encode_images([good, b"GIF, not really", *[good] * 38, good[: len(good) // 2]])
    assert isinstance(caught.value, PictureError)
    assert sorted(caught.value.reasons) == [1, 40]
    assert "0x7" not in str(caught.value), "no memory addresses: rejects are the same in every run"


def test_fingerprint_follows_weights_preprocessing_and_precision_only(tmp_path, folder, encoder):
    def of(path, **changes):
        return load_clip(EncoderConfig(model=str(path), device="cpu", **changes)).fingerprint

    same = write_tiny_clip(tmp_path / "same")
    assert of(same) == encoder.fingerprint
    assert of(same, batch_size=7) == encoder.fingerprint
    others = {
        of(write_tiny_clip(tmp_path / "weights", seed=1)),
        of(write_tiny_clip(tmp_path / "preprocess", resize_mode="squash")),
        of(folder, precision="bf16"),
    }
    assert len(others | {encoder.fingerprint}) == 4


def test_padding_is_white_and_stretching_is_not_padded(tmp_path):
    """A wide white picture is all white when padded with white; a padded dark one has white bands, a stretched one has none."""
    wide = io.BytesIO()
    Image.new("RGB", (120, 30), (10, 20, 30)).save(wide, "PNG")
    seen = {}
    for mode in ("longest", "squash"):
        parts = load_clip_parts(str(write_tiny_clip(tmp_path / mode, resize_mode=mode)))
        encoder = ClipEncoder(parts, name="x", device=torch.device("cpu"), precision="fp32", batch_size=1)
        seen[mode] = encoder._pixels(0, wide.getvalue(), {})
        assert seen[mode].shape == (80, 60, 3)
    assert (seen["longest"][[0, -1]] == 255).all()
    assert (seen["longest"][40] == (10, 20, 30)).all()
    assert (seen["squash"] == (10, 20, 30)).all()


def test_pictures_of_every_kind_are_decoded_alike():
    as_png = decode_rgb(picture(3))
    for kind in ("WEBP", "PPM"):
        other = decode_rgb(picture(3, kind=kind, **({"lossless": True} if kind == "WEBP" else {})))
        assert np.array_equal(np.asarray(other), np.asarray(as_png))
    clear = io.BytesIO()
    Image.new("RGBA", (4, 4), (200, 0, 0, 0)).save(clear, "PNG")
    assert (np.asarray(decode_rgb(clear.getvalue())) == 255).all(), "what is transparent is white, not black"
    grey = Image.new("L", (2, 2), 7)
    stream = io.BytesIO()
    grey.save(stream, "PNG")
    assert (np.asarray(decode_rgb(stream.getvalue())) == 7).all()


def test_a_turned_photograph_stands_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = picture(4, size=(640, 480), kind="JPEG", exif=exif)
    assert decode_rgb(data).size == (480, 640)
    assert decode_rgb(data, at_least=(100, 60)).size == (120, 160)


def test_a_large_jpeg_is_decoded_no_smaller_than_asked():
    data = picture(5, size=(512, 512), kind="JPEG")
    assert decode_rgb(data, at_least=(224, 224)).size == (256, 256)
    assert decode_rgb(data, at_least=(80, 60)).size == (128, 128)
    assert decode_rgb(data, at_least=(600, 600)).size == (512, 512)


def test_from_scratch_and_saving_in_half_precision(tmp_path, folder):
    torch.manual_seed(3)
    parts = load_clip_parts(str(folder), from_scratch=True)
    torch.manual_seed(3)
    again = load_clip_parts(str(folder), from_scratch=True)
    assert all(torch.equal(a, b) for a, b in zip(parts.model.parameters(), again.model.parameters(), strict=True))
    save_clip(parts, tmp_path / "half", dtype=torch.float16)
    loaded = load_clip_parts(str(tmp_path / "half"))
    assert loaded.model_cfg == parts.model_cfg
    assert loaded.preprocess_cfg == parts.preprocess_cfg
    assert next(loaded.model.parameters()).dtype == torch.float32
    for a, b in zip(parts.model.parameters(), loaded.model.parameters(), strict=True):
        assert torch.equal(a.half().float(), b)
    assert sorted(path.name for path in (tmp_path / "half").iterdir()) == [
        "open_clip_config.json",
        "open_clip_model.safetensors",
    ]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ViT-B32:openai", r"no architecture 'ViT-B32'\n.*ViT-B-32"),
        ("ViT-B-32", r"needs a pretrained tag\n.*laion2b_s34b_b79k"),
        ("ViT-B-32:laion", r"no pretrained tag 'laion'\n.*laion2b_s34b_b79k"),
        ("./no/such/folder", r"folder no/such/folder of './no/such/folder' does not exist"),
    ],
)
def test_a_name_that_leads_nowhere_says_what_there_is(name, says):
    with pytest.raises(ModelError, match=says):
        load_clip(EncoderConfig(model=name, device="cpu"))


@pytest.mark.parametrize("name", ["hf-hub:nobody/nothing", "ViT-B-32:laion2b_s34b_b79k"])
def test_what_cannot_be_downloaded_says_what_to_do(monkeypatch, tmp_path, name):
    monkeypatch.setattr("kgbuild.clip_names._hub_answers", lambda: False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"cannot be loaded: .*\n.*another one and set encoder.model to it"):
        load_clip_parts(name)


def test_a_folder_that_lacks_files_says_which(tmp_path, folder):
    with pytest.raises(ModelError, match=r"lacks open_clip_config.json and weights"):
        load_clip_parts(str(tmp_path))
    (tmp_path / "open_clip_config.json").write_text(json.dumps(tiny_config()))
    with pytest.raises(ModelError, match=r"lacks weights \(open_clip_model.safetensors\)"):
        load_clip_parts(f"local-dir:{tmp_path}")


def test_weights_that_do_not_fit_or_are_damaged_are_an_error(tmp_path, folder):
    (tmp_path / "open_clip_config.json").write_text(json.dumps(tiny_config(dim=8)))
    weights = (folder / "open_clip_model.safetensors").read_bytes()
    (tmp_path / "open_clip_model.safetensors").write_bytes(weights)
    with pytest.raises(ModelError, match=r"cannot be loaded: .*size mismatch"):
        load_clip_parts(str(tmp_path))
    (tmp_path / "open_clip_model.safetensors").write_bytes(weights[:1000])
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_clip_parts(str(tmp_path))
    (tmp_path / "open_clip_config.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_clip_parts(str(tmp_path))


def test_embeddings_that_are_not_finite_are_an_error(folder):
    parts = load_clip_parts(str(folder))
    with torch.no_grad():
        next(parts.model.visual.parameters()).fill_(float("nan"))
    encoder = ClipEncoder(parts, name="x", device=torch.device("cpu"), precision="fp32", batch_size=1)
    with pytest.raises(ModelError, match="not finite"):
        encoder.encode_images(PICTURES[:1])


def test_devices(monkeypatch):
    assert pick_device("cpu") == torch.device("cpu")
    with pytest.raises(ModelError, match="no device 'gpu'"):
        pick_device("gpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert available_devices() == ("cuda", "cpu")
    assert pick_device("auto") == torch.device("cuda")
    assert pick_device("cuda:0") == torch.device("cuda:0")
    for absent in ("cuda:1", "meta"):
        with pytest.raises(ModelError, match=f"{absent}' was asked for, and torch sees only cuda, cpu here"):
            pick_device(absent)
