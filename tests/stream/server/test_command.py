"""``segue serve`` as a program: its first line, its end, and what it says to a user's mistakes."""

import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest


def segue(*words: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "segue", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_it_says_where_it_is_and_ends_with_0_when_interrupted(small_catalog: Path, tiny_bundle: Path) -> None:
    with segue("serve", "-c", small_catalog, "--bundle", tiny_bundle, "--port", "0") as process:
        watchdog = threading.Timer(60, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "http://127.0.0.1:" in line, line
            url = next(word for word in line.split() if word.startswith("http://"))
            assert httpx.get(f"{url}healthz").json()["tracks"] == 7
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
        finally:
            watchdog.cancel()
            process.kill()
    assert process.returncode == 0
    assert errors == ""


def test_a_port_in_use_is_one_line_and_2(small_catalog: Path, tiny_bundle: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        out, errors = refused("serve", "-c", small_catalog, "--bundle", tiny_bundle, "--port", str(port))
    assert out == ""
    assert str(port) in errors and "--port" in errors


def test_no_catalogue_is_one_line_and_2(tmp_path: Path, tiny_bundle: Path) -> None:
    _, errors = refused("serve", "-c", tmp_path / "nothing", "--bundle", tiny_bundle, "--port", "0")
    assert "nothing" in errors


def test_no_such_address_is_one_line_and_2(small_catalog: Path, tiny_bundle: Path) -> None:
    _, errors = refused("serve", "-c", small_catalog, "--bundle", tiny_bundle, "--host", "no.such.host.invalid")
    assert "no.such.host.invalid" in errors


def refused(*words: str | Path) -> tuple[str, str]:
    """Output and errors of a run that must end with 2 and one line."""
    with segue(*words) as process:
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 2, errors
    assert errors.count("\n") == 1 and errors.startswith("segue serve: "), errors
    return out, errors
