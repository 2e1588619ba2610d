"""What `kgbuild embed` does with a file."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clip_fixture import write_tiny_clip
from PIL import Image

from kgbuild.clip import load_clip
from kgbuild.config import EncoderConfig
from kgbuild.embeddings import embed_file
from kgbuild.errors import CatalogueError, ConfigError, ModelError
from kgbuild.vectors import as_matrix


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return EncoderConfig(model=str(write_tiny_clip(tmp_path_factory.mktemp("clip"))), device="cpu", batch_size=2)


def png(shade):
    stream = io.BytesIO()
    Image.new("RGB", (12, 16), (shade, 2 * shade, 255 - shade)).save(stream, "PNG")
    return stream.getvalue()


def write(path, **columns):
    pq.write_table(pa.table(columns), path, row_group_size=7)
    return path


def test_texts_in_the_order_of_the_input(tmp_path, model):
    texts = [f"text {n % 5}" for n in range(40)]
    source = write(tmp_path / "in.parquet", other=list(range(40)), text=texts, id=[f"t{39 - n}" for n in range(40)])
    rows, rejects = embed_file("texts", source, model, tmp_path / "deep" / "out.parquet")
    out = pq.read_table(tmp_path / "deep" / "out.parquet")
    assert (rows, rejects) == (40, [])
    assert out.column_names == ["id", "embedding"]
    assert out["id"].to_pylist() == [f"t{39 - n}" for n in range(40)]
    assert out.schema.field("embedding").type == pa.list_(pa.float32())
    assert as_matrix(out).tobytes() == load_clip(model).encode_texts(texts).tobytes()
    np.testing.assert_allclose(np.linalg.norm(as_matrix(out), axis=1), 1, atol=1e-6)


def test_pictures_and_what_cannot_be_embedded(tmp_path, model):
    images = [png(1), None, b"broken", png(2), b"", png(3)]
    source = write(tmp_path / "in.parquet", id=pa.array([1, 2, 3, 4, 5, None], pa.int64()), image=images)
    rows, rejects = embed_file("images", source, model, tmp_path / "out.parquet")
    out = pq.read_table(tmp_path / "out.parquet")
    assert rows == out.num_rows == 2
    assert out["id"].to_pylist() == [1, 4]
    assert [(key, reason) for key, reason, _ in rejects] == [
        ("2", "picture_missing"),
        ("5", "picture_missing"),
        ("", "id_missing"),
        ("3", "picture_undecodable"),
    ]
    assert as_matrix(out).tobytes() == load_clip(model).encode_images([png(1), png(2)]).tobytes()


def test_places_of_pictures(tmp_path, model):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(png(7))
    uris = ["pictures/a.png", (tmp_path / "pictures" / "a.png").as_uri(), "pictures/none.png", "nosuch://a", None]
    source = write(tmp_path / "in.parquet", id=list("abcde"), uri=uris)
    rows, rejects = embed_file("images", source, model, tmp_path / "out.parquet")
    assert rows == 2
    assert [(key, reason) for key, reason, _ in rejects] == [
        ("c", "picture_unreachable"),
        ("d", "picture_unreachable"),
        ("e", "picture_missing"),
    ]
    first, second = as_matrix(pq.read_table(tmp_path / "out.parquet"))
    assert first.tobytes() == second.tobytes() == load_clip(model).encode_images([png(7)]).tobytes()


def test_pictures_in_a_struct(tmp_path, model):
    source = write(tmp_path / "in.parquet", id=["a"], image=[{"bytes": png(7), "path": None}])
    assert embed_file("images", source, model, tmp_path / "out.parquet") == (1, [])


def test_an_empty_file_and_one_with_nothing_usable(tmp_path, model):
    schema = pa.schema([("id", pa.string()), ("text", pa.string())])
    pq.write_table(schema.empty_table(), tmp_path / "empty.parquet")
    assert embed_file("texts", tmp_path / "empty.parquet", model, tmp_path / "out.parquet") == (0, [])
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0
    write(tmp_path / "nulls.parquet", id=["a"], text=pa.array([None], pa.string()))
    rows, rejects = embed_file("texts", tmp_path / "nulls.parquet", model, tmp_path / "out.parquet")
    assert (rows, rejects) == (0, [("a", "text_missing", "text is null or empty")])


def test_what_is_wrong_with_the_input_is_said(tmp_path, model):
    out = tmp_path / "out.parquet"
    with pytest.raises(CatalogueError, match="there is no file"):
        embed_file("texts", tmp_path / "none.parquet", model, out)
    (tmp_path / "x.parquet").write_text("id,text\n")
    with pytest.raises(CatalogueError, match="is no Parquet file"):
        embed_file("texts", tmp_path / "x.parquet", model, out)
    source = write(tmp_path / "in.parquet", id=["a"], title=["b"])
    with pytest.raises(CatalogueError, match=r"has the columns id, title\n.*texts needs id and text"):
        embed_file("texts", source, model, out)
    with pytest.raises(CatalogueError, match="images needs id and image or uri"):
        embed_file("images", source, model, out)
    with pytest.raises(ConfigError, match="cannot embed 'sounds'"):
        embed_file("sounds", source, model, out)
    with pytest.raises(ModelError, match="does not exist"):
        embed_file("texts", write(tmp_path / "t.parquet", id=["a"], text=["b"]), EncoderConfig(model="./none"), out)
    assert not out.exists()


def test_a_failure_on_the_way_leaves_the_old_file_and_no_scrap(tmp_path, model, monkeypatch):
    source = write(tmp_path / "in.parquet", id=[f"t{n}" for n in range(40)], text=[f"text {n}" for n in range(40)])
    out = tmp_path / "out.parquet"
    out.write_bytes(b"what was there")
    calls = []

    def fail_later(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise OSError("no space left on device")
        return original(*args, **kwargs)

    original = pq.ParquetWriter.write_table
    monkeypatch.setattr(pq.ParquetWriter, "write_table", fail_later)
    with pytest.raises(OSError, match="no space left"):
        embed_file("texts", source, model, out)
    assert out.read_bytes() == b"what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.parquet", "out.parquet"]
