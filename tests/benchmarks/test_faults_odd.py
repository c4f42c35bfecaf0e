"""An engine and a clock that do as a file says; figures of networks."""

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.faults import odd
from benchmarks.faults.media import Wild, switch_codec
from benchmarks.faults.network import Drive, Phase, report, resumed_s
from benchmarks.faults.odd import REASON, Desk, Orders, spoilt
from benchmarks.faults.outcome import Outcome
from benchmarks.faults.wire import SIDES, TUN, Network, wire


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders"
    Orders().write(path)
    return path


def test_the_engine_does_as_the_file_says(orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = spoilt(lambda session, names, inputs: [np.ones(2, np.float32)], Desk(orders))
    monkeypatch.setattr(odd, "HANG_S", 0.0)

    def answers() -> float:
        return float(run(None, ["a"], {})[0][0])

    assert answers() == 1
    Orders("raises", runs=2).write(orders)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"device is lost"):
            answers()
    assert answers() == 1 and "device" in REASON  # as many as were ordered
    Orders("nan").write(orders)
    assert all(np.isnan(answers()) for _ in range(3))
    Orders("hangs", runs=1).write(orders)
    assert answers() == 1


def test_the_clock_is_off_by_what_the_file_says(orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import aiortc.clock
    import onnxruntime

    for module, name in (
        (time, "time"),
        (time, "time_ns"),
        (aiortc.clock, "current_datetime"),
        (onnxruntime.InferenceSession, "run"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name))
    before_s, steady_s = time.time(), time.monotonic()
    odd.install(Desk(orders))
    Orders(wall_s=-86_400.0).write(orders)
    passed_s = time.monotonic() - steady_s
    assert time.time() - before_s == pytest.approx(passed_s - 86_400, abs=1)
    assert time.time_ns() / 1e9 == pytest.approx(time.time(), abs=1)
    assert aiortc.clock.current_datetime().timestamp() == pytest.approx(time.time(), abs=1)


def test_many_threads_share_the_ordered_runs(orders: Path) -> None:
    desk = Desk(orders)
    Orders("raises", runs=10).write(orders)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.extend(desk.next_run() for _ in range(20))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count("raises") == 10 and len(found) == 80


def drive() -> Drive:
    """Two publishers of a kind: one is quiet for 3 s after the network's return, the other comes back in a second
    session and then never again."""
    phases = [
        Phase("blackout 1", 0, 10),
        Phase("after 1", 10, 20),
        Phase("blackout 2", 20, 30),
        Phase("after 2", 30, 40),
    ]
    sessions = {
        "s1": {"label": "kind-0", "suggestions": [[13.0, 5.0], [14.0, 7.0], [31.0, 5.0]]},
        "s2": {"label": "kind-1", "suggestions": [[2.0, 5.0]]},
        "s3": {"label": "kind-1", "suggestions": [[11.0, None]]},
        "s4": {"label": "other-0", "suggestions": [[10.5, 1.0]]},
    }
    posts: list[list[Any]] = [[0.0, 201, "s1"], [1.0, 0, ""]]
    return Drive(phases, {"kind-0": posts, "kind-1": [], "other-0": []}, sessions)


def test_how_long_until_suggestions_come_again() -> None:
    assert resumed_s(drive(), "kind") == [3.0, 1.0, 1.0, float("inf")]
    assert resumed_s(drive(), "other") == [0.5, float("inf")]


def test_figures_of_publishers_of_one_kind_are_put_together() -> None:
    out = Outcome("network")
    report(out, drive(), "kind")
    found = {(row.metric, row.labels.get("phase")): (row.value, row.n) for row in out.rows}
    assert found["suggestions_a_second", "after 1"] == (pytest.approx(0.15), 3)
    assert found["longest_gap_s", "after 2"] == (10.0, 1)
    assert found["sessions", None] == (3, 2) and found["offers_answered", None] == (1, 2)
    out.spread("x_s", [1.0, 9.0, 2.0], case="c")
    assert (out.rows[-1].value, out.rows[-1].labels["most"]) == (2.0, 9.0)
    out.spread("nothing", [])
    assert out.rows[-1].metric == "x_s"


def test_a_sender_goes_on_with_the_other_codec() -> None:
    import asyncio

    from aiortc.rtcrtpparameters import RTCRtpCodecParameters as Codec

    kinds = [Codec("video/VP8", 90_000, payloadType=96), Codec("video/rtx", 90_000, payloadType=97)]
    kinds.append(Codec("video/H264", 90_000, payloadType=98, parameters={"packetization-mode": "1"}))
    asked: list[int | None] = []

    async def encode(codec: Codec) -> None:
        asked.append(codec.payloadType)

    transceiver: Any = SimpleNamespace(sender=SimpleNamespace(_next_encoded_frame=encode), _codecs=kinds)
    names = switch_codec(transceiver)
    assert names == []  # not before the next frame
    for _ in range(2):
        asyncio.run(transceiver.sender._next_encoded_frame(kinds[0]))
    assert names == ["VP8", "H264"] and asked == [98, 98]


def test_wild_times_go_half_of_all_times_forward_and_back() -> None:
    import asyncio

    async def times() -> list[int | None]:
        track = Wild([b"a", b"b"])
        return [(await track.recv()).pts for _ in range(4)]

    assert asyncio.run(times()) == [0, 2**31 - 1, 0, 2**31 - 1]


def test_a_wire_carries_loses_and_is_taken_down_again() -> None:
    """The one test that makes devices; the judge alone is tested elsewhere."""
    import os
    import shutil
    import subprocess

    if os.name != "posix" or os.geteuid() != 0 or not TUN.exists() or shutil.which("ip") is None:
        pytest.skip("network namespaces need root, /dev/net/tun and iproute2")
    import sys

    ping = (
        "import socket\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"s.settimeout(2); s.sendto(b'x', ({SIDES[1]!r}, 9000))\n"
        "try: print(s.recv(9).decode())\n"
        "except OSError: print('lost')\n"
    )
    pong = (
        "import socket\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        f"s.bind(({SIDES[1]!r}, 9000)); print('up', flush=True)\n"
        "while True: s.sendto(b'pong', s.recvfrom(9)[1])\n"
    )
    from benchmarks.faults.outcome import SkippedError

    try:
        with wire(1) as between:

            def ask() -> str:
                words = [*between.inside[0], sys.executable, "-c", ping]
                return subprocess.run(words, capture_output=True, text=True, timeout=20).stdout.strip()

            answering = subprocess.Popen(
                [*between.inside[1], sys.executable, "-c", pong], stdout=subprocess.PIPE, text=True
            )
            try:
                assert answering.stdout is not None and answering.stdout.readline() == "up\n"
                assert ask() == "pong"
                between.set(Network(down=True))
                assert ask() == "lost" and between.judge.lost > 0
            finally:
                answering.kill()
                answering.communicate()
    except SkippedError as error:
        pytest.skip(str(error))
    names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, timeout=20).stdout
    assert f"segue-{os.getpid()}-" not in names
