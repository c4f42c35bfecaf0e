"""What each kind of ``segue bench`` needs: the base install and ``[cpu]`` for most, and the extra that it names."""

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.cli import ADDED, parser

ROOT = Path(__file__).parent.parent.parent
OWN = ("latency", "capacity", "live", "soak", "faults")
# Imported by nothing that a network needs to be timed; of these a machine with a GPU may have none.
PROGRAM = (
    "av aiortc aioice fastapi starlette uvicorn websockets soundfile mutagen watchfiles faiss httpx prometheus_client"
)
SAID = """
import contextlib, io, sys
sys.modules.update(dict.fromkeys(sys.argv[1].split(",")))
import segue
for words in sys.argv[2].split(","):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = segue.main(["bench", *words.split()])
        except SystemExit as ended:
            code = ended.code
    print(words.split()[0], code, err.getvalue().strip())
"""


def said(absent: str, *words: str) -> dict[str, str]:
    """Kind -> exit code and what was said, for each ``segue bench WORDS`` without the modules ``absent``."""
    argv = [sys.executable, "-W", "ignore", "-c", SAID, absent, ",".join(words)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return {kind: text.strip() for kind, text in (line.split(" ", 1) for line in done.stdout.splitlines())}


def helps(absent: str, *kinds: str) -> dict[str, str]:
    return said(absent, *(f"{kind} --help" for kind in kinds))


def test_every_kind_has_help_and_is_there() -> None:
    """A ``%`` in a help's text that argparse takes for its own shows only here."""
    top = parser()
    assert top.get_default("absent") == {}
    (kinds,) = (action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    assert set(kinds.choices) >= {*OWN, *ADDED}
    assert all("usage: segue bench" in kind.format_help() for kind in kinds.choices.values())


def test_only_what_drives_a_server_asks_for_the_extra(tmp_path: Path) -> None:
    found = helps("httpx", *OWN, *ADDED)
    assert {kind for kind, text in found.items() if text != "0"} == {"obs-first", "obs-ways", "obs-stream"}
    found |= said("httpx", "live", *(f"{kind} -c {tmp_path}" for kind in ("capacity", "soak", "faults")))
    for kind in ("obs-first", "obs-ways", "obs-stream", "live", "capacity", "soak", "faults"):
        assert found[kind] == '2 segue bench: the package httpx is not installed; pip install ".[bench]" brings it'


def test_engines_need_no_more_than_a_runtime() -> None:
    found = helps(PROGRAM.replace(" ", ","), "engines", "deblocking")
    assert found["engines"] == "0"
    assert found["deblocking"] == '2 segue bench: the package av is not installed; pip install "." brings it'
