"""Several pages of one session: the same for all, one of them plays, and it can be another one."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rows import hold, let_go, play_row, press, row_of, text_of, turn_auto
from until import until
from websockets.sync.client import connect

FIRST_MS = 30_000  # generous: the machine may be busy
SOON_MS = 15_000
SOUND = """() => [...window.sounding ?? []].some((audio) => !audio.paused && !audio.ended)"""
WATCHED = """
window.sounding = [];
const made = window.Audio;
window.Audio = function () { const audio = new made(); window.sounding.push(audio); return audio; };
"""


@pytest.fixture(scope="module")
def server(long_catalog: Path, tiny_bundle: Path, serving_module: Any) -> Iterator[Any]:
    with serving_module.serving(long_catalog, tiny_bundle) as running:
        yield running


@pytest.fixture
def pages(browser: Any, server: Any) -> Iterator[tuple[Any, Any]]:
    """A page that sends its camera, and another one that watches; scripts that fail fail the test."""
    wrong: list[str] = []
    opened = [browser.new_page(), browser.new_page()]
    for each in opened:
        each.on("pageerror", lambda error: wrong.append(str(error)))
        each.add_init_script(WATCHED)
        each.goto(server.url)
    one, two = opened
    one.click("#use-camera")
    one.wait_for_selector(".row", timeout=FIRST_MS)
    two.click("#live-list button", timeout=FIRST_MS)
    two.wait_for_selector(".row", timeout=FIRST_MS)
    yield one, two
    for each in opened:
        each.close()
    assert wrong == []


def play(page: Any, place: int = 0) -> str:
    """Press play in a row. Returns the title."""
    hold(page)
    row = row_of(page, place)
    play_row(row)
    return text_of(row, ".title")


def state(page: Any, kind: str) -> None:
    page.wait_for_selector(f'#player[data-state="{kind}"]', timeout=SOON_MS)


def shows(page: Any, selector: str, text: str) -> None:
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector).textContent.includes(text)",
        arg=[selector, text],
        timeout=SOON_MS,
    )


def at_s(page: Any) -> float:
    return float(page.evaluate("Number(document.querySelector('#seek').value)"))


def test_one_page_plays_and_the_other_is_its_remote(pages: tuple[Any, Any]) -> None:
    one, two = pages
    title = play(one)
    for page in pages:
        state(page, "playing")
        assert page.inner_text("#now-title") == title
        assert page.locator(".row.on-air .title").all_inner_texts() == [title]
    assert one.is_hidden("#where") and two.is_visible("#take")
    assert one.evaluate(SOUND) and not two.evaluate(SOUND)
    began_s = at_s(two)
    until(two, lambda: at_s(two) > began_s + 1)  # the position runs on between reports, alike on both
    until(two, lambda: at_s(one) - 1.5 <= at_s(two) <= at_s(one) + 1.5)
    two.click("#toggle")
    state(one, "paused")
    state(two, "paused")
    two.click("#toggle")
    state(one, "playing")
    other = play(two, 2)  # heard where it plays, not here
    shows(one, "#now-title", other)
    shows(two, "#now-title", other)
    assert one.evaluate(SOUND) and not two.evaluate(SOUND)
    two.evaluate(
        "(() => { const s = document.querySelector('#seek'); s.value = 3; s.dispatchEvent(new Event('change')); })()"
    )
    one.wait_for_function("() => Math.abs(document.querySelector('#seek').value - 4) < 2.5", timeout=SOON_MS)


def test_a_remote_sets_the_volume_of_the_page_that_plays(pages: tuple[Any, Any]) -> None:
    one, two = pages
    play(one)
    state(two, "playing")
    two.wait_for_selector("#volume:enabled", timeout=SOON_MS)
    assert two.input_value("#volume") == "0.8"
    two.click("#mute")
    one.wait_for_selector("#mute[aria-pressed=true]", timeout=SOON_MS)
    assert one.input_value("#volume") == "0"
    one.fill("#volume", "0.5")
    two.wait_for_function("() => document.querySelector('#volume').value === '0.5'", timeout=SOON_MS)
    assert two.get_attribute("#mute", "aria-pressed") == "false"


def test_the_sound_moves_over_to_the_page_that_asks(pages: tuple[Any, Any]) -> None:
    one, two = pages
    title = play(one)
    state(one, "playing")
    state(two, "playing")
    before_s, clock_s = at_s(one), time.monotonic()
    until(one, lambda: at_s(one) > before_s + 1)
    two.click("#take")
    two.wait_for_function(SOUND, timeout=SOON_MS)
    two.wait_for_selector("#where", state="hidden", timeout=SOON_MS)
    one.wait_for_function(f"() => !({SOUND})()", timeout=SOON_MS)
    one.wait_for_selector("#take:visible", timeout=SOON_MS)
    assert one.inner_text("#now-title") == two.inner_text("#now-title") == title
    assert before_s < at_s(two) < before_s + 2 + time.monotonic() - clock_s
    two.close()  # nobody plays, and the place is kept
    shows(one, "#where-text", "Nobody plays")
    state(one, "paused")
    assert not one.evaluate(SOUND)
    kept_s, clock_s = at_s(one), time.monotonic()
    one.click("#take")
    state(one, "playing")
    assert one.evaluate(SOUND) and kept_s - 1 < at_s(one) < kept_s + 2 + time.monotonic() - clock_s


def test_wishes_are_seen_by_all_and_each_can_be_taken_back(pages: tuple[Any, Any]) -> None:
    one, two = pages
    assert one.is_hidden("#wishes")
    hold(one)
    row = row_of(one, 0)
    title = text_of(row, ".title")
    press(row, ".drop-it")
    let_go(one)
    for page in pages:
        shows(page, "#wishes ul", f"Left out: {title}, this stream")
        page.wait_for_function(
            "t => ![...document.querySelectorAll('.row .title')].some((e) => e.textContent === t)", arg=title
        )
    shows(one, "#told p", "left out for the rest of this stream")
    one.locator("#told-short").evaluate("button => button.click()")  # it goes again after a while
    shows(two, "#wishes ul", f"Left out: {title}, 10 minutes")
    hold(two)
    row = row_of(two, 1)
    liked = text_of(row, ".title")
    press(row, ".like")
    shows(one, "#wishes ul", f"Liked: {liked}")
    shows(one, "#told p", liked)
    one.wait_for_selector(f'.row:has-text("{liked}") .like[aria-pressed="true"]', timeout=SOON_MS)
    press(row, ".pin")
    let_go(two)
    shows(one, "#wishes ul", "Pinned: ")
    one.click('#wishes button[aria-label^="Let go"]')
    one.click('#wishes button[aria-label^="Take back: Liked"]')
    for page in pages:
        page.wait_for_function("() => document.querySelectorAll('#wishes li').length === 1", timeout=SOON_MS)
    two.click('#wishes button[aria-label^="Take back: Left out"]')
    for page in pages:
        page.wait_for_function("() => document.querySelectorAll('#wishes li').length === 0", timeout=SOON_MS)
    two.wait_for_function("t => [...document.querySelectorAll('.row .title')].length >= 5", arg=title, timeout=SOON_MS)


def test_the_newest_wish_is_undone_by_keyboard_but_not_where_text_is_written(pages: tuple[Any, Any]) -> None:
    one, two = pages
    hold(one)
    for row in [row_of(one, place) for place in (0, 1)]:
        press(row, ".like")
    let_go(one)
    two.wait_for_function("() => document.querySelectorAll('#wishes li').length === 2", timeout=SOON_MS)
    two.evaluate("document.body.append(Object.assign(document.createElement('input'), { id: 'text' }))")
    two.focus("#text")
    two.keyboard.press("Control+z")
    two.wait_for_timeout(700)
    assert two.locator("#wishes li").count() == 2
    two.focus("#volume")
    two.keyboard.press("Control+z")
    one.wait_for_function("() => document.querySelectorAll('#wishes li').length === 1", timeout=SOON_MS)
    one.click("#undo")
    for page in pages:
        page.wait_for_function("() => document.querySelectorAll('#wishes li').length === 0", timeout=SOON_MS)
        assert page.locator('.like[aria-pressed="true"]').count() == 0


def test_what_is_on_air_is_skipped_from_anywhere(pages: tuple[Any, Any]) -> None:
    one, two = pages
    title = play(one)
    state(two, "playing")
    two.click("#skip")
    one.wait_for_function("t => document.querySelector('#now-title').textContent !== t", arg=title, timeout=SOON_MS)
    state(one, "playing")
    shows(two, "#now-title", one.inner_text("#now-title"))
    assert one.evaluate(SOUND) and not two.evaluate(SOUND)


def test_auto_is_one_switch_and_only_the_player_acts_on_it(pages: tuple[Any, Any]) -> None:
    one, two = pages
    turn_auto(one, True)
    two.wait_for_function("() => document.querySelector('#auto').checked", timeout=SOON_MS)
    state(one, "playing")
    state(two, "playing")
    two.wait_for_timeout(1500)
    assert one.evaluate(SOUND) and not two.evaluate(SOUND)
    turn_auto(two, False)
    one.wait_for_function("() => !document.querySelector('#auto').checked", timeout=SOON_MS)


def test_steering_weights_and_filters_are_shown_and_set_back(pages: tuple[Any, Any], server: Any) -> None:
    one, _ = pages
    (session,) = server.hub.sessions
    with connect(f"ws://{server.netloc}/sessions/{session.id}/events") as program:
        for command in (
            {"type": "steer", "energy": -0.5, "tempo": 0.25},
            {"type": "weights", "rhythm": 0.5},
            {"type": "filters", "min_bpm": 60, "max_bpm": 200},
        ):
            program.send(json.dumps(command))
        shows(one, "#wishes ul", "Steered: calmer (50 %), quicker (25 %)")
        shows(one, "#wishes ul", "Counts: picture 40 %, rhythm 40 %, mood 20 %")
        shows(one, "#wishes ul", "Filters: 60 to 200 bpm")
        for left in (2, 1, 0):
            one.locator('#wishes button[aria-label^="Set back"]').first.click()
            one.wait_for_function(
                "n => document.querySelectorAll('#wishes li').length === n", arg=left, timeout=SOON_MS
            )


def test_who_may_only_view_can_do_none_of_it(browser: Any, guarded: Any) -> None:
    sender, viewer = browser.new_page(), browser.new_page()
    sender.goto(f"{guarded.url}#publish=pub&token=do")
    viewer.goto(f"{guarded.url}#token=see")
    sender.click("#use-camera")
    sender.wait_for_selector(".row", timeout=FIRST_MS)
    viewer.click("#live-list button", timeout=FIRST_MS)
    viewer.wait_for_selector(".row", timeout=FIRST_MS)
    shows(viewer, "#where-text", "You may watch here")
    title = play(sender)
    state(viewer, "playing")
    shows(viewer, "#now-title", title)
    hold(sender)
    press(row_of(sender, 1), ".like")
    viewer.wait_for_selector("#wishes li", timeout=SOON_MS)
    may = viewer.evaluate(
        """() => [...document.querySelectorAll(".row button:not(.listen), #go, #place, .tool input, #toggle, #skip")]
            .concat([...document.querySelectorAll("#seek, #auto, #undo, #wishes button")])
            .filter((each) => !each.disabled).map((each) => each.id || each.className)"""
    )
    assert may == [] and viewer.is_hidden("#take") and viewer.is_hidden("#toast")
    viewer.keyboard.press("Control+z")
    viewer.wait_for_timeout(500)
    assert viewer.locator("#wishes li").count() == 1 and viewer.is_hidden("#toast")
    sender.close()
    viewer.close()
