"""A benchmark that is told to stop leaves no process behind."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from benchmarks.stopping import STOPPED, stopped_by_sigterm

PATIENCE_S = 60.0
BEGINS = """
import subprocess, sys, time
from benchmarks.stopping import stopped_by_sigterm
with stopped_by_sigterm():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        print(child.pid, flush=True)
        time.sleep(60)
    finally:
        child.kill()
        child.wait()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM that a program hears")
def test_what_it_began_ends_too() -> None:
    root = str(Path(__file__).parents[2])
    with subprocess.Popen([sys.executable, "-c", BEGINS], stdout=subprocess.PIPE, cwd=root) as bench:
        assert bench.stdout is not None
        child = int(bench.stdout.readline())
        os.kill(child, 0)
        bench.terminate()
        assert bench.wait(PATIENCE_S) == STOPPED
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


def test_the_handler_before_is_set_again() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stopped_by_sigterm():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_outside_the_main_thread_nothing_is_set() -> None:
    found: list[object] = []

    def work() -> None:
        with stopped_by_sigterm():
            found.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]
