"""``benchmarks/gpu.sh`` where there is no GPU: what it would do, and that a step that fails stops nothing.

What it does on a GPU has never been run.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import benchmarks.harness

SCRIPT = Path(benchmarks.harness.__file__).parent / "gpu.sh"
BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(BASH is None, reason="no bash here")
STEPS = ["environment", "venv", "install", "versions", "doctor", "plans", "plans-cached", "engines", "search"]


def run(*argv: str, path: str = "", cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "PATH": path or os.environ["PATH"]}
    return subprocess.run(
        [str(BASH), str(SCRIPT), *argv], capture_output=True, text=True, timeout=60, env=env, cwd=cwd, check=False
    )


def program(folder: Path, name: str, body: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    return file


def test_dry_run_says_all_and_does_nothing(tmp_path: Path) -> None:
    done = run("--dry-run", "--out", str(tmp_path / "out"), "--work", str(tmp_path / "work"), "--run", "my run")
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(":", 1) for line in done.stdout.splitlines())
    assert list(lines) == [*STEPS, "report"]
    assert r"\[gpu\,tensorrt\,train\]" in lines["install"]
    assert "export --plans" in lines["plans"] and "--plan-report" in lines["plans"]
    assert "bench engines -b" in lines["engines"] and r"--run my\ run" in lines["engines"]
    assert list(tmp_path.iterdir()) == []


def test_without_installing(tmp_path: Path) -> None:
    done = run("--dry-run", "--no-install", "--quick", "--python", "/opt/py", "--out", str(tmp_path / "out"))
    lines = dict(line.split(":", 1) for line in done.stdout.splitlines())
    assert list(lines) == [step for step in STEPS if step not in ("venv", "install")] + ["report"]
    assert lines["doctor"].split()[0] == "/opt/py" and "--quick" in lines["engines"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--oops"], "unknown option --oops"),
        (["--out"], "--out needs a value"),
        (["--device", "x"], "--device is x, must be a number"),
        (["--bundle", "/nowhere"], "/nowhere holds no bundle"),
    ],
)
def test_bad_usage(argv: list[str], said: str) -> None:
    done = run(*argv)
    assert done.returncode == 2 and said in done.stderr and done.stdout == ""


def test_help() -> None:
    done = run("--help")
    assert done.returncode == 0 and "--dry-run" in done.stdout and "#" not in done.stdout


def test_a_step_that_fails_is_recorded_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Stand-ins for the driver's tool and for Python, which cannot build plans today."""
    tools = tmp_path / "tools"
    program(tools, "nvidia-smi", 'case "$*" in *query-gpu=name*) echo "NVIDIA Test 3000";; *) echo fine;; esac')
    python = program(tools, "fakepython", 'case "$*" in *"export --plans"*) echo no plan >&2; exit 3;; esac; echo "$@"')
    out = tmp_path / "out"
    path = f"{tools}:{os.environ['PATH']}"
    done = run("--no-install", "--python", str(python), "--out", str(out), "--work", str(tmp_path / "w"), path=path)
    assert done.returncode == 1, done.stderr
    rows = [line.split("\t") for line in (out / "steps.tsv").read_text().splitlines()]
    assert [row[0] for row in rows] == [step for step in STEPS if step not in ("venv", "install")]
    assert {row[0]: row[1] for row in rows if row[1] != "0"} == {"plans": "3", "plans-cached": "3"}
    assert "failed (3)" in done.stderr and "no plan" in done.stderr
    report = (out / "REPORT.md").read_text()
    assert report.startswith("# NVIDIA Test 3000, ") and "| plans | **failed** (3) |" in report
    assert "| engines | done |" in report
    assert "bench engines -b" in (out / "logs" / "engines.log").read_text()


def test_the_folder_is_named_after_the_gpu(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    program(tools, "nvidia-smi", 'echo "NVIDIA GeForce RTX 5090 (D)"')
    done = run("--dry-run", path=f"{tools}:{os.environ['PATH']}")
    assert "/benchmarks/results/nvidia-geforce-rtx-5090-d-2" in done.stdout
