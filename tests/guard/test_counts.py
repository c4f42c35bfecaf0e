"""No count of work rises unseen: operators, calls, hand-overs, pixels, bytes. Times tell too, but not on every machine.

The kept counts stand in ``counts.json``. Where a rise is meant:

    SEGUE_ACCEPT_COUNTS=1 pytest tests/guard

writes the counts as they are now, lower ones too; the change of that file is then part of what is reviewed.
"""

import importlib.util
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import counted
import pytest

from engines.bundle import default_bundle, load_bundle
from features.spec import FEATURES

KEPT = Path(__file__).with_name("counts.json")
ACCEPT = "SEGUE_ACCEPT_COUNTS"
HOW = f"where that is meant, {ACCEPT}=1 pytest tests/guard writes {KEPT.name} anew"


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path, fake: Callable[..., Any]) -> dict[str, int]:
    """All of them, as they are now."""
    folder, bundle = _tunes(tmp_path_factory, tiny_bundle), load_bundle(tiny_bundle, FEATURES)
    with pytest.MonkeyPatch.context() as patch:
        pixels = counted.of_picture(patch)
    return {
        **counted.of_graphs(load_bundle(default_bundle(), FEATURES)),
        **counted.of_hop(fake(tracks=counted.CANDIDATES)),
        **counted.of_live_hop(bundle, folder),
        **counted.of_search(bundle, folder),
        **pixels,
        **counted.of_index(tmp_path_factory.mktemp("index")),
    }


@pytest.fixture(scope="module")
def fake() -> Callable[..., Any]:
    """``FakeRuntime`` of the streams' tests."""
    made: Callable[..., Any] = _beside("stream/conftest.py").FakeRuntime
    return made


def _beside(path: str) -> Any:
    """A module of other tests, which are no packages."""
    file = Path(__file__).parent.parent / path
    spec = importlib.util.spec_from_file_location(f"{file.stem}_for_counts", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


def _tunes(factory: pytest.TempPathFactory, bundle: Path) -> Path:
    folder: Path = _beside("stream/server/serving.py").shared_catalog(factory, bundle)
    return folder


def rises(kept: Mapping[str, int], now: Mapping[str, int]) -> list[str]:
    """In words, what is more than it was, and what has no kept count. What depends on the version of Python is compared
    where that version's count was kept."""
    words = [
        f"{name}: {kept[name]} -> {count} (+{count - kept[name]})"
        for name, count in now.items()
        if name in kept and count > kept[name]
    ]
    news = [
        f"{name}: {count}, not kept yet" for name, count in now.items() if name not in kept and "python" not in name
    ]
    gone = [f"{name}: is not counted any more" for name in kept if name not in now and "python" not in name]
    return words + news + gone


def test_no_count_has_risen(counts: dict[str, int]) -> None:
    kept: dict[str, int] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    if os.environ.get(ACCEPT):
        others = {name: count for name, count in kept.items() if "python" in name}
        KEPT.write_text(json.dumps(others | counts, indent=1) + "\n")
        return
    found = rises(kept, counts)
    assert not found, "\n  ".join(["more work than before:", *found, HOW])


def test_a_rise_is_told_with_its_size() -> None:
    kept = {"hop: questions": 5, "gone": 1, "calls, python 3.9": 7}
    now = {"hop: questions": 6, "new": 2, "calls, python 3.9": 9, "calls, python 3.10": 90}
    assert rises(kept, now) == [
        "hop: questions: 5 -> 6 (+1)",
        "calls, python 3.9: 7 -> 9 (+2)",
        "new: 2, not kept yet",
        "gone: is not counted any more",
    ]
    assert not rises(kept | {"new": 3}, {"hop: questions": 4, "gone": 0, "new": 3})


def test_the_counts_are_the_same_each_time(counts: dict[str, int], fake: Callable[..., Any]) -> None:
    again = counted.of_hop(fake(tracks=counted.CANDIDATES))
    assert {name: counts[name] for name in again} == again


def test_a_planted_rise_is_found(
    counts: dict[str, int], fake: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more call for each candidate, as a loop over rows would make."""
    from stream.core import ranking

    planted: dict[str, Any] = {"Ranked": ranking.Ranked}
    exec(compile("def slow(*given): return Ranked(*given)", f"{counted.OURS[0]}/planted.py", "exec"), planted)
    monkeypatch.setattr(ranking, "Ranked", planted["slow"])
    name = next(name for name in counts if name.startswith("hop: calls"))
    assert counted.of_hop(fake(tracks=counted.CANDIDATES))[name] == counts[name] + counted.CANDIDATES
