"""The doctor finds by trying: what it calls broken makes the command end with 2, and nothing makes it fall over."""

import asyncio
import builtins
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fake_obs
import pytest

from engines.choose import BY_NAME, NAMES, EngineOptions
from stream import checks, doctor, engine_trial, index_checks
from stream.engine_trial import TrialResult, trial
from stream.findings import Check, CheckOptions, Finding
from stream.sources.webrtc import aiortc_compat
from stream.sources.webrtc.aiortc_compat import Relied

ASKED = CheckOptions()


@pytest.mark.parametrize("check", [check for check in checks.CHECKS if check is not checks.engines])
def test_each_check_finds_something_and_names_the_state(check: Check) -> None:
    findings = list(doctor.run_check(check, ASKED))
    assert (findings or check is index_checks.index) and {finding.state for finding in findings} <= {
        "ok",
        "absent",
        "broken",
    }
    assert not any("the check itself failed" in finding.text for finding in findings)


def test_every_engine_is_tried_and_the_cpu_runs_the_bundle(tiny_bundle: Path) -> None:
    found = list(checks.engines(CheckOptions(limit_s=60, bundle=tiny_bundle)))
    assert [finding.part for finding in found] == [f"engine {name}" for name in NAMES]
    auto, cpu = found[:2]
    assert (
        auto.state == "ok"
        and set(auto.data["order"]) == {*NAMES[1:]} - {*BY_NAME}
        and auto.text.startswith("tries tensorrt")
    )
    assert cpu.state == "ok" and cpu.data["engine"] == "onnx-cpu-1" and cpu.data["clip_ms"] > 0
    assert "a clip of video in" in cpu.text
    for finding in found[2:]:
        assert finding.state in ("ok", "absent") and finding.text
    assert found[-1].part == "engine triton" and "--triton URL" in found[-1].text


def test_clients_of_servers_are_named_with_what_brings_them(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"pymilvus": "3.0.2", "psycopg": "3.3.9"}
    monkeypatch.setattr(index_checks, "installed", there.get)
    found = {finding.part: finding for finding in index_checks.machines(ASKED)}
    assert {part: finding.state for part, finding in found.items()} == {
        "Milvus": "ok", "PostgreSQL": "absent", "Dask": "absent"
    }  # fmt: skip
    assert found["Milvus"].text == "pymilvus 3.0.2" and found["Milvus"].data == {"pymilvus": "3.0.2"}
    assert found["PostgreSQL"].text == (
        'pgvector not installed (but psycopg 3.3.9); pip install ".[postgres]" brings it'
    )


@pytest.mark.parametrize(
    ("index", "state", "says"),
    [
        ("compact", "ok", "needs no server"),
        ("fast", "broken", "choose one of flat, compact"),
        ("redis://me:secret@host", "broken", "there is none of that name"),
        ("postgres://me:secret@127.0.0.1:1/music", "broken", "see that PostgreSQL runs"),
        ("milvus://me:secret@127.0.0.1:1", "broken", "see that the Milvus server runs"),
    ],
)
def test_an_index_that_is_named_is_asked_whether_it_is_there(index: str, state: str, says: str) -> None:
    [finding] = index_checks.index(CheckOptions(index=index))
    assert (finding.part, finding.state) == ("index", state) and says in finding.text and "secret" not in finding.text


def test_a_damaged_bundle_is_found(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    (finding,) = checks.bundle(CheckOptions(bundle=tmp_path))
    assert finding.state == "broken" and "manifest.json" in finding.text
    assert "manifest.json" in trial("onnx-cpu", tmp_path, EngineOptions(), 60).reason


def test_the_bundle_is_named_by_its_identity(tiny_bundle: Path) -> None:
    (finding,) = checks.bundle(CheckOptions(bundle=tiny_bundle))
    assert finding.state == "ok" and len(finding.data["identity"]) == 64
    assert finding.data["identity"][:12] in finding.text


def test_an_engine_that_takes_too_long_is_ended(tiny_bundle: Path) -> None:
    found = trial("onnx-cpu", tiny_bundle, EngineOptions(), 0.001)
    assert found == TrialResult("", None, "not ready within 0.001 s; --limit S waits longer")


@pytest.mark.parametrize(
    ("code", "out", "err", "said"),
    [
        (0, 'noise\n{"engine": "x", "clip_ms": 1.5, "reason": ""}\n', "", ""),
        (-11, "", "", "its process was killed (SIGSEGV): the driver or the runtime broke"),
        (1, "noise", "a\nlast words\n", "its process ended with 1: last words"),
        (1, "[]", "", "its process ended with 1: it said nothing"),
    ],
)
def test_however_the_process_of_an_engine_ends(code: int, out: str, err: str, said: str) -> None:
    assert engine_trial.read_answer(code, out, err).reason == said


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("absent", 0), ("broken", 2)])
def test_only_what_is_broken_fails(
    state: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(_: CheckOptions) -> Iterator[Finding]:
        yield Finding("lamp", state, "because")

    monkeypatch.setattr(doctor, "CHECKS", (check,))
    assert doctor.main(["--json"]) == code
    assert json.loads(capsys.readouterr().out) == {"part": "lamp", "state": state, "text": "because"}


def test_a_check_that_fails_or_hangs_is_a_finding_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    go = threading.Event()

    def fails(_: CheckOptions) -> Iterator[Finding]:
        yield Finding("first", "ok", "[brackets] are text")
        raise OSError("libx.so: no such file")

    def hangs(_: CheckOptions) -> Iterator[Finding]:
        assert go.wait(30)
        yield Finding("late", "ok", "")

    def works(_: CheckOptions) -> Iterator[Finding]:
        yield Finding("last", "ok", "still here", {"figure": 3})

    monkeypatch.setattr(doctor, "CHECKS", (fails, hangs, works))
    assert doctor.main(["--json", "--limit", "0.01"]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["part"] for one in said] == ["first", "fails", "hangs", "last"]
    assert said[1]["text"] == "the check itself failed: OSError: libx.so: no such file"
    assert "no answer within 0.01 s" in said[2]["text"] and said[3]["data"] == {"figure": 3}
    assert doctor.main(["--limit", "0.01"]) == 0
    assert "[brackets] are text" in capsys.readouterr().out
    go.set()


@pytest.mark.parametrize("gone", ["onnxruntime", "faiss", "av", "aiortc", "numpy", "features.speech"])
def test_whatever_is_missing_there_is_no_traceback(gone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Imports fail as they do where a package is not installed, or its libraries are not there."""
    really = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == gone or name.startswith(f"{gone}."):
            raise ImportError(f"lib{gone}.so: cannot open shared object file", name=gone)
        return really(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr(checks, "installed", lambda name: None)
    found = [f for check in checks.CHECKS if check is not checks.engines for f in doctor.run_check(check, ASKED)]
    assert {finding.state for finding in found} <= {"ok", "absent", "broken"}
    if gone in ("onnxruntime", "faiss", "av"):
        assert any(finding.state == "broken" and gone in finding.text for finding in found)


def test_the_doctor_says_which_path_webrtc_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = checks.webrtc(ASKED)
    assert found.state == "ok" and "aiortc 1." in found.text
    monkeypatch.setattr(aiortc_compat, "RELIED", (Relied("aiortc.rate", "Odd.add", "self"),))
    (found,) = checks.webrtc(ASKED)
    assert found.state == "absent" and "plain path" in found.text and "aiortc.rate.Odd.add is missing" in found.text


def test_two_packages_of_one_runtime_clash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "installed", lambda name: "1")
    texts = [finding.text for finding in checks.packages(ASKED) if finding.state == "broken"]
    assert any("onnxruntime and onnxruntime-gpu overwrite each other's files" in text for text in texts)


@pytest.mark.parametrize(
    ("code", "out", "err", "state", "said"),
    [
        (0, "NVIDIA H200, 570.1, 143771 MiB, 9.0\n", "", "ok", "0: NVIDIA H200, 570.1, 143771 MiB, 9.0"),
        (9, "", "NVIDIA-SMI has failed because it couldn't communicate\nmore", "absent", "NVIDIA-SMI has failed"),
    ],
)
def test_what_nvidia_smi_says(
    code: int, out: str, err: str, state: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks.shutil, "which", lambda name: f"/usr/bin/{name}")
    done = subprocess.CompletedProcess([], code, out, err)
    monkeypatch.setattr(checks.subprocess, "run", lambda *_, **__: done)
    (finding,) = checks.gpu(ASKED)
    assert finding.state == state and said in finding.text


def test_the_command_says_where_things_stand(tiny_bundle: Path) -> None:
    """As a user starts it; exit code 0 on a machine that can do the main job, whatever else is missing."""
    command = [sys.executable, "segue.py", "doctor", "--json", "--limit", "60", "--bundle", str(tiny_bundle)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, cwd=Path(__file__).parents[2])
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    parts = [json.loads(line)["part"] for line in done.stdout.splitlines()]
    wanted = {
        "machine",
        "gpu",
        "packages",
        "runtime",
        "bundle",
        "engine onnx-cpu",
        "search",
        "video in",
        "srt",
        "voice",
    }
    assert wanted | {"WebRTC", "port", "cameras", "OBS", "engine tensorrt"} <= set(parts)


def found_of_obs(monkeypatch: pytest.MonkeyPatch, **manner: Any) -> Finding:
    """What the doctor says of a fake OBS."""

    async def scene() -> Finding:
        async with fake_obs.FakeObs(**manner) as obs:
            monkeypatch.setattr(checks, "OBS_PORT", obs.port)
            (finding,) = await asyncio.to_thread(lambda: list(checks.obs(ASKED)))
            return finding

    return asyncio.run(scene())


def test_obs_is_found_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    open_, locked = found_of_obs(monkeypatch), found_of_obs(monkeypatch, password="secret")
    assert open_.state == locked.state == "ok" and locked.data["password"] and not open_.data["password"]
    assert "asks for its password: segue serve --obs ws://127.0.0.1:" in locked.text


def test_what_is_no_obs_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "OBS_S", 0.3)
    assert "is not OBS" in found_of_obs(monkeypatch, manner="strange").text
    assert "nothing at ws://" in found_of_obs(monkeypatch, manner="silent").text
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setattr(checks, "OBS_PORT", unused.getsockname()[1])
        (finding,) = checks.obs(ASKED)
    assert finding.state == "absent" and "WebSocket Server Settings" in finding.text
