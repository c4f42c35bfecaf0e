"""An engine and a clock that do as a file says; publishers that do as a script says; networks and their figures."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.faults import fault_hooks
from benchmarks.faults.fault_hooks import REASON, OrderFile, Orders, hooked
from benchmarks.faults.lossy_net import SIDES, TUN, LossyNet, Network, lossy_net
from benchmarks.faults.media import Wild, switch_codec
from benchmarks.faults.network import Drive, Phase, report, resumed_s
from benchmarks.faults.outcome import Outcome, SkippedError
from benchmarks.faults.scripted_publisher import ScriptedTrack, Step, Viewer, schedule


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders"
    Orders().write(path)
    return path


def test_the_engine_does_as_the_file_says(orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = hooked(lambda session, names, inputs: [np.ones(2, np.float32)], OrderFile(orders))
    monkeypatch.setattr(fault_hooks, "HANG_S", 0.0)

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
    fault_hooks.install(OrderFile(orders))
    Orders(wall_s=-86_400.0).write(orders)
    passed_s = time.monotonic() - steady_s
    assert time.time() - before_s == pytest.approx(passed_s - 86_400, abs=1)
    assert time.time_ns() / 1e9 == pytest.approx(time.time(), abs=1)
    assert aiortc.clock.current_datetime().timestamp() == pytest.approx(time.time(), abs=1)


def test_many_threads_share_the_ordered_runs(orders: Path) -> None:
    file = OrderFile(orders)
    Orders("raises", runs=10).write(orders)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.extend(file.next_run() for _ in range(20))) for _ in range(4)]
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
    viewers = [
        viewer("kind-0", (13.0, 5.0), (14.0, 7.0), (31.0, 5.0)),
        viewer("kind-1", (2.0, 5.0)),
        viewer("kind-1", (11.0, None)),
        viewer("other-0", (10.5, 1.0)),
        viewer("other-1"),
    ]
    return Drive(phases, {"kind": [201, 0], "other": []}, viewers)


def viewer(label: str, *suggestions: tuple[float, float | None]) -> Viewer:
    lists = [(at_s, {"type": "suggestions", "late_ms": late_ms}) for at_s, late_ms in suggestions]
    return Viewer(label=label, messages=[(0.5, {"type": "cut"}), *lists])


def test_how_long_until_suggestions_come_again() -> None:
    assert resumed_s(drive(), "kind") == [3.0, 1.0, 1.0, float("inf")]
    assert resumed_s(drive(), "other") == [0.5, *3 * [float("inf")]]


def test_figures_of_publishers_of_one_kind_are_put_together() -> None:
    out = Outcome("network")
    report(out, drive(), "kind", {"after 1": 0.2, "after 2": 0.0})
    assert len(out.broken) == 1 and "phase after 1: 0.15 1/s, promised are 0.2" in out.broken[0]
    found = {(row.metric, row.labels.get("phase")): (row.value, row.n) for row in out.rows}
    assert found["suggestions_a_second", "after 1"] == (pytest.approx(0.15), 3)
    assert found["longest_gap_s", "after 2"] == (10.0, 1)
    assert found["sessions", None] == (3, 2) and found["offers_answered", None] == (1, 2)
    out.spread("x_s", [1.0, 9.0, 2.0], case="c")
    assert (out.rows[-1].value, out.rows[-1].labels["most"]) == (2.0, 9.0)
    out.spread("y_s", [1.0, 9.0, 2.0], at_most=8.0)
    out.rows.pop()
    assert len(out.broken) == 2 and "9 s, promised are 8" in out.broken[1]
    out.spread("nothing", [])
    assert out.rows[-1].metric == "x_s"


def test_a_sender_goes_on_with_the_other_codec() -> None:
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
    async def times() -> list[int | None]:
        track = Wild([b"a", b"b"], 1000)
        return [(await track.recv()).pts for _ in range(4)]

    assert asyncio.run(times()) == [0, 2**31 - 1, 0, 2**31 - 1]


def test_a_network_carries_loses_and_is_taken_down_again() -> None:
    """The one test that makes devices; the judge alone is tested elsewhere."""
    if os.name != "posix" or os.geteuid() != 0 or not TUN.exists() or shutil.which("ip") is None:
        pytest.skip("network namespaces need root, /dev/net/tun and iproute2")
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

    def ask(net: LossyNet) -> str:
        words = [*net.before(0), sys.executable, "-c", ping]
        return subprocess.run(words, capture_output=True, text=True, timeout=20).stdout.strip()

    async def carried() -> None:
        async with lossy_net(1) as net:
            words = [*net.before(1), sys.executable, "-c", pong]
            answering = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE)
            try:
                assert answering.stdout is not None and await answering.stdout.readline() == b"up\n"
                assert await asyncio.to_thread(ask, net) == "pong"
                net.judge.network = Network(down=True)
                assert await asyncio.to_thread(ask, net) == "lost" and net.judge.lost > 0
                with net.processes(0, 1) as pool:
                    links = await asyncio.to_thread(pool.apply_async(socket.if_nameindex).get, 20)
                assert sorted(name[:6] for _, name in links) == ["lo", "segue-"]
            finally:
                answering.kill()
                await answering.wait()

    try:
        asyncio.run(carried())
    except SkippedError as error:
        pytest.skip(str(error))
    names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, timeout=20).stdout
    assert f"segue-{os.getpid()}-" not in names


def test_pictures_follow_the_script() -> None:
    steps = (Step(1.0, 2), Step(1.0, 1, jump_s=-5.0), Step(0.5, 2, 64, 48))
    pictures = [(sent_s, pts_s, step.width) for sent_s, pts_s, step in schedule(*steps, begin_s=100.0)]
    assert pictures == [(0.0, 100.0, 320), (0.5, 100.5, 320), (1.0, 96.0, 320), (2.0, 97.0, 64)]


def test_a_scripted_track_sends_its_pictures_and_is_silent_then() -> None:
    async def sent() -> list[tuple[Any, ...]]:
        track = ScriptedTrack(Step(0.2, 10, 64, 48), begin_s=1.0)
        frames = [await track.recv() for _ in range(2)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(track.recv(), 0.05)
        return [(frame.pts, frame.time_base, frame.width, frame.height) for frame in frames]

    assert asyncio.run(sent()) == [(number, Fraction(1, 90_000), 64, 48) for number in (90_000, 99_000)]
