"""Pictures: found as bytes, paths and URLs; kept as found or reduced; what cannot be decoded is rejected and the product stays."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from kgbuild.config import ColumnsConfig
from kgbuild.identity import image_id
from kgbuild.ingest.pictures import PictureError, check_picture, sources_of

from .shop import ingested, picture_bytes, product, rejects_of, write_jsonl, write_pictures

BYTES = ColumnsConfig(id="id", title="title", images=("front", "back"))


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "L"), ("PNG", "RGB"), ("WEBP", "RGB")])
def test_a_small_picture_is_kept_as_found(kind: str, mode: str) -> None:
    data = picture_bytes(3, kind=kind, mode=mode)
    picture = check_picture(data, max_side=32)
    assert picture.data == data
    assert (picture.width, picture.height) == (24, 32)
    assert picture.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("kind", "mode", "size"),
    [("GIF", "P", (24, 32)), ("BMP", "RGB", (24, 32)), ("PNG", "RGBA", (24, 32)), ("PNG", "I;16", (24, 32)), ("JPEG", "CMYK", (24, 32)),
     ("JPEG", "RGB", (900, 300)), ("PNG", "RGB", (33, 30)), ("TIFF", "RGB", (100, 400)), ("PNG", "1", (40, 40)), ("PNG", "LA", (30, 20))]
)  # fmt: skip
def test_any_other_becomes_a_jpeg_that_fits(kind: str, mode: str, size: tuple[int, int]) -> None:
    data = picture_bytes(3, kind=kind, mode=mode, size=size)
    picture = check_picture(data, max_side=32)
    kept = opened(picture.data)
    assert (kept.format, kept.mode) == ("JPEG", "RGB")
    assert max(kept.size) <= 32
    assert abs(kept.width / kept.height - size[0] / size[1]) < 0.12
    assert (picture.width, picture.height) == size
    assert picture.data == check_picture(data, max_side=32).data


def test_reducing_keeps_the_colours() -> None:
    image = Image.linear_gradient("L").resize((800, 600)).convert("RGB")
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=95)
    kept = opened(check_picture(stream.getvalue(), max_side=64).data)
    oracle = image.resize(kept.size, Image.Resampling.LANCZOS)
    differences = [abs(a - b) for a, b in zip(kept.convert("L").tobytes(), oracle.convert("L").tobytes(), strict=True)]
    assert max(differences) <= 8


def test_transparency_is_laid_on_white() -> None:
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    stream = io.BytesIO()
    clear.save(stream, "PNG")
    assert opened(check_picture(stream.getvalue(), max_side=32).data).getpixel((5, 5)) == (255, 255, 255)


def test_a_picture_on_its_side_is_turned() -> None:
    image = Image.new("RGB", (40, 20), (255, 0, 0))
    image.paste((0, 0, 255), (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    stream = io.BytesIO()
    image.save(stream, "JPEG", exif=exif, quality=95)
    picture = check_picture(stream.getvalue(), max_side=64)
    kept = opened(picture.data)
    assert (picture.width, picture.height) == kept.size == (20, 40)
    top, bottom = kept.getpixel((10, 5)), kept.getpixel((10, 35))
    assert top[2] > 200 > 100 > top[0]
    assert bottom[0] > 200 > 100 > bottom[2]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<html>404</html>", "image_broken"),
        (b"", "image_broken"),
        (picture_bytes(kind="JPEG", size=(200, 200))[:-300], "image_broken"),
        (picture_bytes(kind="PNG", size=(200, 200))[:-60], "image_broken"),
        (picture_bytes(kind="PNG", size=(15, 300)), "image_too_small"),
        (picture_bytes(kind="PNG", mode="1", size=(12_000, 12_000)), "image_too_large"),
        (picture_bytes(kind="PNG", mode="1", size=(20_000, 20_000)), "image_too_large"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_no_picture_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(PictureError) as error:
        check_picture(data, max_side=256)
    assert error.value.reason == reason
    assert " at 0x" not in error.value.detail


def test_cells_of_every_form() -> None:
    def uris(value: object, root: str = "root") -> list[tuple[str, str]]:
        return [(s.uri, s.location) for s in sources_of(value, where="f#p/c", root=root)]

    assert uris("a.jpg| b.jpg |") == [("a.jpg", "root/a.jpg"), ("b.jpg", "root/b.jpg")]
    assert uris(["/x/a.jpg", "memory://m/b.jpg", None]) == [
        ("/x/a.jpg", "/x/a.jpg"),
        ("memory://m/b.jpg", "memory://m/b.jpg"),
    ]
    assert uris("a.jpg", root="s3://bucket/shop/") == [("a.jpg", "s3://bucket/shop/a.jpg")]
    assert uris([b"1", b"2"]) == [("f#p/c", ""), ("f#p/c/1", "")]
    assert uris({"bytes": b"1", "path": "a.jpg"}) == [("f#p/c", "")]
    assert uris({"bytes": None, "path": "a.jpg"}) == [("a.jpg", "root/a.jpg")]
    assert uris(None) == uris("") == uris(b"") == uris([]) == uris(5) == []


def test_pictures_as_bytes_in_columns(tmp_path: Path) -> None:
    one, two = picture_bytes(1), picture_bytes(2)
    rows = [{"id": "a", "title": "x", "front": one, "back": two}, {"id": "b", "title": "y", "front": one, "back": None}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "c.parquet")
    tables = ingested(tmp_path / "c.parquet", columns=BYTES)
    sha = hashlib.sha256(one).hexdigest()
    by_uri = {row["uri"]: row for row in tables.images.to_pylist()}
    assert sorted(by_uri) == ["c.parquet#a/back", "c.parquet#a/front", "c.parquet#b/front"]
    assert by_uri["c.parquet#b/front"]["image_id"] == image_id("b", sha)
    assert {row["sha256"]: row["image"] for row in tables.pictures.to_pylist()} == {
        sha: one,
        hashlib.sha256(two).hexdigest(): two,
    }


def test_a_bad_picture_costs_only_itself(tmp_path: Path) -> None:
    write_pictures(tmp_path, [1])
    (tmp_path / "images" / "bad.png").write_bytes(b"nothing")
    inline = "data:image/png;base64," + base64.b64encode(picture_bytes(9)).decode()
    rows = [
        product(
            1,
            images=[
                "images/1.png",
                "images/bad.png",
                "images/none.png",
                "images/1.png",
                "memory://nowhere/x.png",
                "a\x00b.png",
            ],
        ),
        product(2, images=["images"]),
        product(3, images=inline),
        product(4, images=["nope://x/y.png"]),
        product(5, title=None, description=" ", images=["images/none.png"]),
    ]
    tables = ingested(write_jsonl(tmp_path / "c.jsonl", rows))
    assert tables.products["product_id"].to_pylist() == ["p1", "p2", "p3", "p4"]
    assert sorted(tables.images["product_id"].to_pylist()) == ["p1", "p3"]
    assert rejects_of(tables) == [
        ("p1", "image_absent"), ("p1", "image_absent"), ("p1", "image_broken"), ("p1", "image_repeated"), ("p1", "image_unreadable"),
        ("p2", "image_unreadable"), ("p4", "image_absent"), ("p5", "image_absent"), ("p5", "nothing_usable"),
    ]  # fmt: skip


_TIRED = threading.Event()


class _Shop(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/slow.png":
            _TIRED.wait(60)
        if self.path == "/gone.png":
            self.send_error(404)
            return
        if self.path == "/error.png":
            self.send_error(500)
            return
        data = picture_bytes(int(self.path[1]) if self.path[1].isdigit() else 0)
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64
    daemon_threads = True


@pytest.fixture
def address() -> Iterator[str]:
    _TIRED.clear()
    server = _Server(("127.0.0.1", 0), _Shop)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    _TIRED.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_pictures_behind_urls(tmp_path: Path, address: str) -> None:
    pytest.importorskip("aiohttp")
    names = [f"{n % 10}-{n}.png" for n in range(40)]
    rows = [product(n, images=[f"{address}/{name}"]) for n, name in enumerate(names)]
    rows += [product(100 + n, images=[f"{address}/{name}"]) for n, name in enumerate(("gone.png", "error.png"))]
    tables = ingested(write_jsonl(tmp_path / "c.jsonl", rows), url_timeout_seconds=60.0)
    expected = {f"p{n}": hashlib.sha256(picture_bytes(n % 10)).hexdigest() for n in range(40)}
    assert {row["product_id"]: row["sha256"] for row in tables.images.to_pylist()} == expected
    assert tables.images["uri"][0].as_py().startswith(address)
    assert rejects_of(tables) == [("p100", "image_absent"), ("p101", "image_unreachable")]


def test_a_picture_that_takes_too_long(tmp_path: Path, address: str) -> None:
    pytest.importorskip("aiohttp")
    path = write_jsonl(tmp_path / "c.jsonl", [product(1, images=[f"{address}/slow.png"])])
    assert rejects_of(ingested(path, url_timeout_seconds=0.2)) == [("p1", "image_timeout")]


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    path = write_jsonl(tmp_path / "c.jsonl", [product(1, images=["http://127.0.0.1:9/x.png"])])
    assert rejects_of(ingested(path)) == [("p1", "image_unreachable")]
