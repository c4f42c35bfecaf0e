"""Plans are kept whole or not at all, found only under their own key, and loaded from private folders alone."""

import json
import os
import threading
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines import plan_cache
from engines.errors import EngineError, EngineUnavailable
from engines.plan_cache import LIMIT, PlanCache, PlanDamaged, PlanKey, default_folder, version_tuple

KEY = PlanKey("mood", "a" * 64, "float32", "11.4.0", "NVIDIA X", "9.0", ((1, 1, 1), (8, 16, 32)), ("effort=3",))


@pytest.fixture
def cache(tmp_path: Path) -> PlanCache:
    return PlanCache(tmp_path / "plans")


def test_what_was_stored_is_loaded(cache: PlanCache) -> None:
    assert cache.load(KEY, "11.4.0") is None
    cache.store(KEY, b"a plan", "11.4.0", 12.34567)
    assert cache.load(KEY, "11.4.0") == b"a plan"
    cache.store(KEY, b"another", "11.4.0", 1)
    assert cache.load(KEY, "11.4.0") == b"another"
    entry = json.loads((cache.folder / f"{KEY.digest}.json").read_text())
    assert entry["bytes"] == 7 and entry["key"]["gpu"] == "NVIDIA X" and entry["built_with"] == "11.4.0"
    assert {oct(file.stat().st_mode & 0o777) for file in cache.folder.iterdir()} == {"0o600"}
    assert oct(cache.folder.stat().st_mode & 0o777) == "0o700"


@pytest.mark.parametrize("name", [field.name for field in fields(PlanKey)])
def test_every_part_of_a_key_counts(cache: PlanCache, name: str) -> None:
    cache.store(KEY, b"a plan", "11.4.0", 1)
    value = getattr(KEY, name)
    changes: dict[str, Any] = {name: f"{value}x" if isinstance(value, str) else value[:-1]}
    other = replace(KEY, **changes)
    assert other.digest != KEY.digest and cache.load(other, "11.4.0") is None


@pytest.mark.parametrize(
    ("version", "found"), [("11.4.0", True), ("11.10.0", True), ("12.0", True), ("11.3.9", False), ("10.9", False)]
)
def test_plans_run_on_later_versions_alone(cache: PlanCache, version: str, found: bool) -> None:
    cache.store(KEY, b"a plan", "11.4.0", 1)
    assert (cache.load(KEY, version) is not None) == found


def test_versions_are_numbers() -> None:
    assert version_tuple("11.10.0") > version_tuple("11.9.9") and version_tuple("11.4.0.post1") == (11, 4, 0, 0)
    assert version_tuple("11.4²." + "9" * 5000) == (11, 0, 0)


def test_a_sidecar_of_brackets_is_damage_to_whoever_reads_it(cache: PlanCache) -> None:
    cache.store(KEY, b"a plan", "11.4.0", 1)
    sidecar = cache.folder / f"{KEY.digest}.json"
    sidecar.write_text("[" * 50_000)
    with pytest.raises(PlanDamaged, match="is not JSON"):
        cache.load(KEY, "11.4.0")
    cache.store(replace(KEY, graph="other"), b"a plan", "11.4.0", 1)
    assert cache.load(replace(KEY, graph="other"), "11.4.0") == b"a plan"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=1, max_size=40), st.data())
def test_any_damage_is_found(cache: PlanCache, plan: bytes, draw: st.DataObject) -> None:
    """Cut, changed or lengthened, plan or sidecar: a plan comes out as it went in, or not at all."""
    cache.store(KEY, plan, "11.4.0", 1)
    sidecar = cache.folder / f"{KEY.digest}.json"
    plan_file = cache.folder / json.loads(sidecar.read_text())["plan"]
    file = draw.draw(st.sampled_from([sidecar, plan_file]))
    data = file.read_bytes()
    how = draw.draw(st.sampled_from(["cut", "change", "more", "gone"]))
    at = draw.draw(st.integers(0, len(data) - 1))
    if how == "gone":
        file.unlink()
    else:
        changed = bytes([data[at] ^ draw.draw(st.integers(1, 255))])
        file.write_bytes({"cut": data[:at], "change": data[:at] + changed + data[at + 1 :], "more": data + b"x"}[how])
    try:
        found = cache.load(KEY, "11.4.0")
    except PlanDamaged as error:
        assert "build it again with segue export --plans" in str(error) and "\n" not in str(error)
    else:
        assert found in (plan, None)
        assert found == plan or file == sidecar
    cache.store(KEY, plan, "11.4.0", 1)
    assert cache.load(KEY, "11.4.0") == plan


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "format is 2, this segue reads 1"),
        ({"plan": "../../elsewhere.plan"}, "no plan of ours"),
        ({"key": {}}, "written for another graph, GPU or version"),
        ({"sha256": 3}, "lacks one of"),
        ({"bytes": True}, "lacks one of"),
    ],
)
def test_a_sidecar_that_says_something_else(cache: PlanCache, change: dict[str, Any], said: str) -> None:
    cache.store(KEY, b"a plan", "11.4.0", 1)
    sidecar = cache.folder / f"{KEY.digest}.json"
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | change))
    with pytest.raises(PlanDamaged, match=said):
        cache.load(KEY, "11.4.0")


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_folder_that_others_may_enter(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "plans"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(EngineUnavailable, match=rf"others may enter it \(mode {mode:o}\).*chmod 700"):
        PlanCache(folder)


def test_a_folder_opened_to_others_later(cache: PlanCache) -> None:
    cache.store(KEY, b"a plan", "11.4.0", 1)
    cache.folder.chmod(0o777)
    with pytest.raises(EngineUnavailable, match="others may enter"):
        cache.load(KEY, "11.4.0")


def test_somebody_elses_folder(cache: PlanCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(EngineUnavailable, match=r"belongs to user \d+, not to 12345"):
        cache.load(KEY, "11.4.0")


@pytest.mark.parametrize("kind", ["link", "writable", "pipe"])
def test_files_that_are_not_ours_alone(cache: PlanCache, tmp_path: Path, kind: str) -> None:
    cache.store(KEY, b"a plan", "11.4.0", 1)
    file = next(iter(cache.folder.glob("*.plan")))
    if kind == "writable":
        file.chmod(0o666)
    else:
        file.rename(tmp_path / "moved")
        if kind == "link":
            file.symlink_to(tmp_path / "moved")
        else:
            os.mkfifo(file, 0o600)
    with pytest.raises(EngineUnavailable, match="remove it"):
        cache.load(KEY, "11.4.0")


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineUnavailable, match="cannot be made"):
        PlanCache(tmp_path / "file" / "plans")
    with pytest.raises(EngineUnavailable, match=r"cannot be made|is no folder"):
        PlanCache(tmp_path / "file")


def test_the_bound_keeps_those_used_last(cache: PlanCache) -> None:
    keys = [replace(KEY, graph=f"graph{number}") for number in range(LIMIT + 3)]
    for number, key in enumerate(keys[:LIMIT]):
        cache.store(key, b"plan of %d" % number, "11.4.0", 1)
        os.utime(cache.folder / f"{key.digest}.json", (number, number))
    assert cache.load(keys[0], "11.4.0") == b"plan of 0"  # used just now
    for key in keys[LIMIT:]:
        cache.store(key, b"late", "11.4.0", 1)
    gone = [number for number, key in enumerate(keys) if cache.load(key, "11.4.0") is None]
    assert gone == [1, 2, 3]
    assert len(list(cache.folder.glob("*.plan"))) == LIMIT


def test_half_done_work_goes_when_it_is_old(cache: PlanCache) -> None:
    fresh, old = cache.folder / "a.part", cache.folder / "b.part"
    for file in (fresh, old):
        file.write_bytes(b"half")
    os.utime(old, (1, 1))
    cache.store(KEY, b"a plan", "11.4.0", 1)
    assert fresh.exists() and not old.exists()


def test_sizes_beyond_the_bound(cache: PlanCache, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="has 0 bytes"):
        cache.store(KEY, b"", "11.4.0", 1)
    cache.store(KEY, b"a plan", "11.4.0", 1)
    monkeypatch.setattr(plan_cache, "MAX_PLAN", 5)
    with pytest.raises(EngineUnavailable, match="has 6 bytes, may have 5"):
        cache.load(KEY, "11.4.0")


def test_a_full_disk_leaves_the_old_plan(cache: PlanCache, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.store(KEY, b"a plan", "11.4.0", 1)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EngineUnavailable, match=r"cannot write .*No space left on device.*make room"):
        cache.store(KEY, b"another", "11.4.0", 1)
    assert cache.load(KEY, "11.4.0") == b"a plan" and not list(cache.folder.glob("*.part"))


def test_timing(cache: PlanCache) -> None:
    where = ("11.4.0", "NVIDIA X", "9.0")
    assert cache.load_timing(*where) == b""
    cache.store_timing(*where, b"measured")
    assert cache.load_timing(*where) == b"measured" and cache.load_timing("11.5.0", *where[1:]) == b""
    file = next(iter(cache.folder.glob("*.timing")))
    file.write_bytes(file.read_bytes()[:-1])
    assert cache.load_timing(*where) == b""


def test_what_a_runtime_compiled(
    cache: PlanCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Found under its own key, damage counts as absence, and the number of files is bounded."""
    assert cache.load_runtime("1.7", "NVIDIA X", "8.9", "a") == b""
    for number in range(LIMIT + 3):
        cache.store_runtime(b"compiled %d" % number, "1.7", "NVIDIA X", "8.9", str(number))
        (file,) = [file for file in cache.folder.glob("*.runtime") if file.read_bytes().endswith(b" %d" % number)]
        os.utime(file, (number, number))
    kept = [n for n in range(LIMIT + 3) if cache.load_runtime("1.7", "NVIDIA X", "8.9", str(n))]
    assert kept == list(range(3, LIMIT + 3))
    last = ("1.7", "NVIDIA X", "8.9", str(LIMIT + 2))
    assert cache.load_runtime("1.8", *last[1:]) == b"" and cache.load_runtime(*last) == b"compiled %d" % (LIMIT + 2)
    (file,) = [file for file in cache.folder.glob("*.runtime") if file.read_bytes().endswith(b" %d" % (LIMIT + 2))]
    file.write_bytes(file.read_bytes()[:-1])
    assert cache.load_runtime(*last) == b""
    monkeypatch.setattr(plan_cache, "MAX_TIMING", 5)
    cache.store_runtime(b"too much", *last)
    assert cache.load_runtime(*last) == b""
    assert "has 8 bytes, may have 5: it is not kept" in caplog.text


def test_one_builder_at_a_time(cache: PlanCache) -> None:
    order: list[str] = []
    inside = threading.Event()

    def first() -> None:
        with PlanCache(cache.folder).lock(1):
            inside.set()
            time.sleep(0.3)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait()
    with pytest.raises(EngineUnavailable, match="another process has been building for more than 0 s"), cache.lock(0):
        pass
    with cache.lock(60):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_where_plans_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/somewhere")
    assert default_folder() == Path("/var/somewhere/segue/plans")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_folder() == Path("/home/me/.cache/segue/plans")
