"""The folder of sessions: bounds, what cannot be written, what was killed."""

import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stream.core.events import Aired, End, Item, Opened, Reasons, Suggestions
from stream.cues import lines
from stream.cues import store as stores
from stream.cues.errors import CueError
from stream.cues.model import Session
from stream.cues.store import CueStore

MEDIA_S = 5.0


def run(store: CueStore, session: str = "abc", end: bool = True) -> str:
    """One session with one take; its id."""
    log = store.begin(lambda: MEDIA_S)
    item = Item(1, "t", "Title", "Ann", 1.0, 90.0, 0.5, Reasons(0.5, 0.5, 0.5), 100.0, "")
    log.put(Opened(session, "Show"))
    log.put(Suggestions(5.0, 4.0, "switch", (item,), late_ms=1.0))
    log.put(Aired("t", 1.0))
    if end:
        log.put(End(0, 0, 0, 0))
    return log.session.id


def test_kept_and_read_by_another_program(tmp_path: Path) -> None:
    store = CueStore(tmp_path / "new" / "sessions")
    id = run(store)
    assert store.ids() == [id]
    store.close()
    session = CueStore(store.folder).load(id[:20])
    assert session.ended and session.session == "abc" and [cue.kind for cue in session.cues] == ["proposed", "taken"]
    assert CueStore(store.folder).load("newest") == session == store.load(id)


def test_a_running_session_is_listed_and_found_by_the_id_of_its_viewers(tmp_path: Path) -> None:
    store = CueStore(tmp_path)
    id = run(store, end=False)
    assert store.load("abc").id == id and not store.load(id).ended
    assert [session.id for session in store.sessions()] == [id]
    store.close()


@pytest.mark.parametrize("id", ["", "x", "..", "../x", "20991231", "a" * 5000, "\0"])
def test_what_is_not_kept_is_said(tmp_path: Path, id: str) -> None:
    (tmp_path.parent / "x.jsonl").write_text("{}")
    with pytest.raises(CueError, match="segue cues list"):
        CueStore(tmp_path).load(id)


def test_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "SESSIONS", 3)
    other = tmp_path / "notes.txt"
    other.write_text("mine")
    store, ids = CueStore(tmp_path), []
    for number in range(5):
        (tmp_path / f"2020010{number}T000000Z-00000000.jsonl").write_text("{}\n")
    ids.append(run(store))
    store.close()
    assert len([*tmp_path.glob("*.jsonl")]) == 3 and ids[0] in store.ids() and other.exists()
    assert {path.stem for path in tmp_path.glob("2020*")} == {f"2020010{number}T000000Z-00000000" for number in (3, 4)}


def test_two_programs_write_to_one_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reads what the other writes, and neither removes what is being written, however old its name is."""
    monkeypatch.setattr(stores, "SESSIONS", 2)
    one, two = CueStore(tmp_path), CueStore(tmp_path)
    long = one.begin(lambda: MEDIA_S)
    long.put(Opened("long", "Show"))
    long.put(Aired("t", 1.0))
    file = tmp_path / f"{long.session.id}.jsonl"
    until(lambda: file.exists() and '"cue"' in file.read_text())  # all of it: a later line dates it anew
    os.utime(file, (2e9, 2e9))  # written to just now
    assert two.load("long").id == long.session.id
    for number in range(4):
        run(two, f"two {number}")
    two.close()
    assert two.load(long.session.id).session == "long" and not two.load(long.session.id).ended
    assert any(one.session == "two 3" and one.ended for one in map(two.load, two.ids()))
    os.utime(tmp_path / f"{long.session.id}.jsonl", (0, 0))  # nothing came for long
    for number in range(4):
        run(one, f"one {number}")
    long.put(Aired(None))
    long.put(End(0, 0, 0, 0))
    one.close()
    read = CueStore(tmp_path).load(long.session.id)
    assert read.ended and read.cues[0].end is not None and len([*tmp_path.glob("*.jsonl")]) <= 3


def until(check: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not check():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.005)


def test_a_folder_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Said once; the sessions stay in memory, and can be exported."""
    (tmp_path / "file").write_text("no folder")
    store = CueStore(tmp_path / "file" / "sessions")
    with caplog.at_level(logging.WARNING, "segue.cues"):
        ids = [run(store, f"s{number}") for number in range(3)]
        store.close()
    assert len(caplog.records) == 1 and "--cues FOLDER" in caplog.text and str(store.folder) in caplog.text
    assert sorted(store.ids()) == sorted(ids) and store.load(ids[0]).of("taken")
    assert [entry["track"] for entry in store.history()] == ["t"] * 3


def test_sessions_that_are_over_leave_memory(tmp_path: Path) -> None:
    store = CueStore(tmp_path)
    for _ in range(5):
        run(store)
    store.close()
    store.begin(lambda: 0.0)
    assert len(store._logs) == 1 and len(store.ids()) == 5


def test_a_log_lets_go_of_its_driver_at_the_end(tmp_path: Path) -> None:
    class Driver:
        media_s = 1.0

    driver, store = Driver(), CueStore(tmp_path)
    log = store.begin(lambda: driver.media_s)
    assert log._media_s is not None
    log.put(End(0, 0, 0, 0))
    assert log._media_s is None


def test_summaries_are_read_again_only_where_a_file_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = CueStore(tmp_path)
    for _ in range(3):
        run(writing)
    writing.close()
    store, loads = CueStore(tmp_path), list[str]()
    load = store._load
    monkeypatch.setattr(store, "_load", lambda id: loads.append(id) or load(id))  # type: ignore[func-returns-value]
    first = [*store.summaries()]
    assert len(loads) == 3 and [*store.summaries()] == first and len(loads) == 3
    changed = tmp_path / f"{first[1]['id']}.jsonl"
    changed.write_text(changed.read_text() + '{"v":1,"label":"Other"}\n')
    assert [one["label"] for one in store.summaries()] == ["Show", "Other", "Show"] and len(loads) == 4
    assert [*store.summaries(1)] == first[:1]


def test_history(tmp_path: Path, make_hour: Callable[..., Session]) -> None:
    for number in (1, 2):
        session = make_hour(3, seed=number)
        texts = [{"v": 1, "started": session.started}, *({"cue": lines.cue_object(cue)} for cue in session.cues)]
        path = tmp_path / f"2026113{number}T180000Z-0000000{number}.jsonl"
        path.write_text("".join(map(lines.line, texts)).replace("2026-11-30", f"2026-11-{28 + number}"))
    history = CueStore(tmp_path).history(4)
    assert [entry["track"][-1] for entry in history] == ["2", "1", "0", "2"]
    first = history[0]
    assert first["session"] == "20261132T180000Z-00000002" and first["at"].endswith("Z") and "." not in first["at"]
    [_, _, _, _, _, cue] = make_hour(3, seed=2).cues
    assert cue.end is not None and first["from_s"] == cue.from_s
    assert first["played_s"] == round(cue.end.pts_s - cue.start.pts_s, 3)


def test_history_goes_by_when_a_track_was_on_air(
    tmp_path: Path, make_hour: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long session that began before a short one ended after it."""
    texts = {
        "20261130T180000Z-0000000a": make_hour(9).cues,
        "20261130T180100Z-0000000b": make_hour(9, seed=2).cues[:2],
        "20251130T180100Z-0000000c": (),
    }
    for id, cues in texts.items():
        (tmp_path / f"{id}.jsonl").write_text("".join(lines.line({"cue": lines.cue_object(cue)}) for cue in cues))
    os.utime(tmp_path / "20251130T180100Z-0000000c.jsonl", (0, 0))
    store, loads = CueStore(tmp_path), []
    load = store._load
    monkeypatch.setattr(store, "_load", lambda id: loads.append(id) or load(id))
    assert [entry["track"][-1] for entry in store.history(3)] == ["8", "7", "6"]
    assert sorted(loads) == sorted(texts)[1:]  # what was not written to since is not read
    assert len({entry["session"] for entry in store.history()}) == 2 and store.history(0) == []


def test_a_pause_is_no_second_entry(tmp_path: Path) -> None:
    store = CueStore(tmp_path)
    s = [0.0]
    log = store.begin(lambda: s[0])
    for at, notice in ((0, Aired("t", 0.0)), (4, Aired("t", 4.0, True)), (9, Aired("t", 4.0)), (11, Aired(None))):
        s[0] = float(at)
        log.put(notice)
    [entry] = store.history()
    assert entry["played_s"] == 6.0
    store.close()


def test_a_killed_program_loses_no_more_than_its_last_line(tmp_path: Path) -> None:
    code = f"""
        import time
        from pathlib import Path
        from stream.core.events import Accepted, Opened
        from stream.cues.store import CueStore
        store = CueStore(Path({str(tmp_path)!r}))
        log = store.begin(lambda: 1.0)
        log.put(Opened("abc", "Show"))
        for number in range(200):
            log.put(Accepted("like", str(number)))
        while store._writer._queue.qsize():
            time.sleep(0.01)
        print("written", flush=True)
        time.sleep(60)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None and program.stdout.readline() == "written\n"
        os.kill(program.pid, signal.SIGKILL)
    [session] = CueStore(tmp_path).sessions()
    assert len(session.cues) in (199, 200) and not session.ended


def test_a_full_file_ends_and_the_session_stays_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.cues.writer.FILE_BYTES", 300)
    store = CueStore(tmp_path)
    id = run(store)
    store.close()
    assert (tmp_path / f"{id}.jsonl").stat().st_size <= 300
    assert len(store.load(id).cues) == 2


def test_a_full_disk_costs_its_session_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = CueStore(tmp_path)
    full = store.begin(lambda: MEDIA_S)
    (tmp_path / f"{full.session.id}.jsonl").symlink_to("/dev/full")
    with caplog.at_level(logging.WARNING, "segue.cues"):
        full.put(Opened("abc", "Show"))
        full.put(Aired("t", 1.0))
        id = run(store)
        store.close()
    assert "No space left" in caplog.text
    assert CueStore(tmp_path).load(id).ended and store.load(full.session.id).cues
