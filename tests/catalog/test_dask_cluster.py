"""Indexing on a real Dask cluster of this machine: the same catalogue as here, whatever becomes of its workers.

Its workers run ``PRELOAD``, by which the names of files decide what they do to the process that reads them. The
scheduler gives a task up with the first worker that dies, so that innocent tasks fail as well.
"""

import os
import pickle
import shutil
import signal
import sqlite3
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster

import segue
from catalog.clips import CLIPS
from catalog.dask_pool import on_cluster
from catalog.database import DATABASE, open_to_write
from catalog.errors import ClusterError
from catalog.indexer import index_folder
from catalog.report import IndexReport
from catalog.worker import AnalysedFile, EngineSpec, Job, RejectedFile
from engines.onnx_engine import OnnxEngine

pytestmark = pytest.mark.timeout(120)  # what hangs fails
Writer = Callable[..., Path]

PRELOAD = """
import os, signal
from catalog import worker

plain = worker.__dict__.setdefault("plain", worker.analyse_file)  # Dask may load this file twice

def analyse_file(job, engine, known):
    if job.path.name.startswith("kills"):
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(job, engine, known)

worker.analyse_file = analyse_file
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "preload.py").write_text(PRELOAD)
    with (
        # LocalCluster closes the nanny of a worker that is not there when it looks, some time after one has died; one
        # that dies a second time meanwhile would not be started again.
        dask.config.set({"distributed.scheduler.allowed-failures": 0, "distributed.deploy.lost-worker-timeout": "1h"}),
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", local_directory=str(folder),
            preload=[str(folder / "preload.py")], silence_logs="CRITICAL",
        ) as made,
    ):  # fmt: skip
        yield made


@pytest.fixture
def music(tmp_path: Path, write_music: Writer) -> Path:
    folder = tmp_path / "music"
    for i, name in enumerate(("a.wav", "deep/er/b.ogg", "c.mp3", "d.flac", "e.ogg", "f.wav")):
        write_music(folder / name, duration_s=6 if name == "d.flac" else 2, seed=i, bpm=90 + 9 * i)
    (folder / "d.cue").write_text(
        'FILE "d.flac" WAVE\n  TRACK 01 AUDIO\n    TITLE "One"\n    INDEX 01 00:00:00\n'
        '  TRACK 02 AUDIO\n    TITLE "Two"\n    INDEX 01 00:03:00\n'
    )
    (folder / "text.mp3").write_text("no music\n" * 500)
    return folder


class Told(list[str]):
    """What the index says of the cluster."""

    def __call__(self, text: str) -> None:
        self.append(text)


@pytest.fixture
def index(tmp_path: Path, engine: OnnxEngine, cluster: LocalCluster) -> Callable[..., IndexReport]:
    def run(
        music: Path, catalogue: str, told: Callable[[str], None] | None, progress: Callable[..., None] = lambda *_: None
    ) -> IndexReport:
        """On the cluster, or where ``told`` is None in this process."""
        analyse = None if told is None else on_cluster(cluster.scheduler_address, told)
        return index_folder(music, tmp_path / catalogue, engine, 1, progress, analyse=analyse)

    return run


def held(catalogue: Path) -> dict[str, Any]:
    """Every row of a catalogue's database, and every clip file by its track; the random parts of their names apart, and
    the order in which tracks came."""
    db = sqlite3.connect(catalogue / DATABASE)
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found: dict[str, Any] = {name: sorted(map(repr, db.execute(f"SELECT * FROM {name}"))) for name in names}
    columns = [row[1] for row in db.execute("PRAGMA table_info(tracks)") if row[1] != "clips"]
    found["tracks"] = sorted(map(repr, db.execute(f"SELECT {', '.join(columns)} FROM tracks")))
    found["changes"] = sorted(db.execute("SELECT track FROM changes"))
    db.close()
    return found | {path.name.partition("-")[0]: path.read_bytes() for path in (catalogue / CLIPS).iterdir()}


@contextmanager
def client_of(cluster: LocalCluster) -> Iterator[Client]:
    """Dask warns of versions that differ, also where a package was installed since the cluster was started."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        client = Client(cluster.scheduler_address, set_as_default=False)
    with client:
        yield client


def process_ids(cluster: LocalCluster) -> dict[str, int]:
    with client_of(cluster) as client:
        return dict(client.run(os.getpid))


def holds_both(cluster: LocalCluster) -> None:
    """Until Dask has started again what died."""
    with client_of(cluster) as client:
        client.wait_for_workers(2, timeout=60)


def test_the_same_catalogue_as_here(
    tmp_path: Path, music: Path, index: Callable[..., IndexReport], cluster: LocalCluster
) -> None:
    told = Told()
    here, there = index(music, "here", None), index(music, "there", told)
    assert here == there
    assert (there.added, len(there.failed)) == (7, 1)
    assert held(tmp_path / "here") == held(tmp_path / "there")
    assert told == []
    # What is known is not analysed again, though its file has another name, or another file has its sound.
    (music / "a.wav").rename(music / "z.wav")
    shutil.copy(music / "c.mp3", music / "again.mp3")
    here, there = index(music, "here", None), index(music, "there", told)
    assert here == there and (there.renamed, there.duplicates, there.added) == (1, 1, 0)
    assert held(tmp_path / "here") == held(tmp_path / "there")


def test_an_index_that_is_stopped_leaves_the_cluster_free(
    tmp_path: Path, music: Path, index: Callable[..., IndexReport], cluster: LocalCluster
) -> None:
    def stop(done: int, total: int, text: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index(music, "there", Told(), stop)
    over_s = time.monotonic() + 60
    while cluster.scheduler.tasks:
        assert time.monotonic() < over_s, "tasks are left"
        time.sleep(0.05)
    report = index(music, "there", Told())
    assert report.added + report.unchanged >= 6 and report.unchanged >= 1


def test_a_worker_that_lacks_a_module(
    music: Path, index: Callable[..., IndexReport], cluster: LocalCluster, tmp_path: Path
) -> None:
    [first, second] = process_ids(cluster)
    hide = "(lambda held: held.update({'hidden': held.pop('features.beats'), 'features.beats': None}))"
    show = "(lambda held: held.update({'features.beats': held.pop('hidden')}))"
    forget = "__import__('catalog.dask_worker').dask_worker._warm_up.cache_clear()"
    with client_of(cluster) as client:
        client.run(eval, f"__import__('features.beats') and {hide}(__import__('sys').modules)", workers=[first])
        client.run(eval, forget, workers=[first])
        try:
            with pytest.raises(ClusterError) as caught:
                index(music, "there", Told())
        finally:
            client.run(eval, f"{show}(__import__('sys').modules)", workers=[first])
    assert f"worker {first} lacks the module features.beats; install" in str(caught.value)
    assert second not in str(caught.value) and not (tmp_path / "there").exists()


def test_a_scheduler_that_goes_and_one_that_is_not_there(
    music: Path, engine: OnnxEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.dask_pool.CONNECT_S", 2.0)
    own = LocalCluster(1, threads_per_worker=1, processes=False, dashboard_address=":0", silence_logs="CRITICAL")
    address, [worker] = own.scheduler_address, own.workers.values()
    worker.nanny = "tcp://127.0.0.1:1"  # it needs none here, and is in this process

    def end(done: int, total: int, text: str) -> None:
        if done == 2:
            worker.nanny = None
            own.close()

    with pytest.raises(ClusterError, match="the scheduler is gone") as caught:
        index_folder(music, tmp_path / "there", engine, 1, end, analyse=on_cluster(address, Told()))
    assert address in str(caught.value) and "goes on from there" in str(caught.value)
    with pytest.raises(ClusterError, match="no Dask scheduler answers"):
        index_folder(music, tmp_path / "there", engine, 1, lambda *_: None, analyse=on_cluster(address, Told()))
    assert index_folder(music, tmp_path / "there", engine, 1, lambda *_: None).unchanged >= 1


def test_the_command(
    music: Path, tmp_path: Path, tiny_bundle: Path, cluster: LocalCluster, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    words = ["index", str(music), "-c", str(tmp_path / "there"), "--bundle", str(tiny_bundle)]
    assert segue.main([*words, "--dask", cluster.scheduler_address, "--json"]) == 0
    assert '"added": 7' in capsys.readouterr().out
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert segue.main([*words, "--dask", cluster.scheduler_address]) == 2
    assert 'pip install ".[dask]" brings it' in capsys.readouterr().err


def test_an_outcome_is_small(music: Path, tiny_bundle: Path, cluster: LocalCluster, tmp_path: Path) -> None:
    """What travels is what the catalogue keeps: no sound."""
    (tmp_path / "there").mkdir()
    open_to_write(tmp_path / "there" / DATABASE).close()
    analyse = on_cluster(cluster.scheduler_address, Told())
    jobs = iter([Job(music / "f.wav"), Job(music / "text.mp3")])
    outcomes = dict(analyse(jobs, EngineSpec(str(tiny_bundle)), tmp_path / "there"))
    assert isinstance(outcomes[music / "text.mp3"], RejectedFile)
    outcome = outcomes[music / "f.wav"]
    assert isinstance(outcome, AnalysedFile)
    assert len(pickle.dumps(outcome)) < 20_000 < (music / "f.wav").stat().st_size
    assert isinstance(outcome.tracks[0].analysis.vectors, np.ndarray)


@pytest.mark.parametrize("number", [1, 2])
def test_workers_that_are_killed_meanwhile(
    tmp_path: Path, music: Path, index: Callable[..., IndexReport], cluster: LocalCluster, number: int
) -> None:
    """One, or all of them: until their nannies have started them again there is none."""
    told, killed = Told(), list[str]()

    def kill(done: int, total: int, text: str) -> None:
        if done == 1:
            for address, process in list(process_ids(cluster).items())[:number]:
                os.kill(process, signal.SIGKILL)
                killed.append(address)

    there = index(music, "there", told, kill)
    assert len(killed) == number
    assert (there.added, len(there.failed)) == (7, 1)
    index(music, "here", None)
    assert held(tmp_path / "here") == held(tmp_path / "there")
    holds_both(cluster)


@pytest.mark.parametrize("deaths", [0, 1])
def test_a_file_that_kills_workers_is_the_only_one_refused(
    music: Path, index: Callable[..., IndexReport], cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch, deaths: int
) -> None:
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", deaths)
    monkeypatch.setattr("catalog.dask_pool.LOOK_S", 0.5)
    shutil.copy(music / "a.wav", music / "kills.wav")
    told = Told()
    report = index(music, "there", told)
    assert {note.path.name for note in report.failed} == {"kills.wav", "text.mp3"}
    [reason] = [note.text for note in report.failed if note.path.name == "kills.wav"]
    assert "ended the processes that read it" in reason
    assert report.added == 7
    assert any("kills.wav: its worker died; it is tried again at the end, alone" in text for text in told)
    holds_both(cluster)
