"""What the server says of a list, of what is on air and of its end, is shown and acted on. The lists are the server's,
but for the words that each test puts in."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from rows import play_row, row_of, text_of, turn_auto
from until import until

FIRST_MS = 40_000  # generous: the machine may be busy
SOON_MS = 15_000
LEVELS = """
window.levels = [];
const made = BaseAudioContext.prototype.createGain;
BaseAudioContext.prototype.createGain = function () {
  window.levels.push(made.call(this));
  return window.levels.at(-1);
};
window.sounding = [];
const Real = window.Audio;
window.Audio = function () { const audio = new Real(); window.sounding.push(audio); return audio; };
"""


@pytest.fixture
def told(page: Any, server: Any) -> Callable[[Callable[[dict[str, Any]], None]], Any]:
    """``told(change)``: the page, live, with the first list told again and again, each time changed by ``change``."""

    def begin(change: Callable[[dict[str, Any]], None]) -> Any:
        first: list[dict[str, Any]] = []

        def relay(socket: Any) -> None:
            behind = socket.connect_to_server()

            def forward(text: str) -> None:
                message = json.loads(text)
                if message["type"] == "suggestions":
                    first[:] = first or message["items"]
                    message["items"] = copy.deepcopy(first)
                    change(message)
                socket.send(json.dumps(message))

            behind.on_message(forward)

        page.route_web_socket("**/sessions/*/events?*", relay)
        page.add_init_script(LEVELS)
        page.goto(server.url)
        page.click("#use-camera")
        page.wait_for_selector(".row", timeout=FIRST_MS)
        return page

    return begin


def shows(page: Any, selector: str, text: str) -> None:
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector).textContent.includes(text)",
        arg=[selector, text],
        timeout=SOON_MS,
    )


def play(page: Any, place: int = 0) -> str:
    row = row_of(page, place)
    title = text_of(row, ".title")
    play_row(row)
    page.wait_for_selector('#player[data-state="playing"]', timeout=SOON_MS)
    return title


def on_air(message: dict[str, Any], **told: Any) -> None:
    """Words on what is on air, if something is."""
    now = message.get("on_air")
    if message["switch"] is not None:
        first = {"track": None, "position_s": None, "left_s": None, "leave_s": None, "next_in_s": None}
        message["on_air"] = {**first, "loop": None, "next": None, **(now or {}), **told}


def test_facts_and_why_a_row_is_held_are_shown(told: Callable[..., Any]) -> None:
    def change(message: dict[str, Any]) -> None:
        first, second = message["items"][:2]
        facts = [{"kind": "pulse", "value": 96, "unit": "bpm", "text": "96 bpm on the cuts' pulse"}]
        first |= {"facts": [*facts, {"kind": "level", "value": -21, "unit": "LUFS", "text": "soft music"}]}
        first |= {"held": "place", "lift": 0.05}
        second |= {"facts": []}

    page = told(change)
    row, other = page.locator(".row").first, page.locator(".row").nth(1)
    assert row.locator(".why").inner_text() == "96 bpm on the cuts' pulse · soft music"
    assert "soft music" in row.locator(".play").get_attribute("aria-label")
    assert row.locator(".held").inner_text() == "held"
    assert "holds its place (+5)" in row.locator(".score").get_attribute("title")
    assert "holds its place (+5)" in row.locator(".play").get_attribute("aria-label")
    assert len(other.locator(".why").inner_text()) > 10  # the page's own words, where the server has none
    assert other.locator(".held").inner_text() == ""


def test_why_a_list_changed_or_is_an_older_one_is_told_and_rows_stay_where_they_are(told: Callable[..., Any]) -> None:
    words = {"changed": "", "stale": ""}
    page = told(lambda message: message.update(words))
    top = "() => document.querySelector('.row').getBoundingClientRect().top"
    page.wait_for_timeout(1000)
    before = page.evaluate(top)
    words["changed"] = "scene"
    shows(page, "#list-note", "New scene")
    assert page.evaluate(top) == before
    words["changed"] = ""
    page.wait_for_timeout(1500)
    assert page.inner_text("#list-note") == "New scene"  # long enough to be read
    words["stale"] = "no track passes the filter tags"
    shows(page, "#list-note", "An older list: no track passes the filter tags")
    assert page.evaluate(top) == before and page.get_attribute("#list-note", "data-kind") == "stale"


def test_could_switch_is_said_and_auto_stays(told: Callable[..., Any]) -> None:
    urged: list[str] = []

    def change(message: dict[str, Any]) -> None:
        if urged:
            message["items"].sort(key=lambda item: item["title"] != urged[0])
            message["advice"] = "could switch"

    page = told(change)
    title = play(page)
    turn_auto(page, True)
    urged.append(page.locator(".row .title").nth(1).inner_text())
    shows(page, "#advice-word", "Could switch")
    assert page.inner_text("#advice-text") == urged[0]
    page.wait_for_timeout(2500)
    assert page.inner_text("#now-title") == title


def test_what_is_on_air_is_counted_down(told: Callable[..., Any]) -> None:
    def change(message: dict[str, Any]) -> None:
        on_air(message, left_s=72.4, next_in_s=50.2, next=message["items"][2]["track"])

    page = told(change)
    assert page.inner_text("#cue") == ""
    play(page)
    following = page.locator(".row .title").nth(2).inner_text()
    shows(page, "#advice-text", following)
    shows(page, "#cue", f"Then {following} · good place to leave in 0:50")


NEXT = """title => {
  const now = document.querySelector("#now-title").textContent;
  return now !== title && [now, Number(document.querySelector("#seek").value)];
}"""


def test_auto_leaves_where_the_server_says_and_goes_on_with_what_it_names(told: Callable[..., Any]) -> None:
    """Tracks here are 20 s long: as long as nothing is told, one is left at 17 s."""
    begun: list[str] = []

    def change(message: dict[str, Any]) -> None:
        for item in message["items"]:
            item["start_s"] = 0.0
        message["advice"] = "stay"
        if begun:
            names = {item["title"]: item["track"] for item in message["items"]}
            other = next(track for title, track in names.items() if title != begun[0] and title != begun[1])
            on_air(message, track=names.get(begun[0]), position_s=1.0, left_s=18.0, leave_s=8.0, next=other)

    page = told(change)
    titles = page.locator(".row .title").all_inner_texts()
    begun[:] = [titles[0], titles[1]]
    assert play(page) == titles[0]
    turn_auto(page, True)
    title, place_s = page.wait_for_function(NEXT, arg=titles[0]).json_value()
    assert title not in titles[:2]  # what it names, not what stands first
    assert place_s < 5


def test_the_switch_stands_as_it_was_turned_until_the_server_has_answered(page: Any) -> None:
    """What the server had said before it knew of the click must not turn the switch back."""
    shown = page.evaluate(
        """async () => {
          const { Session } = await import("/session.js");
          let socket;
          window.WebSocket = class {
            static OPEN = 1;
            readyState = 1;
            constructor() { socket = this; }
            send() {}
            close() {}
          };
          const session = new Session({ open() {}, player() {}, accepted() {}, refused() {} });
          session.attend("/sessions/a/events");
          const hears = (message) => socket.onmessage({ data: JSON.stringify({ v: 1, ...message }) });
          socket.onopen();
          const stands = [];
          for (const step of [
            () => session.turn(true),
            () => hears({ type: "player", player: "here", may: true, auto: false }),
            () => hears({ type: "player", player: "here", may: true, auto: true }),
            () => hears({ type: "accepted", command: "auto", track: null }),
            () => hears({ type: "player", player: "here", may: true, auto: false }),
            () => session.turn(true),
            () => hears({ type: "refused", command: "auto", reason: "no" }),
          ]) { step(); stands.push(session.auto); }
          return stands;
        }"""
    )
    assert shown == [True, True, True, True, False, True, False]


def test_the_end_of_the_music_counts_and_not_that_of_the_file(page: Any) -> None:
    where = page.evaluate(
        """async () => {
          const { leaveAt } = await import("/auto.js");
          const now = { track: "a", start_s: 10, length_s: 200, leave_s: null };
          const air = { track: "a", position_s: 50, left_s: 100, leave_s: null };
          return [
            leaveAt(now, null),                                       // as ever
            leaveAt(now, air),                                        // the music is over at 150 s
            leaveAt(now, { ...air, leave_s: 120 }),                   // the last good place
            leaveAt({ ...now, leave_s: 90 }, null),                   // as the list said when it began
            leaveAt(now, { ...air, leave_s: 180 }),                   // never into silence
            leaveAt(now, { ...air, leave_s: 12 }),                    // it has only just begun
            leaveAt(now, { ...air, track: "b" }),                     // of another track
            leaveAt(now, { ...air, position_s: null, left_s: null }), // nobody knows where it is
          ];
        }"""
    )
    assert where == [197, 147, 117.5, 87.5, 147, 147, 197, 197]


@pytest.mark.parametrize(("gain_db", "factor"), [(-6.0, 0.501), (3.0, 1.413), (None, 1.0), (90.0, 15.85)])
def test_tracks_are_brought_to_the_common_loudness(
    told: Callable[..., Any], gain_db: float | None, factor: float
) -> None:
    def change(message: dict[str, Any]) -> None:
        for item in message["items"]:
            item["gain_db"] = gain_db

    page = told(change)
    play(page)
    page.wait_for_function(  # values change with the sound
        "factor => levels.some((gain) => Math.abs(gain.gain.value - factor) < 0.01)", arg=factor, timeout=SOON_MS
    )
    assert page.evaluate("Math.max(...levels.map((gain) => gain.gain.value))") <= max(1.0, factor) + 0.01


def test_sound_that_breaks_off_is_begun_again_and_a_file_that_stays_away_is_not_asked_for_for_ever(
    told: Callable[..., Any],
) -> None:
    page = told(lambda message: None)
    title = play(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/audio" in request.url else None)
    broken = "() => { for (const each of sounding) if (!each.paused) each.src = '/tracks/none/audio'; }"
    page.evaluate(broken)
    page.wait_for_function("() => sounding.some((each) => !each.paused && each.currentTime > 0.5)", timeout=SOON_MS)
    assert page.inner_text("#now-title") == title and page.is_hidden("#toast")
    page.route("**/tracks/**/audio?*", lambda route: route.abort())
    page.evaluate(broken)
    until(page, lambda: len(asked) > 3)
    tries = 0
    while tries < len(asked) < 12:  # once a second, and then no more
        tries = len(asked)
        page.wait_for_timeout(3000)
    assert 3 < tries == len(asked) < 12


LOOP = """async () => {
  const { Auto } = await import("/auto.js");
  const sought = [];
  const player = { now: { track: "a", start_s: 0, loop: [8, 40] }, playing: true, length_s: 100 };
  const speaker = { player, here: true, seek: (place) => sought.push(place) };
  const auto = new Auto(speaker, { items: [], onAir: null, top: () => null }, () => true);
  for (const place of [7, 39.9, 40.2, 60]) { player.position_s = place; auto.watch(); }
  return sought;
}"""


def test_with_nothing_to_go_on_with_auto_goes_back_by_the_loop(page: Any) -> None:
    assert page.evaluate(LOOP) == [pytest.approx(8.2)]
