"""``benchmarks/gpu.sh`` where there is no GPU: what it would do, that a step that fails or hangs stops nothing, wheels
in pieces, and the one report. What it does on a GPU has never been run.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import benchmarks.harness
from benchmarks import gpu_report

SCRIPT = Path(benchmarks.harness.__file__).parent / "gpu.sh"
BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(BASH is None or shutil.which("timeout") is None, reason="no bash here, or no timeout")
INSTALLING = ["venv", "install", "install-plugin"]
STEPS = ["environment", "versions", "doctor", "plans-rtx", "plans", "plans-cached"]
STEPS += ["engines", "engines-torch", "search", "engines-compile"]
FOR_A_GPU = {"plans", "plans-cached", "engines-compile"}
MINUTES_8 = 480


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


def python_that(folder: Path, case: str) -> Path:
    """Stands for Python with the program: ``case`` is a shell's, over all arguments; the report and pip are real."""
    real = f'case "$*" in *gpu_report.py*|*"pip install"*) exec {sys.executable} "$@";; {case} esac; echo "$@"'
    return program(folder, "fakepython", real)


def rows_of(report: Path) -> dict[str, dict[str, object]]:
    return {step["step"]: step for step in json.loads((report / "report.json").read_text())["steps"]}


def test_dry_run_says_all_and_does_nothing(tmp_path: Path) -> None:
    done = run("--dry-run", "--out", str(tmp_path / "out"), "--work", str(tmp_path / "work"), "--run", "my run")
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(":", 1) for line in done.stdout.splitlines())
    assert list(lines) == [*INSTALLING, *STEPS, "report"]
    assert r"\[gpu\,tensorrt\,rtx\,train\]" in lines["install"]
    assert "export --plans" in lines["plans"] and "--plan-report" in lines["plans"] and "--rtx" in lines["plans-rtx"]
    assert "bench engines -b" in lines["engines"] and r"--run my\ run" in lines["engines-torch"]
    assert list(tmp_path.iterdir()) == []


def test_the_limits_leave_time_for_the_last_step() -> None:
    lines = dict(line.split(":", 1) for line in run("--dry-run", "--no-install").stdout.splitlines())
    limits = {name: int(found[1]) for name, line in lines.items() if (found := re.match(r" \[(\d+) s\]", line))}
    assert list(limits) == STEPS and limits.pop(STEPS[-1]) == MINUTES_8  # what is left of it, and nothing is spent
    assert sum(limits.values()) <= MINUTES_8 - 20


def test_without_installing() -> None:
    done = run("--dry-run", "--no-install", "--python", "/opt/py")
    lines = dict(line.split(":", 1) for line in done.stdout.splitlines())
    assert list(lines) == [*STEPS, "report"]
    assert lines["doctor"].split()[2] == "/opt/py" and "--quick" in lines["engines"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--oops"], "unknown option --oops"),
        (["--out"], "--out needs a value"),
        (["--device", "x"], "--device is x, must be a number"),
        (["--bundle", "/nowhere"], "/nowhere holds no bundle"),
        (["--wheels", "/nowhere"], "/nowhere holds no SHA256SUMS; make it with --pack"),
        (["--pack", "folder"], "--pack needs a folder and wheels"),
        (["--pack", "folder", "/nowhere.whl"], "/nowhere.whl: there is no such file"),
    ],
)
def test_bad_usage(argv: list[str], said: str, tmp_path: Path) -> None:
    done = run(*argv, cwd=tmp_path)
    assert done.returncode == 2 and said in done.stderr and done.stdout == ""


def test_help() -> None:
    done = run("--help")
    assert done.returncode == 0 and "--dry-run" in done.stdout and "#" not in done.stdout


def test_it_is_a_script_that_bash_reads() -> None:
    assert subprocess.run([str(BASH), "-n", str(SCRIPT)], capture_output=True).returncode == 0


def test_a_step_that_fails_or_hangs_is_recorded_and_the_rest_goes_on(tmp_path: Path) -> None:
    """Stand-ins for the driver's tool and for Python, which cannot build plans and takes too long for a search."""
    tools = tmp_path / "tools"
    program(tools, "nvidia-smi", 'case "$*" in *query-gpu=name*) echo "NVIDIA Test 3000";; *) echo fine;; esac')
    case = '*"export --plans"*) echo no "|" plan >&2; exit 3;; *"bench search"*) echo counting; exit 124;;'
    out = tmp_path / "out"
    done = run(
        *("--no-install", "--python", str(python_that(tools, case)), "--out", str(out), "--work", str(tmp_path / "w")),
        path=f"{tools}:{os.environ['PATH']}",
    )
    assert done.returncode == 1, done.stderr
    steps = rows_of(out)
    assert list(steps) == STEPS
    failed = {name: (step["result"], step["reason"]) for name, step in steps.items() if step["result"] != "done"}
    no_plan = ("failed (3)", "no plan")
    plans = dict.fromkeys(["plans-rtx", "plans", "plans-cached"], no_plan)
    assert failed == plans | {"search": ("over 30 s", "counting")}
    report = (out / "REPORT.md").read_text()
    assert report.startswith("# NVIDIA Test 3000, ") and "| plans | **failed (3)** | " in report
    assert "| engines | done | " in report
    assert "bench engines -b" in (out / "logs.txt").read_text()
    assert {file.name for file in out.iterdir()} == {"REPORT.md", "report.json", "clocks.csv", "logs.txt"}


def test_what_programs_print_does_not_cost_the_report(tmp_path: Path) -> None:
    """More than the report's log holds, and a progress bar in the line that becomes the reason."""
    tools, out = tmp_path / "tools", tmp_path / "out"
    case = r"*doctor*) head -c 5000000 /dev/zero | tr '\0' x;;"
    case += r"""*"bench search"*) printf '10%%\r20%%\f no room\n'; exit 1;;"""
    done = run(
        *("--no-install", "--python", str(python_that(tools, case)), "--out", str(out), "--work", str(tmp_path / "w"))
    )
    assert "report: " in done.stdout, done.stderr
    assert rows_of(out)["search"]["reason"] == "10% 20% no room"
    assert (out / "logs.txt").stat().st_size == 4_000_000


def test_without_a_gpu_what_needs_one_says_so_and_the_rest_runs(tmp_path: Path) -> None:
    tools, out = tmp_path / "tools", tmp_path / "out"
    program(tools, "nvidia-smi", "echo no devices were found >&2; exit 6")
    words = ["--no-install", "--python", str(python_that(tools, "")), "--out", str(out), "--work", str(tmp_path / "w")]
    done = run(*words, path=f"{tools}:{os.environ['PATH']}")
    assert done.returncode == 1 and "plans: no GPU" in done.stdout
    results = {name: step["result"] for name, step in rows_of(out).items()}
    assert results == {step: "no GPU" if step in FOR_A_GPU else "done" for step in STEPS}
    assert (out / "REPORT.md").read_text().startswith("# no GPU, ")


def wheel(folder: Path, name: str) -> Path:
    """A package of one module, of a size that is cut."""
    file = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}.py", "HERE = True\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
        archive.writestr(f"{name}.bin", os.urandom(41_000_000))
    return file


def test_wheels_in_pieces_are_joined_checked_and_installed(tmp_path: Path) -> None:
    tools, wheels, work = tmp_path / "tools", tmp_path / "wheels", tmp_path / "w"
    assert run("--pack", str(wheels), str(wheel(tmp_path, "carried_here"))).returncode == 0
    assert sorted(file.name for file in wheels.iterdir()) == [
        "SHA256SUMS",
        "carried_here-1.0-py3-none-any.whl.part-00",
        "carried_here-1.0-py3-none-any.whl.part-01",
    ]
    words = ["--no-install", "--python", str(python_that(tools, "")), "--work", str(work), "--wheels", str(wheels)]
    run(*words, "--out", str(tmp_path / "out"))
    assert rows_of(tmp_path / "out")["wheels"]["result"] == "done"
    assert (work / "site" / "carried_here.py").read_text() == "HERE = True\n"
    shutil.rmtree(work)
    words[-3:] = ["w", "--wheels", "wheels"]
    run(*words, "--out", "near", cwd=tmp_path)
    assert rows_of(tmp_path / "near")["wheels"]["result"] == "done"
    shutil.rmtree(work)
    (wheels / "carried_here-1.0-py3-none-any.whl.part-01").write_bytes(b"damaged")
    run(*words, "--out", str(tmp_path / "again"), cwd=tmp_path)
    step = rows_of(tmp_path / "again")["wheels"]
    assert step["result"] == "failed (1)" and "did NOT match" in str(step["reason"])
    assert not (work / "site" / "carried_here.py").exists()


def test_the_folder_is_named_after_the_gpu(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    program(tools, "nvidia-smi", 'echo "NVIDIA GeForce RTX 5090 (D)"')
    done = run("--dry-run", path=f"{tools}:{os.environ['PATH']}")
    assert "/benchmarks/results/nvidia-geforce-rtx-5090-d-2" in done.stdout


def test_the_report_holds_the_results_and_names_what_cannot_be_read(tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    steps = "engines\tdone\t7\t120\t\nsearch\tover 30 s\t30\t30\tlast | words\r\u2028\n"
    (tmp_path / "steps.tsv").write_text(steps, encoding="utf-8", newline="")
    rows = [{"engine": "tensorrt", "precision": "float32", "metric": "available", "value": 0, "reason": "no driver"}]
    (results / "engines.json").write_text(json.dumps({"v": 1, "rows": rows}))
    (results / "engines.md").write_text("## Engines\n")
    (results / "search.json").write_text('{"v": 1, "ro')
    gpu_report.main(tmp_path, tmp_path, "a GPU", "abc")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["results"]["engines"]["rows"] == rows and report["steps"][1]["reason"] == "last | words"
    assert len(report["steps"]) == 2
    text = (tmp_path / "REPORT.md").read_text()
    assert "- engines: tensorrt float32 did not run: no driver" in text and text.endswith("## Engines\n")
    assert "`search.json` cannot be read: " in text
    assert (tmp_path / "engines.json").exists() and not (tmp_path / "search.json").exists()
