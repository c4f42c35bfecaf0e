"""The overlay: what is on air, over a picture, and nothing while nothing is heard."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from until import until
from websockets.sync.client import connect

SDP = {"content-type": "application/sdp"}
SILENT = {"v": 1, "playing": False} | dict.fromkeys(
    ("track", "title", "artist", "attribution", "licence", "position_s", "duration_s", "since")
)
ON_AIR = {
    "v": 1, "playing": True, "track": "t1", "title": "Night Bus", "artist": "A. Name", "licence": "CC-BY-4.0",
    "attribution": "“Night Bus” by A. Name, CC BY 4.0, example.org/night-bus", "position_s": 45.0, "duration_s": 180.0,
    "since": "2026-11-30T18:03:11Z",
}  # fmt: skip
SEEN = '#card[data-seen="yes"]'
GONE = '#card[data-seen="no"]'
SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => { for (const e of list.getEntries()) window.shifts.push(e.value); })
  .observe({ type: "layout-shift", buffered: true });
window.seen = [];
addEventListener("DOMContentLoaded", () => {
  const { dataset } = document.getElementById("card");
  const told = () => { if (dataset.seen !== window.seen.at(-1)) window.seen.push(dataset.seen); };
  new MutationObserver(told).observe(document.getElementById("card"), { attributes: true });
});
"""


class Told:
    """What the server answers at ``/now``; None: nothing, it is away."""

    def __init__(self) -> None:
        self.now: dict[str, Any] | None = SILENT
        self.asked: list[str] = []

    def __call__(self, route: Any) -> None:
        self.asked.append(route.request.url)
        if self.now is None:
            route.abort()
        else:
            route.fulfill(json=self.now)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def overlay(browser: Any, server: Any, told: Told) -> Iterator[Callable[..., Any]]:
    """``overlay(query="", now=None, **emulated)``: the page with a server that tells ``now``."""
    opened: list[Any] = []
    wrong: list[str] = []

    def make(query: str = "", now: dict[str, Any] | None = None, **emulated: Any) -> Any:
        page = browser.new_page()
        opened.append(page)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda m: wrong.append(m.text) if "Content Security" in m.text else None)
        page.set_viewport_size({"width": 1280, "height": 720})
        page.emulate_media(**emulated)
        page.add_init_script(SHIFTS)
        page.route("**/now?*", told)
        told.now = now or SILENT
        page.goto(f"{server.url}overlay{query}")
        return page

    yield make
    for page in opened:
        page.close()
    assert wrong == []


def pixels(page: Any) -> np.ndarray:
    """(height, width, 4) uint8 of the page, transparent where it has no background."""
    png = np.frombuffer(page.screenshot(omit_background=True), np.uint8)
    decoded = cv2.imdecode(png, cv2.IMREAD_UNCHANGED)
    assert decoded is not None and decoded.shape[2] == 4
    return np.asarray(decoded)


def gone(page: Any) -> None:
    """Wait until the card is told to go, and has gone."""
    page.wait_for_selector(GONE, state="attached")
    page.wait_for_selector("#card", state="hidden")


def test_it_shows_what_is_on_air_and_nothing_else(overlay: Callable[..., Any], told: Told) -> None:
    page = overlay("?key=my%20show")
    until(page, lambda: len(told.asked) > 1)
    assert "key=my+show" in told.asked[0]
    assert not pixels(page).any()  # transparent everywhere
    told.now = ON_AIR
    page.wait_for_selector(SEEN)
    until(page, lambda: page.evaluate("getComputedStyle(document.getElementById('card')).opacity") == "1")
    assert [page.text_content(f"#{each}") for each in ("title", "artist", "attribution")] == [
        "Night Bus", "A. Name", ON_AIR["attribution"],
    ]  # fmt: skip
    assert page.is_hidden("#licence") and page.is_hidden("#progress")
    drawn = pixels(page)[..., 3] > 0
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    assert rows[0] > 400 and rows[-1] < 719 and columns[0] > 10 and columns[-1] < 900  # a card at the lower left
    told.now = SILENT
    until(page, lambda: not pixels(page).any())


def test_the_card_of_the_next_track_comes_without_a_shift(overlay: Callable[..., Any], told: Told) -> None:
    page = overlay("?show=title,artist,attribution,licence,progress", ON_AIR)
    page.wait_for_selector(SEEN)
    told.now = {**ON_AIR, "track": "t2", "title": "Low Tide", "artist": "", "attribution": "", "licence": ""}
    page.wait_for_selector(f"{SEEN} >> text=Low Tide")
    assert page.is_hidden("#artist") and page.is_hidden("#licence") and page.is_visible("#progress")
    told.now = {**told.now, "since": "2026-11-30T19:00:00Z", "position_s": None}  # once more, nobody knows where in it
    page.wait_for_selector("#progress", state="hidden")
    assert page.evaluate("window.shifts.reduce((sum, each) => sum + each, 0)") <= 0.01


@pytest.mark.parametrize(
    ("query", "theme", "position", "size"),
    [
        ("", "dark", "bottom-left", "32px"),
        ("?theme=light&position=top-right&size=20", "light", "top-right", "20px"),
        ("?theme=plain&position=bottom&size=1e9", "plain", "bottom", "200px"),
        ("?theme=<b>&position=left&size=huge", "dark", "bottom-left", "32px"),
    ],
)
def test_settings(overlay: Callable[..., Any], query: str, theme: str, position: str, size: str) -> None:
    page = overlay(f"{query}{'&' if query else '?'}preview=1", reduced_motion="reduce")
    page.wait_for_selector(SEEN)
    root = page.evaluate(
        "(({dataset, style}) => [dataset.theme, dataset.position, style.getPropertyValue('--size')])"
        "(document.documentElement)"
    )
    assert root == [theme, position, size] and "The title" in page.text_content("#title")
    box, view = page.locator("#card").bounding_box(), page.viewport_size
    assert box["x"] >= 0 and box["x"] + box["width"] <= view["width"]
    gap = box["y"] if position.startswith("top") else view["height"] - box["y"] - box["height"]
    assert 10 < gap < 60


def test_long_hostile_and_right_to_left_names_stay_in_the_card(overlay: Callable[..., Any], told: Told) -> None:
    words = "لا أعرف إلى أين نمضي " * 20
    page = overlay("?size=40", {**ON_AIR, "title": "x" * 500, "artist": "<img src=x onerror=alert(1)>" * 9,
                                "attribution": words})  # fmt: skip
    page.wait_for_selector(SEEN)
    for width in (1920, 640, 320):
        page.set_viewport_size({"width": width, "height": 720})
        box = page.locator("#card").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["y"] >= 0
    assert page.locator("#card img").count() == 0 and page.locator("#title").bounding_box()["height"] <= 2 * 50 + 1
    assert page.evaluate("getComputedStyle(document.getElementById('attribution')).direction") == "rtl"
    assert page.evaluate("getComputedStyle(document.getElementById('title')).direction") == "ltr"


def test_it_goes_after_a_while_and_comes_with_the_next_track(overlay: Callable[..., Any], told: Told) -> None:
    page = overlay("?hide_after=1", ON_AIR)
    until(page, lambda: page.evaluate("window.seen.includes('yes')"))
    gone(page)
    asked = len(told.asked)
    until(page, lambda: len(told.asked) > asked + 1)
    assert page.is_hidden("#card")  # the same track brings it no second time
    assert page.evaluate("window.seen.filter((seen) => seen === 'yes').length") == 1
    told.now = {**ON_AIR, "track": "t2"}
    until(page, lambda: page.evaluate("window.seen.filter((seen) => seen === 'yes').length") == 2)


def test_a_server_that_goes_and_comes_back(overlay: Callable[..., Any], told: Told) -> None:
    page = overlay("", ON_AIR)
    page.wait_for_selector(SEEN)
    told.now = None
    gone(page)
    told.now = ON_AIR
    page.wait_for_selector(SEEN)


def test_reduced_motion(overlay: Callable[..., Any], told: Told) -> None:
    page = overlay("", ON_AIR, reduced_motion="reduce")
    page.wait_for_selector(SEEN)
    style = "(({transitionDuration, transform, opacity}) => [transitionDuration, transform, opacity])"
    assert page.evaluate(f"{style}(getComputedStyle(document.getElementById('card')))") == ["0s", "none", "1"]


@pytest.mark.parametrize("place", ["?key=show&token=see", "?key=show#token=see", "?key=show", "?key=show&token=wrong"])
def test_with_a_real_session_and_a_token_to_view(browser: Any, guarded: Any, serving_module: Any, place: str) -> None:
    page = browser.new_page()
    with httpx.Client(base_url=guarded.url, headers={"authorization": "Bearer pub"}) as client:
        posted = client.post("/whip?key=show", content=serving_module.OFFER, headers=SDP)
        events = f"ws://{guarded.netloc}{posted.headers['segue-events']}?token=do"
        with connect(events) as player:
            message = {"type": "playing", "track": "a track of its own", "position_s": 3}
            player.send(json.dumps(message))
            while json.loads(player.recv(timeout=30))["type"] != "player":
                pass
            with page.expect_response("**/now?*") as answered:
                page.goto(f"{guarded.url}overlay{place}")
            if "see" not in place:
                assert answered.value.status == 401 and page.is_hidden("#card")
            else:
                page.wait_for_selector(SEEN)
                assert page.text_content("#title") == message["track"]
                player.send(json.dumps(message | {"paused": True}))
                gone(page)
        client.delete(posted.headers["location"])
    page.close()
