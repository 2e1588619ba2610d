"""The page in headless Chromium, from a file: it opens, searches, links, and the console stays silent."""

import re
import shutil

import pyarrow as pa
import pytest
from small_release import HOSTILE, Catalogue

from kgbuild.identity import concept_id
from kgbuild.serve import write_page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"
)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue()


@pytest.fixture(scope="module")
def address(catalogue, tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "page.html"
    return write_page(out, **catalogue.tables(), title=f"Dresses {HOSTILE}", release_id="r1").path.as_uri()


@pytest.fixture
def page(browser, address):
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    opened, noises = context.new_page(), []
    opened.on("console", lambda message: noises.append(message.text))
    opened.on("pageerror", lambda error: noises.append(str(error)))
    opened.goto(address)
    yield opened
    assert noises == []
    assert "taken" not in opened.title().split("<")[0]
    context.close()


def rows(page):
    return page.locator("#rows .row .name").all_inner_texts()


def wait_for_heading(page, text):
    """A click on a link tells the page of it in an event of its own, a moment later."""
    playwright.expect(page.locator("h1")).to_have_text(re.compile(rf"^\s*{re.escape(text)}"))


def test_the_tree_opens_and_a_click_shows_the_concept(page, catalogue):
    wait_for_heading(page, "Dresses </script>")
    assert page.locator("h1").inner_text().startswith("Dresses </script>")
    assert rows(page) == ["dress"]
    page.locator(".row", has_text="dress").first.click()
    wait_for_heading(page, "dress")
    assert rows(page) == ["dress", "long dress", "blue dress", "red dress", "white dress"]
    assert page.locator("h1").inner_text() == "dress"
    assert page.locator(".facts").inner_text().split("\n")[:2] == ["24 products", "48 mentions"]
    page.locator(".row", has_text="long dress").locator(".twist").click()
    assert rows(page)[1:4] == ["long dress", "long blue dress", "long red dress"]
    wait_for_heading(page, "dress")
    assert page.locator("h1").inner_text() == "dress"  # the twist opens without leaving the concept
    page.locator(".row", has_text="long red dress").click()
    assert page.url.endswith("#" + catalogue.ids["long", "red"])
    assert page.locator("#rows [aria-selected=true]").inner_text().startswith("long red dress")


def test_a_concept_shows_pictures_broader_concepts_and_texts(page, address, catalogue):
    page.goto(address + "#" + catalogue.ids["long", "red"])
    assert page.locator(".gallery img").count() == 3
    assert page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert [text.split("\n")[0] for text in page.locator(".broader li").all_inner_texts()] == [
        "long dress",
        "red dress",
    ]
    assert "in the tree" in page.locator(".broader li").first.inner_text()
    assert page.locator(".crumbs").inner_text().split() == ["All", "concepts", "dress", "long", "dress"]
    assert set(page.locator("mark").all_inner_texts()) == {"Red Long Dress"}
    assert page.locator("blockquote").count() == 3
    page.locator(".broader a", has_text="red dress").click()
    wait_for_heading(page, "red dress")
    assert page.locator("h1").inner_text() == "red dress"
    assert page.locator(".cards .card").count() == 1


def test_search_by_keyboard(page):
    page.keyboard.press("/")
    page.keyboard.type("dress red")
    options = page.locator("#results [role=option]")
    assert [text.split("\n")[0] for text in options.all_inner_texts()] == ["red dress", "long red dress"]
    assert page.locator("#found").inner_text() == "2 concepts found"
    page.keyboard.press("ArrowDown")
    assert page.locator("#results [aria-selected=true]").inner_text().startswith("long red dress")
    page.keyboard.press("Enter")
    wait_for_heading(page, "long red dress")
    assert page.locator("h1").inner_text() == "long red dress"
    assert "long red dress" in rows(page)  # the tree has opened down to it
    assert page.locator("#results").is_hidden()
    page.locator("#search").fill("zebra (")
    assert page.locator("#results").inner_text() == "No concept has these words."
    page.keyboard.press("Escape")
    assert page.locator("#results").is_hidden()


def test_search_by_mouse_and_back(page):
    page.locator("#search").fill("whi")
    page.locator("#results li", has_text="white dress").first.click()
    wait_for_heading(page, "white dress")
    assert page.locator("h1").inner_text() == "white dress"
    page.go_back()
    wait_for_heading(page, "Dresses")
    assert page.locator("h1").inner_text().startswith("Dresses")


def test_the_tree_by_keyboard(page):
    page.locator("#tree").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    wait_for_heading(page, "long blue dress")
    assert page.locator("h1").inner_text() == "long blue dress"
    active = page.locator("#tree").get_attribute("aria-activedescendant")
    assert page.locator(f"#{active}").get_attribute("aria-level") == "3"
    for key in ("ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    assert rows(page) == ["dress", "long dress", "blue dress", "red dress", "white dress"]


def test_an_unknown_link_says_so(page, address):
    page.goto(address + "#feedfeedfeedfeed")
    assert "no concept feedfeedfeedfeed" in page.locator("[role=alert]").inner_text()


def test_dark_and_light(page):
    def paper():
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light = paper()
    page.locator("#theme").click()
    assert paper() != light
    page.locator("#theme").click()
    assert paper() == light


def test_ten_thousand_concepts_are_drawn_a_screen_at_a_time(browser, tmp_path):
    extra = [
        {
            "concept_id": concept_id(f"thing{i}", []), "label": f"thing {i}", "head_noun": f"thing{i}", "modifiers": [],
            "n_mentions": 3, "n_products": 3,
        }
        for i in range(10_000)
    ]  # fmt: skip
    report = write_page(tmp_path / "page.html", **Catalogue(extra=extra).tables())
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.goto(report.path.as_uri())
    assert page.locator("#rows .row").count() < 60
    assert page.locator(".card").count() == 48
    page.locator(".more").click()
    assert page.locator(".card").count() == 96
    page.goto(report.path.as_uri() + "#" + concept_id("thing9998", []))
    assert page.locator("#rows [aria-selected=true]").is_visible()
    assert page.locator("#rows .row").count() < 60
    page.locator("#search").fill("thing 9998")
    assert page.locator("#results li").count() == 1
    page.close()


def test_every_colour_of_text_has_contrast(page, address, catalogue):
    """WCAG AA asks for 4.5; both themes, on what the variables really come to."""
    page.goto(address + "#" + catalogue.ids["long", "red"])
    script = """() => {
      const probe = document.body.appendChild(document.createElement('i'));
      const linear = (v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
      const light = (name) => {
        probe.style.color = `var(${name})`;
        const [r, g, b] = getComputedStyle(probe).color.match(/[\\d.]+/g).map((v) => linear(v / 255));
        return .2126 * r + .7152 * g + .0722 * b;
      };
      const out = {};
      for (const fore of ['--ink', '--soft', '--accent']) for (const back of ['--paper', '--sheet', '--sunk', '--accent-wash']) {
        const [a, b] = [light(fore), light(back)].sort((x, y) => y - x);
        out[fore + back] = (a + .05) / (b + .05);
      }
      probe.remove();
      return out;
    }"""
    for _ in range(2):
        contrast = page.evaluate(script)
        assert {pair: value for pair, value in contrast.items() if value < 4.5} == {}
        page.locator("#theme").click()


def test_no_rows_at_all(browser, tmp_path):
    tables = {k: v.slice(0, 0) if isinstance(v, pa.Table) else v for k, v in Catalogue().tables().items()}
    report = write_page(tmp_path / "page.html", **tables, title="Nothing")
    page, noises = browser.new_page(), []
    page.on("pageerror", lambda error: noises.append(str(error)))
    page.goto(report.path.as_uri())
    wait_for_heading(page, "Nothing")
    assert page.locator("h1").inner_text() == "Nothing"
    assert noises == []
    page.close()
