"""What stands against a worker: each cause with its cure; and that it analyses nothing unasked."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from catalog import dask_probe, dask_worker
from catalog.dask_probe import look
from catalog.dask_team import LOOK
from catalog.dask_worker import Away, Broken, NotReady, Order, analyse_here, differs, get_ready, glimpse, identity_of
from catalog.worker import AnalysedFile, EngineSpec, Job, RejectedFile
from engines.bundle import load_bundle
from engines.tensorrt_build import Plan
from export.rtx_plans import RtxPlans, add_plans
from features.spec import FEATURES

pytestmark = pytest.mark.timeout(120)  # what hangs fails
NANNY = SimpleNamespace(nanny="tcp://nanny")


@pytest.fixture
def song(tmp_path: Path, write_music: Callable[..., Path]) -> Path:
    return write_music(tmp_path / "song.wav", duration_s=2)


@pytest.fixture
def order(song: Path, tiny_bundle: Path) -> Order:
    spec = EngineSpec(str(tiny_bundle))
    return Order("a run", spec, identity_of(spec.bundle), frozenset({"known"}), (glimpse(song, 100),))


@pytest.fixture(autouse=True)
def _as_on_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_worker, "_runs", {})
    monkeypatch.setattr("distributed.get_worker", lambda: SimpleNamespace(address="tcp://here"))


def complaint(order: Order, worker: Any = NANNY) -> str:
    return asyncio.run(get_ready(order, worker))


def test_a_worker_that_is_fit(order: Order, song: Path) -> None:
    sizes = ((song, song.stat().st_size),)
    assert analyse_here(Job(song), sizes, "a run") == NotReady("tcp://here")
    assert complaint(order) == ""
    assert isinstance(analyse_here(Job(song), sizes, "a run"), AnalysedFile)
    assert analyse_here(Job(song), sizes, "another run") == NotReady("tcp://here")


def test_no_more_than_a_few_runs_are_remembered(order: Order, song: Path) -> None:
    for i in range(6):
        assert complaint(replace(order, run=f"run {i}")) == ""
    assert isinstance(analyse_here(Job(song), (), "run 1"), NotReady)
    assert isinstance(analyse_here(Job(song), (), "run 2"), AnalysedFile)


def test_files_that_are_not_seen_alike(order: Order, song: Path, tmp_path: Path) -> None:
    (absent,) = order.glimpses
    text = complaint(replace(order, glimpses=(replace(absent, path=tmp_path / "absent.wav"),)))
    assert "cannot read" in text and "absent.wav (No such file or directory); mount the folder" in text
    song.write_bytes(song.read_bytes()[:100] + b"another" + song.read_bytes()[107:])
    assert "has another file as" in complaint(order) and "not a copy" in complaint(order)


def test_a_bundle_that_is_not_there(order: Order, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    away = replace(order, spec=EngineSpec(str(tmp_path / "nowhere")))
    assert complaint(away).startswith(f"lacks the bundle {order.identity[:12]} (has none in {tmp_path / 'nowhere'}")
    # the one that ships with the program counts, wherever it lies on the worker
    monkeypatch.setattr("engines.bundle.default_bundle", lambda: Path(order.spec.bundle))
    assert complaint(away) == ""


def test_a_bundle_with_plans_is_still_itself(song: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    plans = RtxPlans("1.7", (Plan("mood", "float32", b"a plan", 1.0, "8.9"),), {}, (), "")
    add_plans(load_bundle(folder, FEATURES), plans)
    spec = EngineSpec(str(folder))
    assert identity_of(spec.bundle) == identity_of(str(tiny_bundle))
    assert complaint(Order("a run", spec, identity_of(spec.bundle), frozenset(), (glimpse(song, 100),))) == ""
    (folder / "manifest.json").write_text("{")
    assert identity_of(spec.bundle) == ""


def test_a_worker_that_still_holds_what_was_replaced(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    held = SimpleNamespace(bundle=SimpleNamespace(identity="another"))
    monkeypatch.setattr(dask_worker, "own_engine", lambda spec: held)
    assert "still holds the bundle" in complaint(order) and "start it again" in complaint(order)
    monkeypatch.setattr(dask_worker, "_loaded", lambda: "code of yesterday")
    assert "was started before the program on its disk was changed" in complaint(order)


def test_no_nanny(order: Order) -> None:
    assert "has no nanny" in complaint(order, SimpleNamespace(nanny=None))


def test_a_module_that_lacks_and_an_engine_that_does_not_open(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    dask_worker._warm_up.cache_clear()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "features.beats", None)
        assert complaint(order).startswith("lacks the module features.beats; install")
    other = replace(order, spec=replace(order.spec, engine="nonsense"))
    assert complaint(other).startswith("cannot analyse (EngineError: engine 'nonsense'")


def test_a_folder_that_hangs(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_worker, "READY_S", 0.01)
    monkeypatch.setattr(dask_worker, "_get_ready", lambda order: time.sleep(0.3))
    assert "is not ready after" in complaint(order) and "mounts" in complaint(order)


def test_a_file_that_is_seen_otherwise_during_the_run(order: Order, song: Path, tmp_path: Path) -> None:
    complaint(order)
    size = song.stat().st_size
    answer = analyse_here(Job(song), ((song, size + 1),), "a run")
    assert answer == Away("tcp://here", f"has {size} bytes of {song}, which has {size + 1} where it is indexed")
    answer = analyse_here(Job(song), ((song, size), (tmp_path / "song.cue", 5)), "a run")
    assert isinstance(answer, Away) and "song.cue: No such file" in answer.reason
    assert differs(((song, size),)) == ""


def test_a_folder_that_goes_while_a_file_is_read(order: Order, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complaint(order)
    sizes = ((song, song.stat().st_size),)

    def goes(job: Job, engine: object, known: object) -> RejectedFile:
        job.path.rename(job.path.with_suffix(".away"))
        return RejectedFile("cannot be read: Input/output error")

    monkeypatch.setattr(dask_worker, "analyse_file", goes)
    assert isinstance(analyse_here(Job(song), sizes, "a run"), Away)


def test_what_fails_unexpectedly_is_told_in_words(order: Order, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(job: Job, engine: object, known: object) -> RejectedFile:
        raise RecursionError("too deep")

    complaint(order)
    monkeypatch.setattr(dask_worker, "analyse_file", fails)
    assert analyse_here(Job(song), (), "a run") == Broken("tcp://here", "RecursionError: too deep")


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_freed_arrays_are_used_again() -> None:
    """In spite of what Dask's nanny sets: a process that frees and takes 4 MB a hundred times gets the same pages."""
    code = (
        "import resource, sys, numpy as np\nfrom catalog.dask_worker import keep_memory\n"
        "assert len(sys.argv) == 1 or keep_memory()\n"
        "def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "np.ones(500_000)\nbefore = faults()\nfor _ in range(100): np.ones(500_000)\nprint(faults() - before)"
    )
    counts = [
        int(subprocess.run([sys.executable, "-c", code, *keep], env={**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"},
                           capture_output=True, text=True, check=True, timeout=60).stdout)
        for keep in ([], ["keep"])
    ]  # fmt: skip
    assert counts[1] * 10 < counts[0], counts


def test_what_is_asked_by_text_is_what_is_said_here(monkeypatch: pytest.MonkeyPatch) -> None:
    told = eval(LOOK)
    assert told == look()
    assert set(told["versions"]) == {"Python", "system", "segue", *dask_probe.PACKAGES}
    assert told["versions"]["segue"].startswith("code ") and told["versions"]["NumPy"][0].isdigit()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert eval(LOOK)["versions"]["segue"] == dask_probe.ABSENT


def test_the_code_counts_whatever_its_line_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = SimpleNamespace(origin=str(tmp_path / "catalog" / "__init__.py"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    for folder in dask_probe.FOLDERS:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_bytes(b'"""One."""\n')
    first = dask_probe.code()
    (tmp_path / "engines" / "__init__.py").write_bytes(b'"""One."""\r\n')
    assert dask_probe.code() == first
    (tmp_path / "engines" / "__init__.py").write_bytes(b'"""Two."""\n')
    assert dask_probe.code() != first
