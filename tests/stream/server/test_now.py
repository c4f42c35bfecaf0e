"""What is on air, by HTTP, as a line of text, and in a file."""

import asyncio
import logging
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from stream.server.access import AccessOptions
from stream.server.now import now_of, now_routes
from stream.server.now_file import NowFile
from stream.server.now_text import FIELDS, FORMAT, FormatError, check_format, clock, text_of
from stream.server.pick import Pick
from stream.server.place import Place
from stream.server.security import Guard
from stream.server.worker_status import Status, WorkerStatuses

NOTHING = {
    "playing": False, "track": None, "title": None, "artist": None, "attribution": None, "licence": None,
    "position_s": None, "duration_s": None, "since": None,
}  # fmt: skip
NOW = {**NOTHING, "playing": True, "track": "t", "title": "Night Bus", "artist": "A. Name", "attribution": "",
       "licence": "CC0", "position_s": 61.4, "duration_s": 3661.0}  # fmt: skip


@pytest.fixture
def ask(playing: Any) -> Callable[..., Any]:
    """``ask(stages, *addresses, headers={}, access=None)`` -> answers."""

    def asking(
        stages: Any, *addresses: str, headers: dict[str, str] | None = None, access: AccessOptions | None = None
    ) -> list[httpx.Response]:
        app = FastAPI()
        app.include_router(now_routes(Pick(playing.Sessions(*stages)), playing.Shelf(), access))

        async def answers() -> list[httpx.Response]:
            transport = httpx.ASGITransport(Guard(app, loopback_only=True, origins=["https://overlay.example"]))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return [await client.get(address, headers=headers) for address in addresses]

        return asyncio.run(answers())

    return asking


def test_silence_has_one_form(ask: Callable[..., Any], stage: Callable[..., Any]) -> None:
    paused, left = stage(), stage()
    paused.plays(1, 3.0, paused=True)
    left.plays(1, 3.0)
    left.session.leave(left.player)
    for stages in ([], [stage()], [paused], [left]):
        whole, text, other = ask(stages, "/now", "/now.txt", "/now?key=other")
        assert whole.json() == {"v": 1, **NOTHING} == other.json()
        assert text.status_code == 200 and text.text == ""


def test_what_is_on_air(ask: Callable[..., Any], stage: Callable[..., Any]) -> None:
    made = stage()
    made.plays(1, 12.0)
    (answer,) = ask([made], "/now?key=studio")
    now = answer.json()
    assert isinstance(now.pop("attribution"), str)
    assert 12 <= now.pop("position_s") < 15 and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", now.pop("since"))
    assert now == {
        "v": 1, "playing": True, "track": f"{1:016x}", "title": "Night Bus", "artist": "A. Name",
        "licence": "CC-BY-4.0", "duration_s": 180.0,
    }  # fmt: skip
    assert answer.headers["cache-control"] == "no-store"
    made.plays(1, 500.0)  # a player that is wrong about its place
    assert ask([made], "/now")[0].json()["position_s"] == 180.0
    made.session.command(made.player, {"type": "playing", "track": "its own"})
    told = ask([made], "/now", "/now.txt")
    assert (told[0].json()["track"], told[0].json()["title"], told[1].text) == ("its own", None, "its own")


def test_since_stays_while_the_track_does(stage: Callable[..., Any], playing: Any) -> None:
    made = stage()
    times = iter((1e9, 2e9, 3e9, 4e9))
    made.session.role._wall = lambda: next(times)
    made.plays(1, 0.0)
    first = now_of(made.session, playing.Shelf())["since"]
    made.plays(1, 20.0)
    made.plays(1, 20.0, paused=True)
    assert first == "2001-09-09T01:46:40Z"
    made.plays(1, 20.0)
    assert now_of(made.session, playing.Shelf())["since"] == first
    made.session.role._wall = lambda: 5e9
    made.plays(2, 0.0)
    assert now_of(made.session, playing.Shelf())["since"] == "2128-06-11T08:53:20Z"


def test_the_attribution_that_the_catalogue_knows(stage: Callable[..., Any], playing: Any) -> None:
    line, made = "Night Bus by A. Name, CC BY 4.0", stage()
    made.plays(1)
    track = playing.Shelf().track(f"{1:016x}")
    known = type("Track", (), {**{name: getattr(track, name) for name in track.__slots__}, "attribution": line})
    assert now_of(made.session, type("Shelf", (), {"track": lambda self, _: known})())["attribution"] == line


def test_texts() -> None:
    assert text_of(NOW) == "A. Name – Night Bus"
    assert text_of({**NOW, "artist": ""}) == "Night Bus" and text_of({**NOW, "title": ""}) == "A. Name"
    assert text_of(NOW, "♫ {title} ({position} of {duration}, {left} left)") == (
        "♫ Night Bus (1:01 of 1:01:01, 59:59 left)"
    )
    assert text_of({**NOW, "position_s": None}, "{title} {left}") == "Night Bus"
    assert text_of({**NOW, "title": "a\nb\x00\x1b[31m  c"}, "{title}") == "a b [31m c"
    assert text_of({**NOW, "title": "- {artist} -"}, "{title}") == "- {artist} -"  # its own, and nothing is filled in
    assert len(text_of({**NOW, "title": "x" * 9000})) == 500
    assert text_of({**NOW, "title": "\ud800"}, "{title}") in ("?", "")
    assert [clock(s) for s in (0, 59.9, 60, 3600, None)] == ["0:00", "0:59", "1:00", "1:00:00", ""]


@pytest.mark.parametrize("form", ["{album}", "{}", "{titel} {title}", "x" * 201, "{__class__}"])
def test_formats_that_are_none(ask: Callable[..., Any], form: str) -> None:
    with pytest.raises(FormatError):
        check_format(form)
    (answer,) = ask([], f"/now.txt?format={form}")
    assert answer.status_code == 400 and answer.headers["content-type"].startswith("text/plain")


@given(st.text(max_size=200), st.text(max_size=300), st.text(max_size=300))
def test_any_title_is_one_short_line(form: str, title: str, artist: str) -> None:
    try:
        check_format(form)
    except FormatError:
        form = FORMAT
    text = text_of({**NOW, "title": title, "artist": artist}, form)
    assert len(text) <= 500 and len(text.splitlines()) <= 1 and text.encode() is not None


def test_a_format_of_ones_own(ask: Callable[..., Any], stage: Callable[..., Any]) -> None:
    made = stage()
    made.plays(5, 3.0)
    assert FIELDS[0] == "title"
    plain, own = ask([made], "/now.txt", "/now.txt?format=%E2%99%AB%20{title}%20%C2%B7%20{licence}")
    assert plain.text == "A. Name – Öre – Ø" and own.text == "♫ Öre – Ø · CC-BY-4.0"
    assert plain.headers["content-type"] == "text/plain; charset=utf-8"


def test_who_may_read_it(ask: Callable[..., Any]) -> None:
    access = AccessOptions(view="see", control="do")
    for headers, code in (({}, 401), ({"authorization": "Bearer see"}, 200)):
        assert [answer.status_code for answer in ask([], "/now", "/now.txt", headers=headers, access=access)] == [
            code
        ] * 2
    assert ask([], "/now?token=see", access=access)[0].status_code == 200
    (shared,) = ask([], "/now", headers={"origin": "https://overlay.example"})
    assert shared.headers["access-control-allow-origin"] == "https://overlay.example"
    (foreign,) = ask([], "/now", headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403 and "access-control-allow-origin" not in foreign.headers


def test_the_worker_that_has_the_session(playing: Any, stage: Callable[..., Any], tmp_path: Path) -> None:
    place = Place(None, None, (1, 2, 9001), WorkerStatuses(tmp_path, 0))  # type: ignore[arg-type]
    own = stage()
    own.session.started_s -= 50
    other = {"id": "x", "age_s": 10.0}
    WorkerStatuses(tmp_path, 1).exchange(Status(9001, True, True, (other, {}), ()))
    place.statuses.exchange(Status(2, True, True, (), ()))
    app = FastAPI()
    hub = playing.Sessions(own)
    app.include_router(now_routes(Pick(hub, place=place), playing.Shelf()))

    async def located() -> str | None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:1") as client:
            return (await client.get("/now?token=a%20b")).headers.get("location")

    assert asyncio.run(located()) == "http://localhost:9001/now?token=a%20b"
    hub.stages = [stage()]  # newer than the other worker's
    assert asyncio.run(located()) is None


def test_the_file_changes_when_the_text_does(tmp_path: Path) -> None:
    path, texts = tmp_path / "now.txt", ["", "one", "one", "två", ""]
    seen = []

    async def scene() -> None:
        file = NowFile(path, lambda: "")
        for text in texts:
            before = path.stat().st_ino if path.exists() else None
            await file.look(text)
            seen.append((path.read_text("utf-8"), path.stat().st_ino != before))

    asyncio.run(scene())
    assert seen == [("", True), ("one", True), ("one", False), ("två", True), ("", True)]
    assert [each.name for each in tmp_path.iterdir()] == ["now.txt"]


def test_at_the_end_nothing_is_on_air(tmp_path: Path) -> None:
    path = tmp_path / "now.txt"

    async def scene() -> None:
        looked = asyncio.Event()

        def text() -> str:
            if path.exists():
                looked.set()
            return "A – B"

        task = asyncio.create_task(NowFile(path, text, 0.001).run())
        await looked.wait()
        assert path.read_text("utf-8") == "A – B"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())
    assert path.read_text() == ""


def test_an_end_while_the_file_is_being_written_leaves_it_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, writing, go = tmp_path / "now.txt", threading.Event(), threading.Event()
    usual = NowFile._write

    def slow(file: NowFile, text: str) -> None:
        if text:
            writing.set()
            assert go.wait(20)
        usual(file, text)

    async def scene() -> None:
        monkeypatch.setattr(NowFile, "_write", slow)
        task = asyncio.create_task(NowFile(path, lambda: "A – B", 0.001).run())
        await asyncio.to_thread(writing.wait, 20)
        task.cancel()
        asyncio.get_running_loop().call_later(0.05, go.set)
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scene())
    assert path.read_text() == ""


def test_a_look_that_fails_is_said_once_and_the_file_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, looks = tmp_path / "now.txt", list[int]()

    def text() -> str:
        looks.append(1)
        if len(looks) < 4:
            raise OSError("the catalogue is away")
        return "A – B"

    async def scene() -> None:
        task = asyncio.create_task(NowFile(path, text, 0.001).run())
        async with asyncio.timeout(20):
            while not path.exists():  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with caplog.at_level(logging.WARNING):
        asyncio.run(scene())
    assert len(caplog.records) == 1 and "tried again" in caplog.text


def test_a_file_that_cannot_be_written_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "later" / "now.txt"

    async def scene() -> None:
        file = NowFile(path, lambda: "")
        for text in ("a", "a", "b"):
            await file.look(text)
        path.parent.mkdir()
        await file.look("b")

    with caplog.at_level(logging.WARNING):
        asyncio.run(scene())
    assert [record.getMessage().partition(": ")[2][:18] for record in caplog.records] == [
        "cannot be written ",
        "is written again",
    ]
    assert path.read_text() == "b"
