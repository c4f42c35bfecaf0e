"""Folders that the catalogue mirrors while the server runs: real files, a real indexer, a real server."""

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from catalog.database import exclusive, free
from catalog.errors import LockedError
from stream.server import music_watch
from stream.server.music_watch import MusicWatch, WatchOptions, changes_in, run_segue

REPORT = {"v": 1, "type": "index", "added": 0, "failed": []}


def titles(client: httpx.Client, ids: list[str]) -> list[str]:
    return [client.get(f"/api/tracks/{id}").json()["title"] for id in ids]


def until(check: Callable[[], bool], what: str, seconds: float = 60.0) -> float:
    begun_s = time.monotonic()
    while not check():
        assert time.monotonic() - begun_s < seconds, what
        time.sleep(0.1)
    return time.monotonic() - begun_s


def test_files_that_come_move_and_go_are_seen_by_a_running_server(
    own_catalog: Path, tiny_bundle: Path, serving: Callable[..., Any]
) -> None:
    music, catalog = own_catalog.parent / "music", own_catalog
    away = music.parent / "away.wav"
    shutil.move(music / "tune 72.wav", away)
    options = WatchOptions((music,), ("--bundle", str(tiny_bundle), "--jobs", "1"))
    with serving(catalog, watch=options) as running, httpx.Client(base_url=running.url, timeout=10) as client:

        def tracks() -> int:
            return int(client.get("/healthz").json()["tracks"])

        until(lambda: tracks() == 6, "the file that went while nobody looked is gone")
        shutil.move(away, music / "new.wav")
        until(lambda: tracks() == 7, "a new file is in")
        (music / "sub").mkdir()
        (music / "new.wav").rename(music / "sub" / "moved.wav")
        (music / "tune 84.wav").unlink()
        until(lambda: tracks() == 6, "one is gone, the other moved")
        health = client.get("/healthz").json()["watch"]
        assert health["runs"] >= 2 and health["failing"] == 0
    assert (music / "sub" / "moved.wav").is_file()


def test_a_server_may_begin_with_nothing(tmp_path: Path, tiny_bundle: Path, serving: Callable[..., Any]) -> None:
    music = tmp_path / "music"
    music.mkdir()
    options = WatchOptions((music,), ("--bundle", str(tiny_bundle), "--jobs", "1"), rescan_s=1.0)
    with serving(tmp_path / "c", watch=options) as running:
        health = httpx.get(f"{running.url}healthz").json()
        assert health["tracks"] == 0


def watch(
    folder: Path, monkeypatch: pytest.MonkeyPatch, answers: list[tuple[int, str, str]], changes: int = 0
) -> tuple[MusicWatch, list[tuple[str, ...]]]:
    """One whose indexer answers so, and that hears of so many changes at once."""
    asked: list[tuple[str, ...]] = []

    async def answer(words: tuple[str, ...]) -> tuple[int, str, str]:
        asked.append(words)
        return answers.pop(0) if answers else (0, json.dumps(REPORT), "")

    async def look(_: Path, __: Path) -> AsyncIterator[None]:
        for _ in range(changes):
            yield
        await asyncio.Event().wait()

    monkeypatch.setattr(music_watch, "run_segue", answer)
    return MusicWatch(WatchOptions((folder,), ("--jobs", "2"), 0.01), folder / "c", look), asked


def run_until(watching: MusicWatch, done: Callable[[], bool]) -> None:
    async def go() -> None:
        task = asyncio.create_task(watching.run())
        async with asyncio.timeout(20):
            while not done():  # noqa: ASYNC110 - what is counted tells nobody
                await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(go())


def test_what_fails_is_told_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad = (2, "", "progress\nsegue index: /m: holds no music\n")
    watching, asked = watch(tmp_path, monkeypatch, [bad, bad, (0, "not json", ""), bad])
    with caplog.at_level(logging.WARNING, "stream.server.music_watch"):
        run_until(watching, lambda: len(asked) > 5)
    alone = ("--unattended", "--settle", "3")
    assert asked[0] == ("index", str(tmp_path), "-c", str(tmp_path / "c"), "--json", *alone, "--jobs", "2")
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}: is not mirrored now: segue index: /m: holds no music",
        f"{tmp_path}: is not mirrored now: it ended with 0",
        f"{tmp_path}: is not mirrored now: segue index: /m: holds no music",
        f"{tmp_path}: is mirrored again",
    ]
    assert watching.state["failing"] == 0 and watching.state["runs"] > 4


def test_what_is_away_is_told_once_and_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    away = (0, json.dumps(REPORT | {"away": [{"path": "/m/nas", "text": "is empty now"}]}), "")
    watching, asked = watch(tmp_path, monkeypatch, [away, away])
    counted: list[int] = []
    with caplog.at_level(logging.WARNING, "stream.server.music_watch"):
        run_until(watching, lambda: counted.append(watching.state["failing"]) or len(asked) > 3)
    assert caplog.messages == ["/m/nas: is empty now", "/m/nas: is mirrored again"]
    assert 1 in counted and watching.state["failing"] == 0


def test_what_is_still_being_written_is_looked_at_again_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    growing = (0, json.dumps(REPORT | {"changing": 1}), "")
    watching, asked = watch(tmp_path, monkeypatch, [growing, growing])
    slow = MusicWatch(WatchOptions((tmp_path,), (), 3600.0), tmp_path / "c", watching._look)
    monkeypatch.setattr(music_watch, "AGAIN_S", 0.01)
    run_until(slow, lambda: len(asked) > 2)
    assert len(asked) == 3  # after the third nobody writes any more


def test_a_database_that_another_program_writes_is_tried_again_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the catalogue says it, not only of another indexer."""
    locked = sqlite3.connect(tmp_path / "d", timeout=0.0)
    locked.executescript("CREATE TABLE t (a); BEGIN EXCLUSIVE")
    with pytest.raises(LockedError) as refused, free(tmp_path / "d"):
        sqlite3.connect(tmp_path / "d", timeout=0.0).execute("SELECT * FROM t")
    locked.close()
    busy = (2, "", f"segue index: {refused.value}")
    watching, asked = watch(tmp_path, monkeypatch, [busy, busy])
    slow = MusicWatch(WatchOptions((tmp_path,), (), 3600.0), tmp_path / "c", watching._look)
    monkeypatch.setattr(music_watch, "AGAIN_S", 0.01)
    run_until(slow, lambda: len(asked) > 2)
    assert len(asked) == 3


def test_a_folder_whose_changes_nobody_tells_is_looked_through_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    watching, asked = watch(tmp_path, monkeypatch, [])
    watching._look = changes_in
    with caplog.at_level(logging.WARNING, "stream.server.music_watch"):
        missing = tmp_path / "gone"
        watching._due = {missing: asyncio.Event()}
        run_until(watching, lambda: len(asked) > 3)
    assert [record.getMessage().split(" (")[0] for record in caplog.records] == [f"{missing}: its changes are not told"]


def test_changes_of_the_catalogue_itself_are_none(tmp_path: Path) -> None:
    """It may lie in the folder of the music, and is written by every run."""
    catalog = tmp_path / "c"
    catalog.mkdir()

    async def go() -> list[str]:
        seen: list[str] = []

        async def look() -> None:
            async for _ in changes_in(tmp_path, catalog):
                seen.append("change")  # noqa: PERF401 - it never ends

        task = asyncio.create_task(look())
        await asyncio.sleep(1.0)
        (catalog / "catalog.sqlite").write_bytes(b"x")
        await asyncio.sleep(2.0)
        before = list(seen)
        (tmp_path / "a.wav").write_bytes(b"x")
        async with asyncio.timeout(20):
            while len(seen) == len(before):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return before

    assert asyncio.run(go()) == []


def test_a_folder_in_the_place_of_the_watched_one_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that was away, or a folder that was made again, has another identity under the same name."""
    monkeypatch.setattr(music_watch, "LOOK_S", 0.1)
    monkeypatch.setattr(music_watch, "AGAIN_S", 0.1)
    monkeypatch.setattr(music_watch, "QUIET_S", 0.05)
    music = tmp_path / "music"
    music.mkdir()
    watching, asked = watch(music, monkeypatch, [])
    watching._look = changes_in
    watching._options = replace(watching._options, rescan_s=600.0)

    async def runs(count: int) -> None:
        async with asyncio.timeout(20):
            while len(asked) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def go() -> None:
        task = asyncio.create_task(watching.run())
        await runs(1)
        await asyncio.sleep(1.0)
        music.rename(tmp_path / "away")
        await asyncio.sleep(1.0)
        music.mkdir()
        await runs(len(asked) + 1)
        await asyncio.sleep(1.0)
        before = len(asked)
        (music / "a.wav").write_bytes(b"x")
        await runs(before + 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(go())


def test_a_file_that_takes_its_time_to_come_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(music_watch, "QUIET_S", 0.5)
    watching, asked = watch(tmp_path, monkeypatch, [])
    watching._options = replace(watching._options, rescan_s=600.0)
    runs = []

    async def look(_: Path, __: Path) -> AsyncIterator[None]:
        while not asked:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for _ in range(20):
            await asyncio.sleep(0.02)
            yield
        runs.append(len(asked))
        await asyncio.Event().wait()

    watching._look = look
    run_until(watching, lambda: len(asked) == 2)
    assert runs == [1]


def test_what_failed_is_told_once_however_much_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failed = [{"path": f"/m/{number}.wav", "text": "no sound"} for number in range(3)]
    first, second = (
        (0, json.dumps(REPORT | {"failed": failed[:2]}), ""),
        (0, json.dumps(REPORT | {"failed": failed}), ""),
    )
    watching, asked = watch(tmp_path, monkeypatch, [first, first, second, second])
    with caplog.at_level(logging.INFO, "stream.server.music_watch"):
        run_until(watching, lambda: len(asked) > 5)
    told = [record.getMessage() for record in caplog.records if "no sound" in record.getMessage()]
    assert told == [f"/m/{number}.wav: no sound" for number in range(3)]

    monkeypatch.undo()
    (tmp_path / "segue.py").write_text(f"print({json.dumps(REPORT)!r}[:-1] + ' ' * 3_000_000 + '}}')")
    monkeypatch.chdir(tmp_path)
    code, out, _ = asyncio.run(run_segue(()))
    assert code == 0 and json.loads(out) == REPORT


def test_an_indexer_ends_with_its_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that does not mind being asked to."""
    pid = tmp_path / "pid"
    stubborn = tmp_path / "segue.py"
    stubborn.write_text(
        "import os, pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))\n"
        "time.sleep(600)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(music_watch, "END_S", 0.2)

    async def go() -> None:
        task = asyncio.create_task(run_segue((str(pid),)))
        async with asyncio.timeout(20):
            while not pid.exists() or not pid.read_text():  # noqa: ASYNC110 - a process's file
                await asyncio.sleep(0.02)
        if hasattr(os, "getpriority"):
            assert os.getpriority(os.PRIO_PROCESS, int(pid.read_text())) >= music_watch.LOW_PRIORITY
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(go())
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(pid.read_text()), signal.SIGKILL)
        raise AssertionError("it runs on")


def test_another_indexer_is_waited_for(own_catalog: Path, tiny_bundle: Path) -> None:
    music = own_catalog.parent / "music"
    words = ("index", str(music), "-c", str(own_catalog), "--json", "--bundle", str(tiny_bundle), "--jobs", "1")
    with exclusive(own_catalog):
        code, _, err = asyncio.run(run_segue(words))
    assert code == 2 and "another segue index" in err
