"""The page for everybody: axe-core's rules, small windows, touch, colours that the reader chose, screen readers."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import needs
import numpy as np
import pytest
from rows import hold, play_row, row_of, text_of, turn_auto
from stub_page import HOST, item, on_air, stubbed, suggestions

FIRST_MS = 40_000
AXE = Path(__file__).parent / "node_modules" / "axe-core"
AXE_SIZES = [(1280, 800), (400, 800)]
SMALL = [(400, 300), (400, 800), (640, 360)]
TOUCHED = "button, input[type=range], input[type=checkbox], a[href]:not(.jump)"
SIZES = """selector => [...document.querySelectorAll(selector)].filter((each) => each.checkVisibility()).map((each) => {
  const { width, height } = each.getBoundingClientRect();
  return { name: each.id || each.className, width, height };
})"""

WISHES = """() => {  // at one moment, since the list may change from one to the next
  const rows = [...document.querySelectorAll(".row")];
  const acts = [[rows[1], ".like"], [rows[1], ".pin"], [rows[2], ".drop-it"]];
  for (const [row, act] of acts) row.querySelector(act).click();
}"""


@pytest.fixture
def live(page: Any) -> Any:
    page.click("#use-camera")
    page.wait_for_selector(".row", timeout=FIRST_MS)
    return page


def violations(page: Any) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate((needs.package(AXE) / "axe.min.js").read_text())
    found = page.evaluate("() => axe.run()")["violations"]
    return [f"{rule['id']} x{len(rule['nodes'])}: {rule['nodes'][0]['html']}" for rule in found]


def sized(page: Any, sizes: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The same page in windows of these sizes: it takes seconds until one is live."""
    for width, height in sizes:
        page.set_viewport_size({"width": width, "height": height})
        yield width, height


def test_axe_finds_nothing_idle_or_live(page: Any) -> None:
    page.emulate_media(reduced_motion="reduce")  # colours are judged where they end
    assert [found for _ in sized(page, AXE_SIZES) for found in violations(page)] == []
    page.click("#use-camera")
    page.wait_for_selector(".row", timeout=FIRST_MS)
    page.locator(".row .play").first.click()
    page.wait_for_selector('#player[data-state="playing"]', timeout=20_000)
    assert [found for _ in sized(page, AXE_SIZES) for found in violations(page)] == []


LAYOUTS = [
    ("/?session=one", (1280, 800)),
    ("/?session=one&size=large", (1600, 1000)),
    ("/?session=one&size=compact", (1280, 800)),
    ("/?session=one", (640, 400)),
    ("/dock", (400, 800)),
    ("/dock", (300, 300)),
]


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize(("path", "size"), LAYOUTS)
def test_axe_finds_nothing_in_any_layout_theme_tool_and_dialog(
    browser: Any, path: str, size: tuple[int, int], theme: str
) -> None:
    with stubbed(browser) as (page, stub):
        page.add_init_script("localStorage.clear();")
        page.emulate_media(reduced_motion="reduce", color_scheme=theme)
        page.set_viewport_size({"width": size[0], "height": size[1]})
        stub.kits = {"a": {"name": "Boss fight"}}
        at = "2026-01-02T10:00:00Z"
        stub.history = [{"track": "track1", "title": "Glass Orbit", "artist": "", "at": at, "played_s": 9}]
        told = suggestions(advice="switch", items=[item(1, rank=1), item(0, rank=2), item(2), item(3)], **on_air())
        told["asked"]["filters"] |= {"min_bpm": 90}
        told["asked"]["liked"] = [{"track": "track3", "title": "Minds Wide Open", "left_s": None}]
        stub.first = [
            told | {"stale": "no track passes the filter tempo; the list is the one before"},
            {"type": "player", "player": "elsewhere", "may": True, "auto": True, "track": "track0", "name": "OBS"},
            {"type": "obs", "connected": True, "scene": "Game", "studio": True, "streaming": True, "ducked_db": -6},
        ]
        page.goto(HOST + path)
        page.wait_for_selector("#duck:visible")
        page.wait_for_selector("#credit:enabled")
        for tool in ("filters", "kits", "history"):
            page.click(f"#tab-{tool}")
            page.wait_for_selector(f"#tool-{tool} :is(input, li)")
        page.evaluate("() => document.querySelectorAll('.tool').forEach((tool) => { tool.hidden = false; })")
        found = violations(page)
        page.click("#open-find")
        page.fill("#find-words", "i")
        page.wait_for_selector(".hit")
        page.press("#find-words", "ArrowDown")
        found += violations(page)
        page.keyboard.press("Escape")
        for dialog in ("settings", "keys"):
            if page.is_visible(f"#open-{dialog}"):
                page.click(f"#open-{dialog}")
                page.wait_for_selector(f"#{dialog}[open] .quiet")
                found += violations(page)
                page.keyboard.press("Escape")
        assert found == []
        page.click("#open-find")
        small = page.evaluate(SIZES, TOUCHED)
        assert [each for each in small if min(each["width"], each["height"]) < 24] == []


def test_axe_finds_nothing_in_a_remote_and_among_wishes(live: Any, server: Any, browser: Any) -> None:
    other = browser.new_page()
    other.goto(server.url)
    other.emulate_media(reduced_motion="reduce")
    other.click("#live-list button", timeout=FIRST_MS)
    other.wait_for_selector(".row", timeout=FIRST_MS)
    live.locator(".row .play").first.click()
    other.wait_for_selector("#take:visible", timeout=20_000)
    other.evaluate(WISHES)
    other.wait_for_selector("#wishes li:nth-child(3)", timeout=20_000)
    for width, _ in sized(other, AXE_SIZES):
        other.evaluate("document.querySelector('#told').hidden = false")  # it was shown for a while
        assert violations(other) == []
        small = other.evaluate(SIZES, "#wishes button, #told button, #take, .acts button")
        assert [each for each in small if min(each["width"], each["height"]) < 24] == []
        assert other.evaluate("document.documentElement.scrollWidth") <= width
    other.close()


def test_what_is_on_air_and_why_is_told_to_who_does_not_see(live: Any) -> None:
    assert live.locator("h1:visible").count() == 1
    hold(live)
    row = row_of(live, 0)
    name = row.query_selector(".play").get_attribute("aria-label")
    assert "rank " in name and " from " in name
    assert live.evaluate("""() => [...document.querySelectorAll(".row")].every((row) =>
        row.querySelector(".play").ariaLabel.includes(row.querySelector(".why").textContent))""")
    assert live.locator("[aria-current]").count() == 0
    title = text_of(row, ".title")
    play_row(row)
    live.wait_for_selector(".play[aria-current=true]", timeout=20_000)
    assert live.locator(".row:has([aria-current]) .title").all_inner_texts() == [title]


def test_a_start_that_moves_is_not_read_out(live: Any) -> None:
    spoken = live.evaluate(
        """() => [...document.querySelectorAll("[role=status], [role=alert], [aria-live]")]
            .map((each) => each.textContent)"""
    )
    assert any("Start with" in text for text in spoken)
    assert not any("from 0:" in text or "from 1:" in text for text in spoken)
    assert "from " in live.inner_text("#advice")


SEEN = """selector => {
  const box = document.querySelector(selector).getBoundingClientRect();
  const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  const element = document.querySelector(selector);
  const row = element.closest(".row");
  const uncovered = top && (element.contains(top) || top.contains(element) || (row && row.contains(top)));
  const inside = box.top >= 0 && box.left >= 0 && box.bottom <= innerHeight && box.right <= innerWidth;
  return inside && !!uncovered;
}"""


def test_the_first_suggestion_and_its_start_are_seen_in_a_small_window(live: Any) -> None:
    for width, height in sized(live, SMALL):
        live.evaluate("scrollTo(0, 0)")
        assert live.evaluate("document.documentElement.scrollWidth") <= width
        for selector in ("#advice-text", "#advice-from", "#advice-why", "#go", "#toggle", "#advice"):
            assert live.evaluate(SEEN, selector), f"{selector} is out of sight at {width}x{height}"


def test_what_is_touched_is_large_enough(page: Any) -> None:
    for kind in ("idle", "live"):
        if kind == "live":
            page.click("#use-camera")
            page.wait_for_selector(".row", timeout=FIRST_MS)
        for width, height in sized(page, [(1280, 720), *SMALL]):
            found = page.evaluate(SIZES, TOUCHED)
            assert len(found) > 5
            small = [each for each in found if min(each["width"], each["height"]) < 24]
            assert small == [], f"at {width}x{height}"
            main = page.evaluate(SIZES, "button.play, #toggle")
            assert len(main) == (6 if kind == "live" else 1)
            assert min(min(each["width"], each["height"]) for each in main) >= 43.9
        page.set_viewport_size({"width": 1280, "height": 720})


LONG = """() => {
  const row = document.querySelector(".row");
  const heights = () => [...document.querySelectorAll(".row")].map((each) => each.offsetHeight);
  const before = heights();
  row.querySelector(".title").textContent = "Symphony No. 9 in D minor, Op. 125 'Choral': IV. Presto - Allegro assai";
  row.querySelector(".artist").textContent = "A very long orchestra's name and its conductor's, with choir";
  row.querySelector(".why").textContent = "Half the pace of the picture: 60 bpm against about 120. ".repeat(4);
  const last = document.createElement("span");
  last.textContent = "CC-BY-NC-SA-4.0 with a remark that goes on";
  row.querySelector(".facts").append(last);
  return [before, heights()];
}"""


def test_long_words_push_nothing(live: Any) -> None:
    for width, height in sized(live, [(1280, 720), (1000, 700), *SMALL]):
        before, after = live.evaluate(LONG)
        assert before == after and len(set(before)) == 1, f"at {width}x{height}"
        assert live.evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_vanishes_in_forced_colours(live: Any) -> None:
    """Each of these is drawn: its pixels are not all of one colour."""
    live.emulate_media(forced_colors="active", reduced_motion="reduce")
    turn_auto(live, True)
    live.wait_for_selector('#player[data-state="playing"]', timeout=20_000)
    for selector in (".parts dd", "#volume", "#seek", ".switch .track", ".status i", ".key .motion", ".key .cut"):
        box = live.locator(selector).first.bounding_box()
        around = {"x": box["x"] - 4, "y": box["y"] - 4, "width": box["width"] + 8, "height": box["height"] + 8}
        with av.open(io.BytesIO(live.screenshot(clip=around))) as picture:
            pixels = next(picture.decode(video=0)).to_ndarray(format="rgb24").astype(int)
        assert np.ptp(pixels.reshape(-1, 3), axis=0).max() > 100, f"{selector} cannot be seen"
