"""A track found by words: what is asked and when, what the rows say and do, and all of it by keys. Filters for key and
energy. Against a websocket that says what each test tells it to."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from stub_page import HOST, Stub, item, on_air, stubbed, suggestions
from until import until

ELSEWHERE = {"type": "player", "player": "elsewhere", "may": True, "auto": False, "track": "track0", "position_s": 48.0}
TITLES = "() => [...document.querySelectorAll('.hit .title')].map((each) => each.textContent)"
CHOSEN = "() => document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))"
Opener = Callable[..., tuple[Any, Stub]]

# Each question waits for its answer, and gets it even where it was given up meanwhile.
LATE = """
localStorage.clear();
window.asked = [];
const real = window.fetch;
window.fetch = (address, options) => {
  if (!String(address).startsWith("/api/tracks?")) return real(address, options);
  return new Promise((done) => {
    const answer = (told, status = 200) => done(new Response(JSON.stringify(told), { status }));
    window.asked.push({ words: new URL(address, location.href).searchParams.get("q"), signal: options.signal, answer });
  });
};
window.told = (...titles) => ({ found: titles.length, tracks: titles.map((title) => (
  { track: title, title, artist: "", duration_s: 61, tempo_bpm: 0, licence: "", camelot: null, marks: [] })) });
"""
SHIFTS = """
localStorage.clear();
window.shifted = [];
new PerformanceObserver((list) => {
  const name = ({ node }) => node?.id || node?.className || node?.nodeName;
  for (const { sources } of list.getEntries()) window.shifted.push(sources.map(name));
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture
def opened(browser: Any) -> Iterator[Opener]:
    """``opened(*messages, path=..., size=...)``: the page, and its stub; the messages are told first."""
    with stubbed(browser) as (page, stub):

        def begin(
            *messages: dict[str, Any],
            path: str = "/?session=one",
            size: tuple[int, int] = (1280, 800),
            script: str = "localStorage.clear();",
        ) -> tuple[Any, Stub]:
            page.set_viewport_size({"width": size[0], "height": size[1]})
            page.emulate_media(reduced_motion="reduce")
            page.add_init_script(script)
            stub.first = list(messages) or [suggestions(**on_air()), ELSEWHERE]
            page.goto(HOST + path)
            page.wait_for_selector(".row")
            return page, stub

        yield begin


def find(page: Any, words: str = "") -> None:
    page.click("#open-find")
    page.wait_for_selector("#find-words:focus")
    if words:
        page.type("#find-words", words)
        page.wait_for_selector(".hit")


def test_it_is_loaded_when_it_is_wanted_and_asks_when_the_typing_pauses(opened: Opener) -> None:
    page, _ = opened(script=LATE)
    assert (
        page.evaluate("performance.getEntriesByType('resource').some(({ name }) => name.includes('find.js'))") is False
    )
    page.keyboard.press("/")
    page.wait_for_selector("#find-words:focus")
    assert page.input_value("#find-words") == "" and "any order" in page.inner_text("#find .hint")
    page.clock.install()
    page.type("#find-words", "night")
    page.clock.run_for(100)
    assert page.evaluate("asked.length") == 0
    page.clock.run_for(100)
    assert page.evaluate("asked.map(({ words }) => words)") == ["night"]
    page.evaluate("asked[0].answer({ found: 41, tracks: told('Night Bus').tracks })")
    page.wait_for_selector(".hit")
    assert page.inner_text("#find .hint") == "the best 1 of 41 tracks"
    page.fill("#find-words", " ")
    page.clock.run_for(200)
    page.wait_for_selector(".hit", state="detached")
    assert page.evaluate("asked.length") == 1  # nothing is asked for no words


def test_what_is_typed_while_it_is_still_loaded_is_asked_for_and_acts_on_nothing(opened: Opener) -> None:
    page, stub = opened(script=LATE)
    held: list[Any] = []
    page.route("**/find.js", lambda route: held.append(route))
    page.keyboard.press("/")
    page.keyboard.type("night")  # N would skip what is on air
    until(page, lambda: held)
    assert page.input_value("#find-words") == "night" and stub.said == []
    held[0].fallback()
    page.wait_for_function("() => asked.length === 1")
    assert page.evaluate("asked[0].words") == "night"
    page.keyboard.type(" bus")
    page.wait_for_function("() => asked.length === 2")
    assert page.evaluate("asked[1].words") == "night bus"


def test_the_newest_question_counts_however_late_the_others_are_answered(opened: Opener) -> None:
    page, _ = opened(script=LATE)
    find(page)
    for count, words in enumerate(("one", "two"), 1):
        page.fill("#find-words", words)
        page.wait_for_function("count => asked.length === count", arg=count)
    assert page.evaluate("asked.map(({ signal }) => signal.aborted)") == [True, False]
    page.evaluate("asked[1].answer(told('Two'))")
    page.wait_for_selector(".hit")
    page.evaluate(
        "async () => { asked[0].answer(told('One', 'Other')); await new Promise((done) => setTimeout(done, 50)); }"
    )
    assert page.evaluate(TITLES) == ["Two"]


@pytest.mark.parametrize(
    ("status", "told", "words"),
    [
        (503, {"detail": "the server is full"}, "The tracks cannot be searched: the server is full."),
        (401, {}, "A token is needed: open the page with #token=TOKEN."),
        (200, {"found": 0, "tracks": []}, "No track has all of these words."),
    ],
)
def test_why_there_is_nothing_is_said(opened: Opener, status: int, told: dict[str, Any], words: str) -> None:
    page, _ = opened(script=LATE)
    find(page)
    page.fill("#find-words", "x")
    page.wait_for_function("() => asked.length === 1")
    page.evaluate("([told, status]) => asked[0].answer(told, status)", [told, status])
    page.wait_for_function("words => document.querySelector('#find .hint').textContent === words", arg=words)
    assert page.get_attribute("#find-words", "aria-expanded") == "false"


def test_a_row_says_what_a_track_is_and_why_it_does_not_pass(opened: Opener) -> None:
    told = suggestions()
    told["asked"]["filters"] |= {"live_ok": True}
    told["asked"]["skipped"] = [{"track": "track3", "title": "", "left_s": None}]
    page, stub = opened(told, ELSEWHERE)
    find(page, "i")
    facts = [" ".join(text.split()) for text in page.locator(".hit .facts").all_inner_texts()]
    assert facts[0] == "118 bpm · 3:01 · 4A · CC-BY-4.0 live ok VOD ok"
    assert facts[1] == "116 bpm · 2:52 · 5A · CC0-1.0 not VOD not through the filter “Marked live ok”"
    assert facts[2].endswith("NC left out") and page.locator(".hit .pin").nth(2).is_disabled()
    assert page.locator(".hit .artist").first.inner_text() == "A. Name"
    label = page.locator(".hit .play").nth(1).get_attribute("aria-label")
    assert label == "Play Glass Orbit · The Orbits from 0:35; not VOD · not through the filter “Marked live ok”"
    stub.tell(ELSEWHERE | {"may": False})
    page.wait_for_selector(".hit .play:disabled")
    assert page.locator(".hit .like").first.is_disabled() and page.locator(".hit .listen").first.is_enabled()


def test_a_track_is_played_from_the_place_that_the_list_gives_else_from_its_beginning(opened: Opener) -> None:
    page, stub = opened(suggestions([item(1)], **on_air()), ELSEWHERE)
    for words, track, start_s in (("glass", "track1", 35.5), ("bright", "track5", 0)):
        before = len(stub.commands("do"))
        find(page)
        page.fill("#find-words", words)
        page.wait_for_function("() => document.querySelectorAll('.hit').length === 1")
        page.wait_for_selector(f".hit .title:text-matches('{words}', 'i')")
        page.click(".hit .play")
        until(page, lambda before=before: len(stub.commands("do")) > before)
        assert stub.commands("do")[-1] == {"v": 1, "type": "do", "do": "play", "track": track, "start_s": start_s}
        page.wait_for_selector("#find", state="hidden")


def test_a_track_that_is_gone_is_said_to_be(opened: Opener) -> None:
    page, stub = opened(suggestions([item(1)], **on_air()), ELSEWHERE)
    page.route("**/api/tracks/track5", lambda route: route.fulfill(status=404, json={"detail": "no such track"}))
    find(page, "bright")
    page.click(".hit .play")
    page.wait_for_selector("#find .hint:text-is('Not there any more: Bright Skyline')")
    assert page.is_visible("#find") and stub.commands("do") == []


def test_what_is_asked_of_a_track_is_pressed_and_can_be_taken_back(opened: Opener) -> None:
    page, stub = opened(suggestions([item(1)], **on_air()), ELSEWHERE)
    find(page, "bright")
    for kind, back in (("pin", {"type": "pin", "track": None}), ("like", {"type": "unlike", "track": "track5"})):
        page.click(f".hit .{kind}")
        until(page, lambda kind=kind: stub.commands(kind))
        assert stub.commands(kind)[-1] == {"v": 1, "type": kind, "track": "track5"}
        stub.tell({"type": "accepted", "command": kind, "track": "track5", "effect": None})
        page.wait_for_selector(f".hit .{kind}[aria-pressed=true]")
        before = len(stub.said)
        page.click(f".hit .{kind}")
        until(page, lambda before=before: len(stub.said) > before)
        assert stub.said[-1] == {"v": 1} | back
    assert page.evaluate("document.activeElement.id") == "find-words"


def test_the_keyboard_does_it_all(opened: Opener) -> None:
    page, stub = opened()
    page.focus("#skip")
    page.keyboard.press("/")
    page.wait_for_selector("#find-words:focus")
    page.type("#find-words", "i")
    page.wait_for_selector(".hit:nth-child(4)")
    field = page.locator("#find-words")
    told = {name: field.get_attribute(name) for name in ("role", "aria-expanded", "aria-controls", "aria-autocomplete")}
    assert told == {"role": "combobox", "aria-expanded": "true", "aria-controls": "found", "aria-autocomplete": "list"}
    assert page.evaluate(f"({CHOSEN})()") is None
    chosen = f"() => {{ const made = ({CHOSEN})(); return made && `${{made.closest('.hit').id}}${{made.id}}`; }}"
    steps = [("ArrowDown", "hit-0-play"), ("ArrowDown", "hit-1-play"), ("ArrowRight", "hit-1-listen")]
    steps += [("ArrowRight", "hit-1-like"), ("ArrowUp", "hit-0-like"), ("ArrowDown", "hit-1-like")]
    for key, name in steps:
        page.keyboard.press(key)
        assert page.evaluate(chosen) == name
    assert page.evaluate("document.activeElement.id") == "find-words"
    page.keyboard.press("Enter")
    until(page, lambda: stub.commands("like"))
    assert stub.commands("like")[-1]["track"] == "track1"
    for key in ("ArrowLeft", "ArrowLeft", "ArrowLeft"):  # no further than the first
        page.keyboard.press(key)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.evaluate(chosen) is None  # in the text again
    page.keyboard.press("Enter")
    assert page.evaluate(chosen) == "hit-0-play" and stub.commands("do") == []  # chosen first, then played
    page.keyboard.press("Enter")
    until(page, lambda: stub.commands("do"))
    assert stub.commands("do")[-1]["track"] == "track0"
    page.wait_for_selector("#find", state="hidden")
    assert page.evaluate("document.activeElement.id") == "skip"
    page.keyboard.press("n")  # single keys work again
    until(page, lambda: stub.commands("skip"))
    page.keyboard.press("/")
    page.wait_for_selector("#find-words:focus")
    page.keyboard.press("Escape")
    page.wait_for_selector("#find", state="hidden")


def test_what_is_chosen_stays_chosen_where_it_is_still_found(opened: Opener) -> None:
    page, _ = opened(script=LATE)
    find(page)
    page.fill("#find-words", "a")
    page.wait_for_function("() => asked.length === 1")
    page.evaluate("asked[0].answer(told('One', 'Two'))")
    page.wait_for_selector(".hit")
    page.type("#find-words", "b")
    page.wait_for_function("() => asked.length === 2")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.evaluate("asked[1].answer(told('Two', 'Three'))")
    page.wait_for_selector(".title:text('Three')")
    assert page.evaluate(f"({CHOSEN})().closest('.hit').querySelector('.title').textContent") == "Two"


def test_a_slash_that_is_shift_and_a_digit_finds_and_plays_nothing(opened: Opener) -> None:
    page, stub = opened()
    page.evaluate("dispatchEvent(new KeyboardEvent('keydown', { key: '/', code: 'Digit7', shiftKey: true }))")
    page.wait_for_selector("#find-words:focus")
    assert stub.said == [] and page.locator(".listen[aria-pressed=true]").count() == 0


@pytest.mark.parametrize("size", [(300, 300), (400, 720), (640, 400)])
def test_in_a_dock_it_fits_moves_nothing_and_gives_the_focus_back(opened: Opener, size: tuple[int, int]) -> None:
    page, stub = opened(path="/dock", size=size, script=SHIFTS)
    page.wait_for_selector('#player[data-state="playing"]')
    page.wait_for_timeout(300)
    before = page.evaluate("shifted.length")
    find(page, "i")
    box = page.locator("#find").bounding_box()
    assert (
        box["x"] >= 0 and box["y"] >= 0 and box["x"] + box["width"] <= size[0] and box["y"] + box["height"] <= size[1]
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    height = box["height"]
    page.fill("#find-words", "zzz")
    page.wait_for_selector(".hit", state="detached")
    assert page.locator("#find").bounding_box()["height"] == height
    page.fill("#find-words", "glass")
    page.wait_for_selector(".hit")
    assert page.locator(".hit .title").first.bounding_box()["width"] > 60
    page.click(".hit .like")
    until(page, lambda: stub.commands("like"))
    page.keyboard.press("Escape")
    page.wait_for_selector("#find", state="hidden")
    page.wait_for_function("() => document.activeElement === document.body")
    assert page.evaluate("shifted")[before:] == []


def test_filters_for_key_and_energy_are_asked_for_shown_and_undone_as_the_others(opened: Opener) -> None:
    from stream.core.commands import read_command

    page, stub = opened()
    page.click("#tab-filters")
    page.fill("#filter-keys", "8A, F#m")
    page.press("#filter-keys", "Tab")
    page.locator("#filter-near_keys").click()
    page.fill("#filter-min_energy", "30")
    page.fill("#filter-max_energy", "80")
    page.press("#filter-max_energy", "Enter")
    asked = {"keys": ["8A", "F#m"], "near_keys": True, "min_energy": 0.3, "max_energy": 0.8}
    until(page, lambda: stub.commands("filters") and "max_energy" in stub.commands("filters")[-1])
    said = stub.commands("filters")[-1]
    assert {name: value for name, value in said.items() if name not in ("v", "type")} == asked
    read_command(said)
    told = suggestions(**on_air())
    told["asked"]["filters"] |= asked | {"keys": ["Am", "F#m"]}
    told["asked"]["undo"] = 1
    page.locator("#tab-filters").focus()
    stub.tell(told)
    page.wait_for_selector("#wishes li")
    assert "energy 30 to 80 %; Am or F#m; keys that mix, too" in page.inner_text("#wishes ul")
    assert page.input_value("#filter-keys") == "Am, F#m" and page.input_value("#filter-min_energy") == "30"
    page.click("#undo")
    until(page, lambda: stub.commands("undo"))
    page.click("#wishes li .quiet")
    until(page, lambda: stub.commands("reset"))
    assert stub.commands("reset")[-1]["what"] == "filters"


def test_a_filter_that_waits_for_its_answer_is_kept_by_the_next_one(opened: Opener) -> None:
    page, stub = opened()
    page.click("#tab-filters")
    for at, (name, value) in enumerate((("keys", "8A"), ("moods", "calm"), ("tags", "piano")), 40):
        page.fill(f"#filter-{name}", value)
        page.press(f"#filter-{name}", "Tab")
        stub.tell(suggestions(late_ms=at, **on_air()))  # was on its way, and knows of none
        page.wait_for_selector(f"#facts:has-text('{at} ms behind')", state="attached")
    until(page, lambda: len(stub.commands("filters")) == 3)
    asked = {"keys": ["8A"], "moods": ["calm"], "tags": ["piano"]}
    assert {name: value for name, value in stub.commands("filters")[-1].items() if name not in ("v", "type")} == asked
    page.evaluate("document.activeElement.blur()")
    stub.tell({"type": "refused", "command": "filters", "reason": "keys: 'H1' is no key"})
    page.wait_for_selector("#toast:has-text(\"The server refused that: keys: 'H1' is no key.\")")
    assert [page.input_value(f"#filter-{name}") for name in asked] == ["", "", ""]


def test_that_only_what_is_on_air_is_left_is_said_and_can_be_taken_back(opened: Opener) -> None:
    told = suggestions([item(0)], **on_air())
    told["asked"]["filters"] |= {"min_energy": 0.9}
    page, stub = opened(told, ELSEWHERE)
    page.wait_for_selector("#list-note:text-is('Nothing else passes the filters')")
    assert page.is_hidden(".row .used")
    page.click("#clear-filters")
    until(page, lambda: stub.commands("reset"))
    assert stub.commands("reset")[-1]["what"] == ["filters"]


def test_the_key_of_what_is_on_air_is_a_click_away(opened: Opener) -> None:
    page, stub = opened()
    key = {"camelot": "8A"}
    page.route("**/api/tracks/track0", lambda route: route.fulfill(json=item(0) | key | {"v": 1}))
    page.reload()
    page.click("#tab-filters")
    page.fill("#filter-min_bpm", "90")
    page.click("#tool-filters .quiet:text('Fits what is on air')")
    until(page, lambda: stub.commands("filters") and "keys" in stub.commands("filters")[-1])
    assert stub.commands("filters")[-1] == {"v": 1, "type": "filters", "min_bpm": 90, "keys": ["8A"], "near_keys": True}
    key["camelot"] = None
    page.reload()
    page.click("#tab-filters")
    page.click("#tool-filters .quiet:text('Fits what is on air')")
    page.wait_for_selector("#toast:has-text('The key of what is on air is not known.')")


def test_on_a_real_server_a_track_is_found_and_played(page: Any) -> None:
    page.click("#use-camera")
    page.wait_for_selector(".row", timeout=40_000)
    page.keyboard.press("/")
    page.wait_for_selector("#find-words:focus")
    page.type("#find-words", "tune 1")
    page.wait_for_selector(".hit")
    assert re.fullmatch(r"\d+ bpm · 0:\d\d.*", page.locator(".hit .facts").first.inner_text().split("\n")[0])
    title = page.locator(".hit .title").first.inner_text()
    page.keyboard.press("ArrowDown")
    with page.expect_request("**/audio?start=*") as asked:
        page.keyboard.press("Enter")
    page.wait_for_selector('#player[data-state="playing"]', timeout=20_000)
    assert page.inner_text("#now-title") == title and "/tracks/" in asked.value.url
    page.wait_for_selector("#find", state="hidden")
