"""The load of the benchmarks: a publisher and a viewer at a real server, and what is asked of a comparison."""

import os
from pathlib import Path

import pytest

from benchmarks.capacity import CapacityOptions, check_fastrtc, freshness, measure
from benchmarks.errors import BenchError
from benchmarks.load import read_packets
from benchmarks.served import cores, free_port, loaded, served
from benchmarks.streams import SMALL, Shape, write_stream


def test_a_stream_has_the_shape_that_was_asked_for(tmp_path: Path) -> None:
    packets, fps = read_packets(write_stream(tmp_path / "stream.mp4", 2, shape=Shape(160, 90, 10, 100_000)))
    assert fps == 10 and len(packets) == 20
    assert all(packet.startswith(b"\0\0\0\1") for packet in packets)


def test_a_publisher_is_served_and_its_viewer_hears_of_it(catalogue: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    stream, port, on = write_stream(tmp_path / "stream.mp4", 2, shape=SMALL), free_port(), cores()
    words = ["serve", "-c", str(catalogue), "--bundle", str(tiny_bundle), "--port", str(port)]
    with served("segue", words, port, on) as server:
        with loaded(server.url, stream, 1, 6.0, on) as load:
            (told,) = load.result()
        assert server.sessions() == []
    assert told["refused"] == "" and told["sent"] > 0
    times_s = [message[1] for message in told["messages"]]
    assert len(times_s) >= 2 and times_s == sorted(times_s)
    assert all(message[0] > told["first_s"] and message[2] > 0 for message in told["messages"])


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    port = free_port()
    with (
        pytest.raises(BenchError, match="nowhere"),
        served("segue", ["serve", "-c", str(tmp_path / "nowhere"), "--port", str(port)], port, cores()),
    ):
        pass


def test_a_comparison_without_its_package_says_how_to_install_it(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.write_text("#!/bin/sh\nexit 1\n")
    bare.chmod(0o755)  # an interpreter that has it not
    for python in (str(tmp_path / "none"), str(bare)):
        with pytest.raises(BenchError, match=r"pip install -e '\.\[cpu\]' fastrtc"):
            check_fastrtc(python)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity") or len(cores()) < 2, reason="asks for two cores first")
def test_a_comparison_that_cannot_run_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="fastrtc"):
        measure(tmp_path, CapacityOptions(compare=True, python=str(tmp_path / "none")), lambda _: None)


def test_freshness_names_the_server() -> None:
    rows = freshness([float(n) for n in range(1, 102)], 1, "x")
    assert [row.value for row in rows] == [51.0, 96.0]
    assert all(row.n == 101 and row.labels == {"server": "x", "sessions": 1} for row in rows)
