"""What the page shows and asks for, against a websocket that says what each test tells it to."""

import json
import re
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from stub_page import HOST, Stub, item, on_air, stubbed, suggestions
from until import until

ELSEWHERE = {"type": "player", "player": "elsewhere", "may": True, "auto": False, "track": "track0", "position_s": 48.0}
ELSEWHERE |= {"level_db": -3.9}
ORDER = "() => [...document.querySelectorAll('.row .title')].map((each) => each.textContent).join()"
SEEN = """(selector) => {
  const element = document.querySelector(selector);
  const box = element.getBoundingClientRect();
  const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  const inside = box.top >= 0 && box.left >= 0 && box.bottom <= innerHeight && box.right <= innerWidth;
  return inside && box.width > 0 && (element.contains(top) || top?.contains(element));
}"""
Opener = Callable[..., tuple[Any, Stub]]


@pytest.fixture
def opened(browser: Any) -> Iterator[Opener]:
    """``opened(*messages, path=..., size=...)``: the page at the path, and its stub; the messages are told first."""
    with stubbed(browser) as (page, stub):

        def begin(
            *messages: dict[str, Any],
            path: str = "/?session=one",
            size: tuple[int, int] = (1280, 800),
            script: str = "",
        ) -> tuple[Any, Stub]:
            page.set_viewport_size({"width": size[0], "height": size[1]})
            page.emulate_media(reduced_motion="reduce")
            page.add_init_script(script or "localStorage.clear();")
            stub.first = list(messages)
            page.goto(HOST + path)
            if any(message.get("items") for message in messages):
                page.wait_for_selector(".row")
            return page, stub

        yield begin


def reordered() -> dict[str, Any]:
    """The same tracks and a new one, in another order."""
    return suggestions([item(5, rank=1, score=0.9), *[item(at, rank=at + 2) for at in (1, 0, 2, 3)]], advice="switch")


def playing(**told: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return suggestions(**on_air(), **told), ELSEWHERE


@pytest.mark.parametrize("size", [(300, 300), (400, 300), (400, 800), (640, 400)])
@pytest.mark.parametrize("on", [False, True], ids=["silent", "on air"])
def test_the_first_suggestion_is_whole_in_a_dock(opened: Opener, size: tuple[int, int], on: bool) -> None:
    page, _ = opened(*(playing(advice="could switch") if on else [suggestions()]), path="/dock", size=size)
    if on:
        page.wait_for_selector('#player[data-state="playing"]')
    for selector in ("#advice-word", "#advice-text", "#advice-from", "#advice-why", "#go", "#advice-when"):
        assert page.evaluate(SEEN, selector), f"{selector} is out of sight"
    assert page.inner_text("#advice-from") == ("from 0:35" if on else "from 0:12")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.is_hidden("#stage")
    cut = "(at) => { const e = document.querySelector(at); return e.scrollWidth > e.clientWidth + 1; }"
    assert not page.evaluate(cut, "#advice-when") and not page.evaluate(cut, "#advice-from")


def test_a_dock_waits_for_a_stream_and_attaches_to_the_newest(opened: Opener) -> None:
    page, stub = opened(suggestions(), path="/dock", size=(400, 600))
    page.wait_for_selector(".row")
    stub.sessions = []
    stub.sockets[-1].close(code=1000, reason="the publisher stopped")
    page.wait_for_selector("#status-text:has-text('Waiting for a stream')")
    assert page.is_hidden("#toast") and page.locator(".row").count() == 0
    stub.sessions = [
        {"id": name, "label": name, "connected": True, "age_s": age, "events": f"/sessions/{name}/events"}
        for name, age in (("old", 90.0), ("new", 3.0))
    ]
    page.wait_for_selector(".row")
    assert "/sessions/new/events" in stub.sockets[-1].url


def test_rows_hold_still_under_the_pointer_and_what_is_clicked_is_what_was_read(opened: Opener) -> None:
    page, stub = opened(*playing())
    before = page.evaluate(ORDER)
    page.mouse.move(10, 400)
    page.locator(".row .play").nth(1).hover()
    stub.tell(reordered())
    page.wait_for_selector("#list-waiting:visible")
    assert page.evaluate(ORDER) == before
    page.locator(".row .play").nth(1).click()
    until(page, lambda: stub.commands("do"))
    asked = {"v": 1, "type": "do", "do": "play", "track": "track1", "start_s": 35.5}
    assert stub.commands("do")[-1] == asked
    assert page.evaluate(ORDER) == before
    page.mouse.move(10, 400)
    page.wait_for_function(f"before => ({ORDER})() !== before", arg=before)
    assert page.locator(".row .title").first.inner_text() == "Bright Skyline"
    assert page.is_hidden("#list-waiting")


def test_rows_hold_still_while_the_keyboard_is_among_them(opened: Opener) -> None:
    page, stub = opened(*playing())
    before = page.evaluate(ORDER)
    page.locator(".row .play").first.focus()
    page.keyboard.press("ArrowDown")
    stub.tell(reordered())
    page.wait_for_selector("#list-waiting:visible")
    assert page.evaluate(ORDER) == before
    page.keyboard.press("Enter")
    until(page, lambda: stub.commands("do"))
    assert stub.commands("do")[-1]["track"] == "track1"
    page.focus("#volume")
    page.wait_for_function(f"before => ({ORDER})() !== before", arg=before)


def test_a_list_that_nobody_points_at_follows_at_once(opened: Opener) -> None:
    page, stub = opened(suggestions())
    stub.tell(reordered())
    page.wait_for_function("() => document.querySelector('.row .title').textContent === 'Bright Skyline'")
    assert page.is_hidden("#list-waiting")


def test_a_row_that_is_left_out_under_the_pointer_stays_and_can_be_taken_back(opened: Opener) -> None:
    page, stub = opened(*playing())
    page.locator(".row .drop-it").nth(2).click()
    until(page, lambda: stub.commands("skip"))
    effect = {"text": "left out", "up": 0, "down": 0}
    stub.tell({"type": "accepted", "command": "skip", "track": "track2", "effect": effect})
    page.wait_for_selector(".row.gone:nth-child(3)")
    assert page.is_visible("#told-undo")
    page.locator(".row .drop-it").nth(2).click()
    until(page, lambda: stub.commands("unskip"))
    assert stub.commands("unskip")[-1]["track"] == "track2"


def test_the_proposal_holds_still_under_the_pointer(opened: Opener) -> None:
    page, stub = opened(suggestions(), ELSEWHERE | {"track": None})
    page.hover("#go")
    stub.tell(reordered())
    page.wait_for_selector("#advice-waiting:visible")
    assert page.inner_text("#advice-text") == "Night Bus"
    page.click("#go")
    until(page, lambda: stub.commands("do"))
    assert stub.commands("do")[-1]["track"] == "track0"
    page.mouse.move(10, 500)
    page.wait_for_function("() => document.querySelector('#advice-text').textContent === 'Bright Skyline'")


def test_the_next_move_is_named_with_its_moment(opened: Opener) -> None:
    page, stub = opened(*playing(advice="stay"))
    page.wait_for_selector('#player[data-state="playing"]')
    assert page.inner_text("#advice-word") == "Stay"
    assert page.inner_text("#advice-lead") == "Night Bus still fits. Next:"
    assert page.inner_text("#advice-text") == "Glass Orbit"
    assert re.fullmatch(r"in 0:\d\d", page.inner_text("#advice-when"))
    stub.tell({**ELSEWHERE, "paused": True})
    page.wait_for_selector("#advice-word:has-text('Paused')")
    assert page.inner_text("#advice-when") == ""  # nothing comes nearer
    stub.tell(ELSEWHERE)
    page.wait_for_selector("#advice-word:has-text('Stay')")
    stub.tell(suggestions(advice="switch", items=[item(1, rank=1), item(0, rank=2)], **on_air(next_in_s=None)))
    page.wait_for_selector("#advice-word:has-text('Switch to')")
    assert page.inner_text("#advice-when").startswith("next bar · 0:0")


def test_the_moment_is_counted_in_bars(opened: Opener) -> None:
    page, _ = opened()
    told = page.evaluate(
        """async () => {
          const { Moment } = await import("/moment.js");
          const moment = new Moment();
          const said = [moment.words("switch", 0)];
          const hears = (at_s, next_in_s, late_ms) => {
            moment.hear({ switch: { at_s, in_s: 1 }, on_air: { track: "a", next_in_s }, late_ms }, 1000);
          };
          hears([33, 35, 37, 39], 6, 0);
          const asked = [["stay", 1000], ["stay", 6500], ["stay", 7100], ["start", 0], ["none", 0]];
          for (const [kind, at] of asked) said.push(moment.words(kind, at));
          said.push(moment.bar(1500), moment.bar(2100), moment.bar(9000), moment.bar(90_000));
          hears([33, 35], null, 500);
          said.push(moment.words("switch", 1000), moment.words("stay", 1000));
          moment.hear({ switch: null, on_air: null, late_ms: null }, 1000);
          return [...said, moment.words("switch", 1000), moment.bar(0)];
        }"""
    )
    assert told[:6] == ["now", "in 3 bars · 0:06", "in 1 bar · 0:01", "now is a good place", "now", ""]
    assert told[6:10] == [
        {"at_ms": 2000, "place_s": 33},
        {"at_ms": 4000, "place_s": 35},
        {"at_ms": 10_000, "place_s": 41},
        None,
    ]
    assert told[10:] == ["next bar · 0:01", "", "now", None]


FADES = """async () => {
  const { plan, rateFor, nudge } = await import("/fade.js");
  const { Moment } = await import("/moment.js");
  const moment = new Moment();
  moment.hear({ switch: { at_s: [33, 35, 37, 39], in_s: 1 }, on_air: { track: "a" }, late_ms: 0 }, 0);
  const out = { track: "a", tempo_bpm: 120 };
  const item = (start_s, tempo_bpm) => ({ track: "b", start_s, tempo_bpm });
  const made = (fade, one, ...rest) => plan({ fade, fade_s: 2 }, one, ...rest, moment, 0);
  return {
    ways: [
      made("off", out, item(30, 120)), made("gentle", out, item(30, 120)), made("beat", out, item(30, 116)),
      made("beat", null, item(30, 116)), made("beat", out, item(30, 100)), made("beat", out, item(0.2, 116)),
      made("beat", { ...out, track: "c" }, item(30, 116)), made("beat", out, item(30, 0)),
    ].map(({ way }) => way),
    beat: made("beat", out, item(30, 116)),
    rates: [[116, 120], [60, 120], [118, 59], [100, 120], [0, 120], [120, 127.2]].map((pair) => rateFor(...pair)),
    nudges: [nudge(0.01), nudge(-1), nudge(0)],
  };
}"""


def test_a_fade_is_on_the_beat_where_both_grids_are_known_and_near_else_a_plain_one(opened: Opener) -> None:
    page, _ = opened()
    made = page.evaluate(FADES)
    assert made["ways"] == ["cut", "fade", "beat", "cut", "fade", "fade", "fade", "fade"]
    beat = made["beat"]
    assert beat["at_ms"] == 5000 and beat["place_s"] == 37  # the first bar that leaves time to fetch, run and fade
    assert beat["rate"] == pytest.approx(120 / 116) and beat["fade_s"] == 2
    assert made["rates"] == [pytest.approx(120 / 116), 1, 1, 0, 0, pytest.approx(1.06)]
    assert made["nudges"] == [pytest.approx(0.96), pytest.approx(1.3), 1]


def test_dials_and_weights_are_the_sessions(opened: Opener) -> None:
    page, stub = opened(suggestions())
    page.focus("#steer-energy")
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    until(page, lambda: [told["energy"] for told in stub.commands("steer")][-1:] == [pytest.approx(-0.2)])
    assert page.get_attribute("#steer-energy", "aria-valuetext") == "calmer 20 %"
    told = suggestions()
    told["asked"]["steer"]["tempo"] = 0.5
    told["asked"]["weights"] = {"content": 0.2, "rhythm": 0.8, "mood": 0.25}
    stub.tell(told)
    page.wait_for_function("() => document.querySelector('#steer-tempo').value === '0.5'")
    assert page.input_value("#weights-rhythm") == "0.8"
    page.click("#tool-steer .quiet")
    until(page, lambda: stub.commands("reset"))
    assert stub.commands("reset")[-1]["what"] == ["steer", "weights"]


def test_filters_are_asked_for_all_at_once_and_what_fits_nothing_can_be_cleared(opened: Opener) -> None:
    page, stub = opened(suggestions())
    page.click("#tab-filters")
    page.fill("#filter-min_bpm", "90")
    page.press("#filter-min_bpm", "Enter")
    page.fill("#filter-moods", "calm, dark,")
    page.press("#filter-moods", "Tab")
    page.locator("#filter-vod_ok").click()
    until(page, lambda: stub.commands("filters") and "vod_ok" in stub.commands("filters")[-1])
    asked = {"min_bpm": 90, "moods": ["calm", "dark"], "vod_ok": True}
    assert {name: value for name, value in stub.commands("filters")[-1].items() if name not in ("v", "type")} == asked
    stale = suggestions(stale="no track passes the filter mood calm or dark; the list is the one before")
    stale["asked"]["filters"] |= asked
    stub.tell(stale)
    page.wait_for_selector("#clear-filters:visible")
    assert "mood calm or dark" in page.inner_text("#list-note")
    assert "marked VOD ok" in page.inner_text("#wishes ul")
    page.click("#clear-filters")
    until(page, lambda: stub.commands("reset"))
    assert stub.commands("reset")[-1]["what"] == ["filters"]


def test_kits_are_saved_applied_by_one_wish_and_deleted(opened: Opener) -> None:
    told = suggestions()
    told["asked"]["steer"]["energy"] = 0.4
    page, stub = opened(told)
    page.click("#tab-kits")
    page.wait_for_selector("#tool-kits .hint:visible")
    page.fill("#kit-name", "boss fight")
    page.press("#kit-name", "Enter")
    page.wait_for_selector(".kits li")
    (kit,) = stub.kits.values()
    assert kit["name"] == "boss fight" and kit["steer"]["energy"] == 0.4 and "weights" in kit and "filters" in kit
    page.click(".kits .name")
    until(page, lambda: stub.commands("wishes"))
    assert stub.commands("wishes")[-1]["steer"]["energy"] == 0.4
    page.click(".kits .small")  # one press alone deletes nothing
    assert page.get_attribute(".kits .small", "aria-label") == "Press again: Delete the kit boss fight"
    assert list(stub.kits) == ["boss%20fight"]
    page.click(".kits .small")
    page.wait_for_selector(".kits li", state="detached")
    assert stub.kits == {}


def test_what_a_wish_did_does_not_go_while_the_focus_is_on_it(opened: Opener) -> None:
    page, stub = opened(suggestions())
    page.clock.install()
    stub.tell({"type": "accepted", "command": "skip", "track": "track4", "effect": {"text": "is left out"}})
    page.wait_for_selector("#told:visible")
    page.focus("#told-undo")
    page.clock.run_for(20_000)
    assert page.is_visible("#told") and page.evaluate("document.activeElement.id") == "told-undo"
    page.focus("#volume")
    page.clock.run_for(2000)
    assert page.is_hidden("#told")


def test_history_and_when_a_track_was_last_on_air_are_shown(opened: Opener) -> None:
    page, stub = opened()
    entry = {"track": "track1", "title": "Glass Orbit", "artist": "", "from_s": 1.0, "session": "x"}
    stub.history = [entry | {"at": "2026-01-02T10:00:00Z", "played_s": 93.0}]
    page.click("#tab-history")
    page.wait_for_selector(".history li")
    assert "Glass Orbit" in page.inner_text(".history") and "for 1:33" in page.inner_text(".history")
    stub.tell(suggestions())
    page.wait_for_selector(".row")
    assert re.fullmatch(r"on air \d+ days ago", page.locator(".row .used").nth(1).inner_text())


CLIPBOARD = """Object.defineProperty(navigator, "clipboard", {
  value: { writeText: async (text) => { window.kept = text; } },
});"""

COPIED = """async () => {  // what the button says then; it goes again after a while
  document.querySelector("#credit").click();
  while (!window.kept) await new Promise((done) => { setTimeout(done); });
  await new Promise((done) => { setTimeout(done); });
  return document.querySelector("#credit").textContent;
}"""


def test_rights_are_badges_and_the_credit_can_be_copied(opened: Opener) -> None:
    page, _ = opened(*playing())
    page.evaluate(CLIPBOARD)
    texts = [row.inner_text().split("\n") for row in page.locator(".row .rights").all()]
    both, none = ["live ok", "VOD ok"], ["not VOD"]
    assert texts == [both, none, ["not live", "licence unknown"], [*both, "NC"], none]
    page.wait_for_selector("#credit:enabled")
    assert page.evaluate(COPIED) == "Copied"
    assert page.evaluate("window.kept") == '"Night Bus" by A. Name (CC BY 4.0)'


def test_first_in_a_part_is_said_in_plain_words(opened: Opener) -> None:
    first = [{"kind": "first_mood", "value": 0.7, "unit": "", "text": "nearest to its mood of these"}]
    page, _ = opened(suggestions([item(0, facts=first)]))
    assert page.inner_text(".row .why") == "closest in the list to the picture's mood"


def test_nothing_is_called_safe() -> None:
    folder = Path(str(resources.files("stream.web")))
    for path in [*folder.glob("*.js"), folder / "index.html"]:
        assert not re.search(r"\b(un)?safe\b", path.read_text(), re.IGNORECASE), path.name


def test_obs_is_shown_warned_of_and_asked_to_play_and_to_duck(opened: Opener) -> None:
    obs = {"type": "obs", "connected": True, "scene": "Game", "studio": True, "streaming": True, "recording": False}
    obs |= {"rule": "", "plays": False, "ducked_db": 0.0, "note": ""}
    page, stub = opened(suggestions(), obs)
    page.wait_for_selector("#obs:visible")
    assert "Game · live · studio mode" in page.inner_text("#obs-text")
    assert page.get_attribute("#obs", "data-state") == "warn"
    assert page.is_hidden("#duck")
    page.click("#play-in-obs")
    until(page, lambda: stub.commands("player"))
    assert stub.commands("player")[-1]["name"] == "OBS" and stub.commands("player")[-1]["take"] is True
    stub.tell(ELSEWHERE | {"name": "OBS"}, obs | {"plays": True, "studio": False, "ducked_db": -9.2})
    page.wait_for_selector("#duck:visible")
    assert page.inner_text("#duck") == "Ducked -9 dB" and "Plays in OBS" in page.inner_text("#where-text")
    assert page.is_hidden("#play-in-obs")
    for on in (True, False, None):
        before = len(stub.commands("do"))
        page.click("#duck")
        until(page, lambda before=before: len(stub.commands("do")) > before)
        assert stub.commands("do")[-1]["do"] == "duck" and stub.commands("do")[-1]["on"] is on


def test_the_volume_is_that_of_who_plays(opened: Opener) -> None:
    page, stub = opened(suggestions(**on_air()), ELSEWHERE | {"name": "OBS", "level_db": -10.0})
    page.wait_for_function("() => document.getElementById('volume').value === '0.56'")
    assert page.is_enabled("#volume") and page.get_attribute("#volume", "aria-valuetext") == "56 %"
    for key, level_db in (("m", -60.0), ("m", -10.1), ("+", -8.6), ("-", -10.1)):
        before = len(stub.commands("do"))
        page.keyboard.press(key)
        until(page, lambda before=before: len(stub.commands("do")) > before)
        assert stub.commands("do")[-1] == {"v": 1, "type": "do", "do": "level", "db": level_db}
    page.wait_for_timeout(1100)  # what is told at once is older than the key
    stub.tell(ELSEWHERE | {"name": "OBS", "level_db": -60.0})
    page.wait_for_selector("#mute[aria-pressed=true]")
    assert page.input_value("#volume") == "0"
    stub.tell(ELSEWHERE | {"name": "OBS", "level_db": None})
    page.wait_for_selector("#volume:disabled")
    assert page.is_disabled("#mute") and "does not tell" in page.get_attribute("#volume", "title")
    count = len(stub.said)
    page.keyboard.press("m")
    stub.tell(ELSEWHERE | {"level_db": -10.0, "may": False})
    page.wait_for_function("() => document.getElementById('volume').value === '0.56'")
    assert page.is_disabled("#volume") and len(stub.said) == count


OBEYS = """async () => {
  const { Speaker } = await import("/speaker.js");
  const said = [];
  const session = { role: { player: "here", level_db: null }, send: (message) => said.push(message) };
  const player = { now: { track: "a" }, playing: false, position_s: 1, level: 0.8, toggle: () => said.push("toggled") };
  Object.defineProperty(player, "volume", { set(part) { player.level = part; } });
  const speaker = new Speaker(player, session, null, { change() {} });
  for (const db of [0, -10, -60]) { await speaker.obey({ do: "level", db }); said.push(player.level); }
  await speaker.obey({ do: "duck", on: true });
  await new Promise((resolve) => { setTimeout(resolve, 300); });
  session.role = { player: "here" };
  speaker.louder(1);
  await new Promise((resolve) => { setTimeout(resolve, 300); });
  return said;
}"""


def test_a_page_that_plays_obeys_and_tells_its_volume(opened: Opener) -> None:
    page, _ = opened(suggestions())
    loud, less, silent, told, unknown = page.evaluate(OBEYS)
    assert (loud, silent) == (1, 0) and less == pytest.approx(0.562, abs=1e-3)
    assert told == {"type": "playing", "track": "a", "position_s": 1, "paused": True, "level_db": -60}
    assert "level_db" not in unknown  # a server that knows of no levels refuses them


def test_a_title_that_could_not_be_asked_for_is_asked_for_again(opened: Opener) -> None:
    page, stub = opened(suggestions([item(1)]))
    failed: list[Any] = []

    def fail(route: Any) -> None:
        failed.append(route)
        route.fulfill(status=503)

    page.route("**/api/tracks/track3", fail, times=1)
    stub.tell(ELSEWHERE | {"track": "track3"})
    page.wait_for_function("() => document.getElementById('now-title').textContent === 'Minds Wide Open'")
    assert len(failed) == 1


def test_a_catalogue_that_changed_is_asked_anew(opened: Opener) -> None:
    page, stub = opened(suggestions([item(1)]))
    stub.tell(ELSEWHERE | {"track": "track3"})
    page.wait_for_function("() => document.getElementById('now-title').textContent === 'Minds Wide Open'")
    page.route("**/api/tracks/track3", lambda route: route.fulfill(json={"v": 1, "track": "track3", "title": "Edited"}))
    stub.tell({"type": "catalog", "tracks": 9, "added": 0, "changed": 1, "removed": 0})
    stub.tell(ELSEWHERE | {"track": "track1"})
    page.wait_for_function("() => document.getElementById('now-title').textContent !== 'Minds Wide Open'")
    stub.tell(ELSEWHERE | {"track": "track3"})
    page.wait_for_function("() => document.getElementById('now-title').textContent === 'Edited'")


@pytest.mark.parametrize("width", [300, 400])
def test_a_long_rule_leaves_the_status_whole(opened: Opener, width: int) -> None:
    obs = {"type": "obs", "connected": True, "scene": "BRB", "studio": False, "streaming": False, "recording": True}
    obs |= {"rule": "music plays, energy -0.5, -3 dB", "plays": True, "ducked_db": 0.0, "note": ""}
    page, _ = opened(suggestions(), obs, path="/dock", size=(width, 400))
    page.wait_for_selector("#obs:visible")
    page.wait_for_selector("#status[data-state='live']")
    cut = "(part) => part.scrollWidth > part.clientWidth"
    assert page.eval_on_selector("#obs-text", cut) and not page.eval_on_selector("#status-text", cut)
    assert page.inner_text("#obs-text").startswith(obs["rule"])  # what is cut is the rest


KEYS = [
    (" ", "do", {"do": "pause"}),
    ("2", "do", {"do": "play", "track": "track1"}),
    ("g", "do", {"do": "play", "track": "track1"}),
    ("n", "skip", {"track": "track0"}),
    ("l", "like", {"track": "track0"}),
    ("p", "pin", {"track": "track1"}),
    ("x", "skip", {"track": "track1"}),
    ("a", "auto", {"on": True}),
    ("]", "do", {"do": "seek"}),
]


def test_keys_do_it_all_but_not_in_a_dock_not_where_text_is_written_and_not_when_turned_off(opened: Opener) -> None:
    page, stub = opened(*playing())
    page.wait_for_selector('#player[data-state="playing"]')
    for key, kind, fields in KEYS:
        before = len(stub.commands(kind))
        page.keyboard.press(key)
        until(page, lambda kind=kind, before=before: len(stub.commands(kind)) > before)
        said = stub.commands(kind)[-1]
        assert {name: said[name] for name in fields} == fields, key
    page.keyboard.press("m")
    assert page.input_value("#volume") == "0" and page.get_attribute("#mute", "aria-pressed") == "true"
    page.keyboard.press("m")
    assert page.input_value("#volume") == "0.8"
    page.keyboard.press("f")
    page.wait_for_function("() => document.activeElement.id === 'filter-min_bpm'")
    count = len(stub.said)
    page.fill("#filter-tags", "")
    page.type("#filter-tags", "nx 2")
    page.focus("#volume")
    until(page, lambda: stub.commands("filters"))
    assert len(stub.said) == count + 1 and stub.commands("filters")[-1]["tags"] == ["nx 2"]
    page.keyboard.press("?")
    page.wait_for_selector("#keys[open]")
    page.keyboard.press("Escape")
    page.click("#open-settings")
    page.locator("#set-keys").click()
    page.keyboard.press("Escape")
    count = len(stub.said)
    page.keyboard.press("n")
    page.wait_for_timeout(200)
    assert len(stub.said) == count


def test_a_dock_has_no_keys_and_gives_the_focus_back(opened: Opener) -> None:
    page, stub = opened(*playing(), path="/dock", size=(400, 800))
    page.wait_for_selector('#player[data-state="playing"]')
    for key in ("n", "g", "2", "a", "m", " "):
        page.keyboard.press(key)
    page.locator(".row .like").nth(1).click()
    until(page, lambda: stub.commands("like"))
    assert {command["type"] for command in stub.said} == {"like"}
    assert page.evaluate("document.activeElement === document.body")
    page.locator("#volume").click()
    assert page.evaluate("document.activeElement === document.body")
    page.locator(".row .pin").nth(1).focus()
    page.keyboard.press("Enter")
    until(page, lambda: stub.commands("pin"))
    assert page.evaluate("document.activeElement.className") == "pin"  # who uses the keyboard keeps its place


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_looks_follow_the_system_until_they_are_chosen_and_are_kept(opened: Opener, scheme: str) -> None:
    once = "if (!sessionStorage.begun) { localStorage.clear(); sessionStorage.begun = 1; }"
    page, _ = opened(suggestions(), script=once)
    page.emulate_media(color_scheme=scheme)
    theme = "() => document.documentElement.dataset.theme"
    page.wait_for_function(f"scheme => ({theme})() === scheme", arg=scheme)
    page.click("#theme")
    other = {"light": "dark", "dark": "light"}[scheme]
    assert page.evaluate(theme) == other
    page.click("#open-settings")
    page.select_option("#set-size", "large")
    page.reload()
    page.wait_for_selector(".row")
    assert page.evaluate(theme) == other and page.evaluate("document.documentElement.dataset.size") == "large"
    assert page.evaluate("getComputedStyle(document.documentElement).fontSize") == "18px"


def test_another_place_to_start_is_chosen_in_the_waveform(opened: Opener) -> None:
    page, stub = opened(suggestions(), ELSEWHERE | {"track": None})
    page.wait_for_function(
        """() => {
          const canvas = document.querySelector("#advice-wave canvas");
          const { data } = canvas.getContext("2d").getImageData(0, 4, canvas.width, 4);
          return data.some((value) => value > 0);
        }"""
    )
    box = page.locator("#place").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#place-back:visible")
    assert page.inner_text("#advice-from") == page.inner_text("#go-text").removeprefix("Play ") == "from 1:30"
    page.click("#go")
    until(page, lambda: stub.commands("do"))
    assert stub.commands("do")[-1]["start_s"] == pytest.approx(90.6, abs=0.6)
    page.focus("#place")
    page.keyboard.press("Home")
    assert page.inner_text("#advice-from") == "from 0:00"
    page.click("#place-back")
    assert page.inner_text("#advice-from") == "from 0:12"


def test_a_screen_reader_is_told_changes_only_and_seldom(opened: Opener) -> None:
    page, stub = opened(suggestions(), script="localStorage.clear(); performance.now = () => 1000;")  # no time passes
    page.wait_for_function("() => document.querySelector('#advice-said').textContent === 'Start with Night Bus'")
    page.evaluate(
        """() => {
          window.said = 0;
          const count = new MutationObserver(() => { window.said += 1; });
          count.observe(document.querySelector("#advice-said"), { childList: true });
        }"""
    )
    for start_s in range(12):
        stub.tell(suggestions([item(0, start_s=float(start_s)), item(1)]))
    page.wait_for_selector("#advice-from:has-text('0:11')")
    assert page.evaluate("window.said") == 0
    for turn in range(6):
        stub.tell(suggestions([item(turn % 3 + 1, rank=1)]))
    page.wait_for_function("() => window.said > 0")
    page.wait_for_timeout(300)
    assert page.evaluate("window.said") == 1  # the newest of several
    assert page.inner_text("#advice-said") == "Start with Minds Wide Open"


HOSTILE = ["<img src=x onerror=alert(1)>", "x" * 500, "مدينة الليل — أغنية طويلة", "\u202eevil\u202c & co", "   "]


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (300, 300)])
def test_hostile_long_and_right_to_left_titles_do_no_harm(opened: Opener, width: int, height: int) -> None:
    items = [item(at, title=title, artist=title, facts=[{"text": title}]) for at, title in enumerate(HOSTILE)]
    page, stub = opened(suggestions(items, **on_air()), ELSEWHERE | {"name": HOSTILE[0]}, size=(width, height))
    stub.tell({"type": "obs", "connected": True, "scene": HOSTILE[1], "note": HOSTILE[0]})
    page.wait_for_selector("#obs:visible")
    assert page.locator("main img, header .obs img").count() == 0
    assert page.locator(".row .title").first.inner_text() == HOSTILE[0]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("getComputedStyle(document.querySelectorAll('.row .title')[2]).direction") == "rtl"
    heights = page.evaluate("[...document.querySelectorAll('.row')].map((row) => row.offsetHeight)")
    assert len(set(heights)) == 1


def test_a_file_that_is_gone_is_said_and_the_page_goes_on(opened: Opener) -> None:
    page, stub = opened(suggestions())
    stub.on_command = lambda said: (
        stub.tell({"type": "player", "player": "here", "may": True, "auto": False, "track": None, "position_s": None})
        if said["type"] == "player"
        else None
    )
    page.click("#go")
    page.wait_for_selector("#toast:visible")
    assert page.inner_text("#toast-text") == "Night Bus cannot be played: the file is gone."
    page.keyboard.press("Escape")
    page.locator(".row .listen").first.click()
    page.wait_for_selector("#toast:visible")
    assert "file may be gone" in page.inner_text("#toast-text")
    assert page.locator(".row .listen[aria-pressed=true]").count() == 0


def test_with_no_track_at_all_the_page_says_so(opened: Opener) -> None:
    page, _ = opened(suggestions([]))
    page.wait_for_selector("#advice-word:has-text('Nothing fits')")
    assert "no track" in page.inner_text("#advice-text") and page.is_disabled("#go")


INSECURE = """Object.defineProperty(navigator, "mediaDevices", { value: undefined });
Object.defineProperty(window, "isSecureContext", { value: false });"""
NO_CAMERA = """navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", %s); };"""


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (NO_CAMERA % "'NotAllowedError'", "allow"),
        (NO_CAMERA % "'NotFoundError'", "camera"),
        (INSECURE, "https"),
    ],
    ids=["denied", "none", "insecure"],
)
def test_without_a_camera_the_page_says_what_to_do(opened: Opener, script: str, words: str) -> None:
    page, _ = opened(path="/", script=script)
    page.click("#use-camera")
    page.wait_for_selector("#toast:visible")
    assert words in page.inner_text("#toast-text").lower()
    assert page.is_visible("#welcome")


def test_a_server_that_is_gone_is_waited_for(opened: Opener) -> None:
    page, stub = opened(suggestions(), path="/?key=studio")
    page.wait_for_selector(".row")
    stub.sockets[-1].close(code=1011, reason="the server failed")
    page.wait_for_selector('#status[data-state="wait"]')
    page.wait_for_selector('#status[data-state="live"]')
    page.wait_for_selector(".row")
    assert page.is_hidden("#toast")


HEARD = """
window.sinks = [];
window.played = [];
HTMLMediaElement.prototype.setSinkId = async function (id) { window.sinks.push(id); };
HTMLMediaElement.prototype.play = async function () { window.played.push([this.src, this.volume]); };
localStorage.clear();
"""


def test_headphones_are_apart_from_what_is_on_air(opened: Opener) -> None:
    chosen = "localStorage.setItem('segue-look', JSON.stringify({ headphones: 'phones' }));"
    page, stub = opened(suggestions(), script=HEARD + chosen)
    page.locator(".row .listen").nth(1).click()
    page.wait_for_selector(".row:nth-child(2) .listen[aria-pressed=true]")
    assert page.evaluate("sinks") == ["phones"]
    ((source, volume),) = page.evaluate("played")
    assert "/tracks/track1/audio?start=35.500" in source and volume == pytest.approx(10 ** (-2.4 / 20), abs=0.01)
    assert stub.said == []  # the session knows nothing of it
    page.locator(".row .listen").nth(1).click()
    page.wait_for_selector(".row .listen[aria-pressed=true]", state="detached")


def test_without_headphones_a_preview_is_soft_and_says_so(opened: Opener) -> None:
    page, _ = opened(suggestions(), script=HEARD)
    page.click("#go-listen")
    page.wait_for_selector("#toast:has-text('softly')")
    ((_, volume),) = page.evaluate("played")
    assert volume < 0.25


def test_the_systems_media_keys_know_what_is_on_air_here(opened: Opener) -> None:
    page, _ = opened(suggestions())
    told = page.evaluate(
        """async () => {
          const { Media } = await import("/media.js");
          const asked = [];
          const handlers = {};
          navigator.mediaSession.setActionHandler = (action, act) => { handlers[action] = act; };
          const now = { track: "a", title: "Night Bus", artist: "A. Name", position_s: 3, length_s: 100 };
          Object.assign(now, { playing: true, here: true });
          const speaker = { now, toggle: () => asked.push("toggle"), silence() {}, seek: (to) => asked.push(to) };
          const media = new Media(speaker, () => asked.push("next"));
          media.show(now);
          handlers.pause(); handlers.play(); handlers.nexttrack(); handlers.seekto({ seekTime: 7 });
          const { title, artist } = navigator.mediaSession.metadata;
          const state = navigator.mediaSession.playbackState;
          const named = document.title;
          media.show(null);
          return [title, artist, state, named, asked, navigator.mediaSession.metadata, document.title];
        }"""
    )
    assert told == ["Night Bus", "A. Name", "playing", "▶ Night Bus · Segue", ["toggle", "next", 7], None, "Segue"]


def test_what_is_asked_is_json_that_the_server_reads(opened: Opener) -> None:
    from stream.core.commands import read_command

    page, stub = opened(*playing())
    page.keyboard.press("p")
    page.click("#tab-filters")
    page.fill("#filter-max_bpm", "130")
    page.press("#filter-max_bpm", "Enter")
    page.click("#tab-steer")
    page.focus("#weights-mood")
    page.keyboard.press("ArrowRight")
    until(page, lambda: stub.commands("weights"))
    for command in stub.said:
        read_command(json.loads(json.dumps(command)))


def test_a_dock_that_has_reached_the_server_again_no_longer_says_that_it_cannot(opened: Opener) -> None:
    page, stub = opened(suggestions(), path="/dock?key=studio", size=(400, 600))
    stub.first = []  # the stream is there, and says nothing yet
    stub.sockets[-1].close(code=1011, reason="the server failed")
    page.wait_for_selector("#status-text:has-text('the server failed')")
    page.wait_for_selector("#status-text:has-text('Waiting for the stream')")
    stub.tell(suggestions())
    page.wait_for_selector('#status[data-state="live"]')


def test_a_dock_asks_what_is_live_once_at_a_time_however_long_the_answer_takes(opened: Opener) -> None:
    page, stub = opened(path="/dock", size=(400, 600), script=LATE)
    page.evaluate("window.answer({ sessions: [] })")
    page.wait_for_selector("#status-text:has-text('Waiting for a stream')")
    page.wait_for_function("() => window.asked === 2")
    page.wait_for_timeout(2500)
    assert page.evaluate("window.asked") == 2
    page.evaluate("events => window.answer({ sessions: [events] })", stub.sessions[0])
    page.wait_for_selector('#status[data-state="live"]')
    assert page.evaluate("window.asked") == 2


LATE = """
localStorage.clear();
window.asked = 0;
const real = window.fetch;
window.fetch = (address, ...rest) => {
  if (!String(address).startsWith("/api/sessions")) return real(address, ...rest);
  window.asked += 1;
  return new Promise((done) => { window.answer = (told) => done(new Response(JSON.stringify(told))); });
};
"""


def test_what_two_tabs_choose_stands_beside_each_other(browser: Any) -> None:
    with stubbed(browser) as (one, _), stubbed(browser) as (two, _):
        one.goto(HOST)
        one.evaluate("localStorage.clear()")
        one.reload()
        two.goto(HOST)
        choose = "async ([name, value]) => (await import('/look.js')).choose(name, value)"
        one.evaluate(choose, ["headphones", "phones"])
        two.wait_for_function("() => JSON.parse(localStorage['segue-look'] || '{}').headphones === 'phones'")
        two.evaluate(choose, ["theme", "light"])
        one.wait_for_function("() => document.documentElement.dataset.theme === 'light'")
        chose = (
            "async () => { const { chose } = await import('/look.js'); return [chose('headphones'), chose('theme')]; }"
        )
        assert one.evaluate(chose) == two.evaluate(chose) == ["phones", "light"]
        one.evaluate("localStorage.clear()")


def test_a_row_that_comes_back_says_that_it_is_heard(opened: Opener) -> None:
    page, stub = opened(suggestions(), script=HEARD)
    page.locator(".row .listen").nth(1).evaluate("button => button.click()")
    page.wait_for_selector(".row .listen[aria-pressed=true]")
    stub.tell(suggestions([item(0)]))
    page.wait_for_function("() => document.querySelectorAll('.row').length === 1")
    stub.tell(suggestions())
    page.wait_for_selector(".row:nth-child(2) .listen[aria-pressed=true]")


def test_cuts_of_a_stream_that_is_not_shown_are_not_kept(opened: Opener) -> None:
    page, _ = opened()
    kept = page.evaluate(
        """async () => {
          const { Strip } = await import("/strip.js");
          const strip = new Strip(document.querySelector("#strip"));
          const count = () => { strip.cut(1); return strip.cuts.length; };
          const kept = [count()];
          strip.start(document.querySelector("#picture"));
          kept.push(count());
          strip.clear();
          return [...kept, count()];
        }"""
    )
    assert kept == [0, 1, 0]
