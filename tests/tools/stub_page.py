"""The page without a server: its files from the folder, and a websocket that says what a test tells it to."""

import json
import mimetypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

HOST = "http://localhost:1"  # nothing listens there: each request is answered by the stub
TITLES = ("Night Bus", "Glass Orbit", "Halfway Home", "Minds Wide Open", "Warm Afternoon", "Bright Skyline")
ARTISTS = ("A. Name", "The Orbits", "", "Trevino", "Lena Ode", "Nine Hills")
FACTS = (
    "118 bpm on the pulse of the picture (about 120)",
    "quiet and bright, as the pictures are",
    "half the pace of the picture: 60 bpm against about 120",
    "its energy rises where the movement does",
    "soft music under slow pictures",
    "lively as the cuts, one every 2.1 s",
)
NEUTRAL: dict[str, Any] = {
    "steer": {"energy": 0.0, "valence": 0.0, "tension": 0.0, "tempo": 0.0},
    "weights": {"content": 0.5, "rhythm": 0.25, "mood": 0.25},
    "pinned": None,
    "undo": 0,
    "liked": [],
    "skipped": [],
    "unlisted": 0,
    "filters": dict.fromkeys(("min_bpm", "max_bpm", "licences", "tags", "min_duration_s", "jingles", "instrumental")),
}


def item(number: int, **told: Any) -> dict[str, Any]:
    """The suggestion that is number ``number``, from 0."""
    start_s = 12.5 + 23.0 * number % 90
    return {
        "rank": number + 1,
        "track": f"track{number}",
        "title": TITLES[number % 6],
        "artist": ARTISTS[number % 6],
        "start_s": start_s,
        "duration_s": 181.3 - 9 * number,
        "score": 0.81 - 0.06 * number,
        "reasons": {"content": 0.77 - 0.05 * number, "rhythm": 0.91 - 0.1 * number, "mood": 0.7},
        "tempo_bpm": 118.0 - 2 * number,
        "licence": ("CC-BY-4.0", "CC0-1.0", "", "CC-BY-NC-4.0", "CC-BY-4.0")[number % 5],
        "adjust": 0.0,
        "liked": False,
        "held": "",
        "lift": 0.0,
        "gain_db": -2.4,
        "leave_s": 150.4 - 9 * number,
        "loop": [start_s, start_s + 32.5],
        "facts": [{"kind": "pulse", "value": 118, "unit": "bpm", "text": FACTS[number % 6]}],
        "live_ok": (True, None, False)[number % 3],
        "vod_ok": (True, False, None)[number % 3],
        "marks": ([], [], ["licence unknown"], ["NC"], [])[number % 5],
        "attribution": "",
    } | told


def suggestions(items: Sequence[dict[str, Any]] | None = None, **told: Any) -> dict[str, Any]:
    """A list of five, or of ``items``, as the server says it."""
    return {
        "v": 1,
        "type": "suggestions",
        "pts_s": 12.0,
        "window_s": 12.0,
        "advice": "stay",
        "items": [item(number) for number in range(5)] if items is None else list(items),
        "late_ms": 7.9,
        "seen": {"tempo_bpm": 120.4, "confidence": 0.62, "speed": 0.31},
        "switch": None,
        "duck_db": None,
        "asked": json.loads(json.dumps(NEUTRAL)),
        "on_air": None,
        "changed": "",
        "stale": "",
    } | told


def on_air(track: str = "track0", position_s: float = 48.0, **told: Any) -> dict[str, Any]:
    """The fields ``switch`` and ``on_air`` while a track plays."""
    bars = [round(position_s + 1.1 + 2.034 * bar, 3) for bar in range(4)]
    air = {"track": track, "position_s": position_s, "left_s": 120.0, "leave_s": 160.4, "next_in_s": 50.2}
    return {
        "switch": {"track": None, "at_s": bars, "in_s": 1.1},
        "on_air": air | {"loop": None, "next": None} | told,
    }


def facts(track: str) -> dict[str, Any]:
    """What the server says of a track: with a waveform."""
    number = int("".join(letter for letter in track if letter.isdigit()) or 0) % 6
    peaks = [int(40 + 150 * abs(((at * (number + 3)) % 97) / 97 - 0.5) + 60 * (at % 7 > 3)) for at in range(600)]
    return item(number, track=track) | {
        "peaks": [min(255, int(peak * min(1, at / 60, (599 - at) / 40))) for at, peak in enumerate(peaks)],
        "sections_s": [0.0, 31.2, 64.8, 97.5, 130.1],
        "attribution": f'"{TITLES[number]}" by {ARTISTS[number] or "unknown"} (CC BY 4.0)',
    }


def found(query: dict[str, list[str]]) -> dict[str, Any]:
    """What the server says of tracks by words: of six, numbers 0 to 5."""
    words = query["q"][0].casefold().split()
    named = [
        number for number in range(6) if all(word in f"{TITLES[number]} {ARTISTS[number]}".casefold() for word in words)
    ]
    told = [facts(f"track{number}") | {"camelot": f"{number + 4}A", "vocals": None} for number in named]
    kept = [
        {name: value for name, value in each.items() if name not in ("start_s", "gain_db", "peaks")} for each in told
    ]
    return {"v": 1, "found": len(kept), "tracks": kept[: int(query["limit"][0])]}


class Stub:
    """``tell(message)`` sends to the page; ``said`` is what the page sent. ``answers``: by path, what requests get."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.said: list[dict[str, Any]] = []
        self.sockets: list[Any] = []
        self.sessions: list[dict[str, Any]] = [
            {"id": "one", "label": "Show", "connected": True, "age_s": 5.0, "events": "/sessions/one/events"}
        ]
        self.first: list[dict[str, Any]] = []  # what a viewer gets when it joins
        self.kits: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        self.on_command: Callable[[dict[str, Any]], None] = lambda _: None
        page.route(f"{HOST}/**", self._answer)
        page.route_web_socket("**/events?*", self._attend)

    def tell(self, *messages: dict[str, Any]) -> None:
        for message in messages:
            self.sockets[-1].send(json.dumps({"v": 1} | message))

    def commands(self, kind: str) -> list[dict[str, Any]]:
        return [command for command in self.said if command["type"] == kind]

    def _attend(self, socket: Any) -> None:
        self.sockets.append(socket)

        def hear(text: str) -> None:
            command = json.loads(text)
            self.said.append(command)
            self.on_command(command)

        socket.on_message(hear)
        self.tell(*self.first)

    def _answer(self, route: Any) -> None:
        request = route.request
        path = urlsplit(request.url).path
        if path == "/api/sessions":
            return route.fulfill(json={"v": 1, "sessions": self.sessions})
        if path == "/api/history":
            limit = int(parse_qs(urlsplit(request.url).query)["limit"][0])
            return route.fulfill(json={"v": 1, "history": self.history[:limit]})
        if path == "/api/kits":
            return route.fulfill(json={"v": 1, "kits": list(self.kits.values())})
        if path.startswith("/api/kits/"):
            name = path.rpartition("/")[2]
            if request.method == "PUT":
                self.kits[name] = request.post_data_json
            elif request.method == "DELETE":
                self.kits.pop(name, None)
            return route.fulfill(json={"v": 1})
        if path == "/api/tracks":
            return route.fulfill(json=found(parse_qs(urlsplit(request.url).query)))
        if path.startswith("/api/tracks/"):
            return route.fulfill(json=facts(path.rpartition("/")[2]))
        if path.endswith("/audio"):
            return route.fulfill(status=404, json={"detail": "the file is gone"})
        name = "index.html" if path in ("/", "/dock") else path.removeprefix("/")
        file = Path(str(resources.files("stream.web"))) / name
        if not file.is_file():
            return route.fulfill(status=404, body="no such page")
        kind = mimetypes.guess_type(name)[0] or "text/plain"
        return route.fulfill(body=file.read_bytes(), content_type=kind)


@contextmanager
def stubbed(browser: Any, **options: Any) -> Iterator[tuple[Any, Stub]]:
    """A page and its stub, not opened yet; a script that fails fails the test."""
    page = browser.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.set_default_timeout(15_000)
    try:
        yield page, Stub(page)
    finally:
        page.close()
    assert wrong == []
