"""The protocols on small catalogues whose right answers are known."""

import numpy as np
import pyarrow as pa
import pytest

from kgbuild.errors import ConfigError, TableError
from kgbuild.identity import image_id, text_id
from kgbuild.retrieval import PROTOCOLS, ProtocolSettings, evaluate, texts_to_embed
from kgbuild.retrieval.sample import _sample_galleries, _sub_categories
from kgbuild.tables import TABLES, conform

DIM = 64


class World:
    """n products with two images each; a vector for each product from which its text and images come, with noise."""

    def __init__(self, n=160, *, noise=0.0, seed=0, twins=False):
        rng = np.random.default_rng(seed)
        self.ids = [f"p{i:04d}" for i in range(n)]
        self.titles = [f"garment {i // 2 if twins else i}" for i in range(n)]
        kinds = [("wear", f"kind {i % 8}", f"fine {i % 16}") for i in range(n)]
        self.products = pa.Table.from_pylist(
            [
                {
                    "product_id": p, "title": t, "brand": None, "category_path": list(kind),
                    "attributes": [("colour", f"colour {i % 5}")], "split": "val" if i % 4 == 0 else "train",
                }
                for i, (p, t, kind) in enumerate(zip(self.ids, self.titles, kinds, strict=True))
            ],
            schema=TABLES["products"].schema,
        )  # fmt: skip
        self.texts = pa.Table.from_pylist(
            [
                {"text_id": text_id(p, f, t), "product_id": p, "field": f, "text": t}
                for p, title in zip(self.ids, self.titles, strict=True)
                for f, t in (("title", title), ("description", f"described {title}"))
            ],
            schema=TABLES["texts"].schema,
        )
        pairs = [(p, f"{i}{side}") for i, p in enumerate(self.ids) for side in "ab"]
        self.images = pa.Table.from_pylist(
            [
                {"image_id": image_id(p, sha), "product_id": p, "uri": sha, "width": 60, "height": 80, "sha256": sha}
                for p, sha in pairs
            ],
            schema=TABLES["images"].schema,
        )
        self.base = {p: self.unit(rng) for p in self.ids}
        self.image_embeddings = self.table(
            [image_id(p, sha) for p, sha in pairs], [self.unit(rng, self.base[p], noise) for p, _ in pairs]
        )
        self.rng, self.noise = rng, noise

    @staticmethod
    def unit(rng, around=None, noise=1.0):
        row = (0 if around is None else around) + noise * rng.normal(size=DIM)
        return row / np.linalg.norm(row)

    @staticmethod
    def table(ids, rows):
        rows = pa.table({"id": ids, "embedding": [np.asarray(row, dtype=np.float32).tolist() for row in rows]})
        return conform(rows, "image_embeddings")

    def embed(self, table):
        """A perfect text tower: the vector of the first product so titled; anything else is random."""
        own = {}
        for p, title in zip(self.ids, self.titles, strict=True):
            own.setdefault(title, self.base[p])
            own.setdefault(f"described {title}", self.base[p])
        rows = [own.get(text) for text in table["text"].to_pylist()]
        return self.table(table["id"].to_pylist(), [self.unit(self.rng) if row is None else row for row in rows])

    def evaluate(self, protocol, settings=None, **more):
        wanted = texts_to_embed(self.products, self.texts, protocol=protocol, settings=settings)
        metrics = evaluate(
            self.products, self.texts, self.images, self.embed(wanted), self.image_embeddings,
            protocol=protocol, run_id="run", settings=settings, **more,
        )  # fmt: skip
        assert metrics.schema.equals(TABLES["metrics"].schema)
        return {(row["direction"], row["metric"]): row for row in metrics.to_pylist()}


@pytest.fixture(scope="module")
def perfect():
    return World()


def test_perfect_embeddings_are_perfect(perfect):
    for protocol in ("sample", "full", "title_to_image"):
        found = perfect.evaluate(protocol)
        assert found["text_to_image", "recall_at_1"]["value"] == 1.0, protocol
        assert found["text_to_image", "mrr"]["value"] == 1.0
        if protocol != "title_to_image":
            assert found["image_to_text", "recall_at_1"]["value"] == 1.0
            assert found["both", "sum_r"]["value"] == 600.0


def test_full_counts_and_map(perfect):
    found = perfect.evaluate("full")
    assert found["image_to_text", "map"]["n_queries"] == 320
    assert found["image_to_text", "map"]["gallery"] == 160
    assert found["text_to_image", "map"]["n_queries"] == 160
    assert found["text_to_image", "map"]["gallery"] == 320
    assert found["text_to_image", "map"]["value"] == 1.0  # both images of a product come first
    assert found["text_to_image", "precision_at_10"]["value"] == pytest.approx(0.2)


def test_random_embeddings_are_about_chance():
    world = World(400, noise=50.0)
    found = world.evaluate("sample", ProtocolSettings(draws=3))
    for direction in ("image_to_text", "text_to_image"):
        assert found[direction, "recall_at_10"]["gallery"] == 101
        assert found[direction, "recall_at_10"]["value"] == pytest.approx(10 / 101, abs=0.04)
        assert found[direction, "median_rank"]["value"] == pytest.approx(51, abs=8)
        assert found[direction, "recall_at_10_sd"]["value"] > 0


def test_equal_titles_count_as_ties_except_by_unique_title():
    """Every title stands for two products; only the first has the vector of the text."""
    world = World(twins=True)
    found = world.evaluate("full")
    assert found["image_to_text", "recall_at_1"]["value"] == 0.0  # the twin's text is tied, and ties are pessimistic
    assert found["image_to_text", "recall_at_1_optimistic"]["value"] == 0.5
    unique = world.evaluate("title_to_image")
    assert unique["text_to_image", "recall_at_1"]["n_queries"] == 80
    assert unique["text_to_image", "recall_at_1"]["value"] == 1.0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_order_of_rows_does_not_matter(protocol):
    world = World(60, noise=0.2)
    settings = ProtocolSettings(draws=2, n_queries=30, n_negatives=9, attributes=("colour",))
    wanted = texts_to_embed(world.products, world.texts, protocol=protocol, settings=settings)
    embedded = world.embed(wanted)
    tables = [world.products, world.texts, world.images, embedded, world.image_embeddings]
    order = np.random.default_rng(1)
    shuffled = [table.take(order.permutation(table.num_rows)) for table in tables]
    one, two = (evaluate(*given, protocol=protocol, run_id="r", settings=settings) for given in (tables, shuffled))
    assert one.equals(two)


def test_the_seed_draws_the_sample():
    world = World(60, noise=0.5)
    settings = ProtocolSettings(draws=1, n_queries=20, n_negatives=9)
    embedded = world.embed(texts_to_embed(world.products, world.texts, protocol="sample"))

    def run(seed):
        return evaluate(
            world.products, world.texts, world.images, embedded, world.image_embeddings,
            protocol="sample", run_id="r", seed=seed, settings=settings,
        )  # fmt: skip

    assert run(1).equals(run(1))
    assert not run(1).equals(run(2))


def test_negatives_are_of_the_sub_category_and_another_product(perfect):
    from kgbuild.retrieval.corpus import image_vectors

    images = image_vectors(perfect.products, perfect.images, perfect.image_embeddings)
    groups = _sub_categories(perfect.products, 2)
    rng = np.random.default_rng(0)
    chosen = np.arange(50)
    few = _sample_galleries(images, images, chosen, groups, rng, 30)
    for query, row in zip(chosen, few, strict=True):
        product = images.keys[query]
        assert images.keys[row[0]] == product
        assert all(images.keys[place] != product for place in row[1:])
        assert {groups[images.keys[place]] for place in row[1:]} == {groups[product]}
        assert len(set(row.tolist())) == 31
    many = _sample_galleries(images, images, chosen, groups, rng, 100)  # a sub-category has 40 images, 38 of others
    for query, row in zip(chosen, many, strict=True):
        product = images.keys[query]
        kinds = [groups[images.keys[place]] for place in row[1:]]
        assert kinds.count(groups[product]) == 38
        assert len(set(row.tolist())) == 101
        assert all(images.keys[place] != product for place in row[1:])


def test_categories_and_attributes_to_product():
    world = World(80)
    settings = ProtocolSettings(attributes=("colour",), image_weight=0.9)
    wanted = texts_to_embed(world.products, world.texts, protocol="category_to_product", settings=settings)
    assert {"wear", "kind 3", "fine 9", "colour 1", "garment 7"} <= set(wanted["text"].to_pylist())
    found = world.evaluate("category_to_product", settings)
    counts = {direction: row["n_queries"] for (direction, metric), row in found.items() if metric == "mrr"}
    assert counts == {
        "category_1_to_product": 1, "category_2_to_product": 8, "category_3_to_product": 16, "colour_to_product": 5,
    }  # fmt: skip
    assert found["category_1_to_product", "precision_at_10"]["value"] == 1.0  # all products are of that category


def test_queries_of_a_split_against_the_whole_gallery(perfect):
    found = perfect.evaluate("title_to_image", ProtocolSettings(query_split="val"))
    assert found["text_to_image", "mrr"]["n_queries"] == 40
    assert found["text_to_image", "mrr"]["gallery"] == 320


def test_images_without_embedding_stay_out_of_the_gallery(perfect):
    half = perfect.image_embeddings.slice(0, 100)
    embedded = perfect.embed(texts_to_embed(perfect.products, perfect.texts, protocol="full"))
    metrics = evaluate(
        perfect.products, perfect.texts, perfect.images, embedded, half, protocol="full", run_id="r"
    ).to_pylist()
    assert {row["gallery"] for row in metrics if row["direction"] == "text_to_image"} == {100}


def test_what_is_unknown_or_missing_is_named(perfect):
    with pytest.raises(ConfigError, match="did you mean 'full'"):
        texts_to_embed(perfect.products, perfect.texts, protocol="ful")
    with pytest.raises(ConfigError, match="description, title"):
        texts_to_embed(perfect.products, perfect.texts, protocol="full", settings=ProtocolSettings(field="story"))
    with pytest.raises(ConfigError, match="near to it: colour"):
        perfect.evaluate("category_to_product", ProtocolSettings(attributes=("color",)))
    with pytest.raises(ConfigError, match="the splits are: train, val"):
        perfect.evaluate("full", ProtocolSettings(query_split="test"))
    embedded = perfect.embed(texts_to_embed(perfect.products, perfect.texts, protocol="full"))
    own = perfect.image_embeddings
    doubled = World.table([own["id"][0].as_py()], [np.ones(DIM)])
    for texts, images, said in (
        (embedded.slice(1), own, "1 of 160 query texts have no embedding"),
        (embedded, own.slice(0, 0), "none of the images"),
        (embedded, doubled, "length 8.000, not 1"),
    ):
        with pytest.raises(TableError, match=said):
            evaluate(perfect.products, perfect.texts, perfect.images, texts, images, protocol="full", run_id="r")
