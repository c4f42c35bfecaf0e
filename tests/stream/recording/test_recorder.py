"""Listening to a session: nothing is changed by it, nothing waits for it, and whatever stops it is said in the file."""

import errno
import json
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.frame import FrameMeter
from stream.core.session import Session, SessionOptions
from stream.recording import writer as writing
from stream.recording.errors import RecordingError
from stream.recording.format import Reader, Record
from stream.recording.recorder import RecordedSession, Recorder
from stream.recording.writer import ENDED, LAST_BYTES, Writer

Fake = Callable[..., Any]
Records = Callable[[Path], list[Record]]
HEADER = Record({"format": 1, "segue": "0"})


class SlowDisk:
    """A file whose writes wait for ``gate``, and fail once ``full``."""

    def __init__(self, file: Any) -> None:
        self.gate, self.full, self._file = threading.Event(), False, file

    def write(self, data: Any) -> int:
        assert self.gate.wait(20)
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return int(self._file.write(data))

    def close(self) -> None:
        self._file.close()

    @property
    def closed(self) -> bool:
        return bool(self._file.closed)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> list[SlowDisk]:
    """The files that are made from now on."""
    made: list[SlowDisk] = []
    create = writing.create

    def slow(path: Path) -> Any:
        made.append(SlowDisk(create(path)))
        return made[-1]

    monkeypatch.setattr(writing, "create", slow)
    return made


def fill(writer: Writer, count: int, begun: int = 0, size: int = 10) -> None:
    for number in range(begun, begun + count):
        writer.put(lambda number=number: Record({"n": number}, np.random.default_rng(number).bytes(size)))  # type: ignore[misc]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def numbers(found: list[Record]) -> list[int]:
    return [record.fields["n"] for record in found if "n" in record.fields]


def test_a_disk_that_stands_still_closes_the_recording_and_nothing_else(
    tmp_path: Path, disk: list[SlowDisk], records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    writer = Writer(tmp_path / "r", HEADER, queue_limit=8)
    fill(writer, 1)
    until(lambda: bool(disk))  # the thread stands in its first write
    begun = time.monotonic()
    fill(writer, 20, 1)
    assert time.monotonic() - begun < 5
    assert writer.why is not None and "8 records waited" in writer.why
    assert writer.lost == 21 - 8
    disk[0].gate.set()
    assert writer.close("later", wait_s=20)
    found = records(tmp_path / "r")
    assert numbers(found) == list(range(8))
    assert found[-1].fields == {"kind": "end", "why": writer.why, "records": 8} and writer.written == 8
    assert [(entry.levelno, "stopped" in entry.message) for entry in caplog.records] == [(logging.WARNING, True)]


def test_a_driver_that_may_wait_waits(tmp_path: Path, disk: list[SlowDisk], records: Records) -> None:
    writer = Writer(tmp_path / "r", HEADER, wait=True, queue_limit=4)
    filling = threading.Thread(target=fill, args=(writer, 50))
    filling.start()
    until(lambda: bool(disk) and writer._queue.full())
    assert filling.is_alive()
    disk[0].gate.set()
    filling.join(20)
    assert writer.close(ENDED, wait_s=20) and writer.lost == 0
    assert numbers(records(tmp_path / "r")) == list(range(50))


def test_a_full_disk_stops_it(tmp_path: Path, disk: list[SlowDisk], caplog: pytest.LogCaptureFixture) -> None:
    writer = Writer(tmp_path / "r", HEADER, wait=True)
    fill(writer, 1)
    until(lambda: bool(disk))
    disk[0].gate.set()
    until(lambda: writer.written > 0)
    disk[0].full = True
    fill(writer, 1, 1)
    until(lambda: writer.done)
    fill(writer, 3, 2)
    assert writer.why == "it cannot be written (No space left on device)" and writer.lost == 4
    assert any("the session goes on" in entry.message for entry in caplog.records)
    with Reader(tmp_path / "r") as reader:
        assert numbers(list(reader.records())) == [0]


def test_the_limit_stops_it(tmp_path: Path, records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "CHUNK_BYTES", 10_000)
    writer = Writer(tmp_path / "r", HEADER, limit=100_000, wait=True)
    fill(writer, 200, size=1000)
    assert writer.close(ENDED, wait_s=20)  # most of it still waits to be written then
    assert writer.why == "it would grow beyond 100000 bytes, the limit"
    assert 100_000 - LAST_BYTES - 11_000 < (tmp_path / "r").stat().st_size == writer.size <= 100_000
    found = records(tmp_path / "r")
    kept = numbers(found)
    assert kept == list(range(len(kept))) and len(kept) + writer.lost == 200
    assert found[-1].fields == {"kind": "end", "why": writer.why, "records": len(kept)}


def test_a_record_that_cannot_be_made_stops_it(tmp_path: Path, records: Records) -> None:
    writer = Writer(tmp_path / "r", HEADER)
    fill(writer, 3)
    writer.put(lambda: Record({"odd": object()}))
    until(lambda: writer.done)
    found = records(tmp_path / "r")
    assert numbers(found) == [0, 1, 2] and "could not be made (TypeError" in found[-1].fields["why"]


def test_nothing_is_lost_between_the_last_record_and_the_end(tmp_path: Path, records: Records) -> None:
    for turn in range(50):
        writer = Writer(tmp_path / str(turn), HEADER)
        fill(writer, turn % 5)
        if turn % 3 == 0:
            time.sleep(0.003)
        fill(writer, 2, turn % 5)
        writer.close(ENDED)
        assert writer.close(ENDED, wait_s=20)
        assert numbers(records(tmp_path / str(turn))) == list(range(turn % 5 + 2))


def test_a_file_that_cannot_be_made(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(RecordingError, match="cannot be written"):
        Writer(tmp_path / "absent" / "r", HEADER).open()
    writer = Writer(tmp_path / "absent" / "r", HEADER)
    fill(writer, 2)
    until(lambda: writer.done)
    fill(writer, 1)
    assert writer.lost >= 1 and "cannot be written" in caplog.text


def test_a_process_that_is_killed_leaves_what_was_written(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from stream.recording.writer import Writer; from stream.recording.format import Record\n"
        "writer = Writer(Path(sys.argv[1]), Record({'format': 1}))\n"
        "for n in range(10**6):\n"
        "    writer.put(lambda: Record({'n': n})); time.sleep(0.01); print(writer.written, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "r")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) > 0:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with Reader(tmp_path / "r") as reader:
        found = list(reader.records())
    assert len(found) >= int(line) and "kind" not in found[-1].fields


def test_a_session_that_is_listened_to_is_the_same_to_its_driver(fake_runtime: Fake, features: Fake) -> None:
    heard: list[tuple[Any, ...]] = []
    plain = Session(fake_runtime().model)
    noted: Any = RecordedSession(Session(fake_runtime().model), lambda *told: heard.append(told))
    assert noted.push(features(1), 0) == plain.push(features(1), 0)
    assert noted.command({"type": "dance"}) == plain.command({"type": "dance"})
    assert [type(event) for event in noted.tick(1.0)] == [type(event) for event in plain.tick(1.0)]
    assert (noted.sampled, noted.ended, noted.resets) == (plain.sampled, plain.ended, plain.resets) == (1, False, 0)
    assert noted.finish(3, 1, flush=False) == plain.finish(3, 1, flush=False)
    assert [(name, args[1:], kwargs, raised) for name, args, kwargs, _, raised in heard] == [
        ("push", (0,), {}, None),
        ("command", (), {}, None),
        ("tick", (), {}, None),
        ("finish", (1,), {"flush": False}, None),
    ]
    with pytest.raises(AttributeError):
        noted.absent()


def test_a_session_that_is_only_told_its_end_leaves_no_file(tmp_path: Path, header: Fake, fake_runtime: Fake) -> None:
    begun: list[Recorder] = []
    recorder = Recorder(tmp_path / "r", header(), begun=begun.append)
    for event in recorder.session(fake_runtime().model, SessionOptions()).finish(flush=False):
        recorder.put(event)  # type: ignore[arg-type]
    assert recorder.close(wait_s=20) and not begun and not list(tmp_path.iterdir())
    assert not [thread for thread in threading.enumerate() if thread.name == "recording"]


def test_the_options_must_be_the_headers(tmp_path: Path, header: Fake, fake_runtime: Fake) -> None:
    with pytest.raises(ValueError, match="not those in the recording's header"):
        Recorder(tmp_path / "r", header()).session(fake_runtime().model, SessionOptions(candidates=3))


def test_pictures_are_kept_without_loss_and_measured_anew(
    tmp_path: Path, header: Fake, fake_runtime: Fake, play: Fake, records: Records
) -> None:
    def recorded(name: str, gap: int) -> Path:
        recorder = Recorder(tmp_path / name, header(pictures=True), wait=True)
        session, meter, rng = (
            recorder.session(fake_runtime().model, SessionOptions()),
            FrameMeter(),
            np.random.default_rng(1),
        )
        assert recorder.keep is not None
        for begun in (0, 1):
            for slot in range(9):
                picture = rng.integers(0, 256, (90, 160, 3), dtype=np.uint8)
                recorder.keep(picture, slot / 8)
                shown = picture.copy()
                shown[:20] += np.uint8(gap if begun and slot == 6 else 0)
                session.push(meter.push(shown, slot / 8), slot)
            session.reset("jumped")
            meter = FrameMeter()
        recorder.close(wait_s=20)
        return tmp_path / name

    outcome, _ = play(recorded("same", 0))
    assert outcome.first is None and outcome.pictures == 18
    outcome, _ = play(recorded("other", 3))
    assert outcome.first == "at 0.750 s: the picture is measured differently"
    assert sum(record.fields["kind"] == "picture" for record in records(tmp_path / "same")) == 18


def test_of_an_answer_only_its_hash_is_kept(tmp_path: Path, record: Fake, film: Fake, records: Records) -> None:
    record(tmp_path / "r", film(2))
    found = records(tmp_path / "r")
    answers = [entry for entry in found if entry.fields.get("name") == "result"]
    assert len(answers) == 10 and all(not entry.blob and len(json.dumps(entry.fields)) < 5000 for entry in answers)
    assert found[-1].fields == {"kind": "end", "why": ENDED, "records": len(found) - 1}
