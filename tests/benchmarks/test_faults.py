"""What the faults are made of, without a server: seeded inputs, a judge of packets, figures."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cli import FAULTS
from benchmarks.faults import mutate
from benchmarks.faults.lossy_net import WAITING, Judge, Network
from benchmarks.faults.media import resets
from benchmarks.faults.outcome import Outcome, SkippedError, rate_and_gap
from benchmarks.faults.run import bounded
from benchmarks.faults.target import Scene, Target


@given(st.integers(0, 2**32))
def test_a_seed_gives_the_same_inputs(seed: int) -> None:
    def drawn() -> list[Any]:
        rng = Random(seed)
        offers = ["v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"]
        return [mutate.offer(rng, offers), mutate.json_text(rng, mutate.COMMANDS), mutate.request(rng)]

    assert drawn() == drawn()


@given(st.binary(max_size=300), st.text(max_size=100), st.integers(0, 2**32))
def test_whatever_is_mutated_stays_bounded(data: bytes, text: str, seed: int) -> None:
    rng = Random(seed)
    assert len(mutate.damaged(rng, data)) <= len(data) + 8 * 500
    assert isinstance(mutate.text(rng, text), str)


def test_a_share_of_the_packets_is_lost_and_the_rest_is_late_by_no_more_than_the_jitter() -> None:
    judge = Judge(3)
    assert judge.due_s(5.0) == 5.0  # a clean network
    judge.network = Network(loss=0.1, jitter_s=0.2)
    due = [judge.due_s(7.0) for _ in range(5000)]
    kept = [at_s for at_s in due if at_s is not None]
    assert 400 < due.count(None) == judge.lost < 600 and judge.passed == 1 + len(kept)
    assert 7.0 <= min(kept) < 7.01 and 7.19 < max(kept) <= 7.2
    judge.network = Network(down=True)
    assert judge.due_s(9.0) is None
    judge.network = Network()
    judge.waiting = WAITING
    assert judge.due_s(9.0) is None  # at the bound


def test_the_rate_and_the_longest_silence_of_an_interval() -> None:
    assert rate_and_gap([1.0, 2.0, 6.0, 20.0], 0.0, 10.0) == (0.3, 4.0)
    assert rate_and_gap([], 5.0, 7.0) == (0.0, 2.0)


def test_jumps_beyond_the_samplers_bounds_are_resets() -> None:
    assert resets((0.5, -0.9, -1.5, 9.9, 11.0, -7200.0)) == 3


def test_failures_are_told_from_warnings_and_by_where_they_were(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "2026-01-01T00:00:00.000Z warning uvicorn.error Invalid HTTP request received.\n"
        "2026-01-01T00:00:00.000Z error uvicorn.error Exception in ASGI application\\n | Traceback (most recent call "
        'last):\\n  File "/x/stream/server/hub.py", line 7, in open\\nRuntimeError: it broke\n'
    )
    assert Target("http://x", 1, log).faults() == {"stream/server/hub.py:7: RuntimeError: it broke": 1}


@pytest.mark.parametrize("name", FAULTS)
def test_every_script_can_be_had_by_its_name(name: str) -> None:
    import importlib

    assert callable(getattr(importlib.import_module(f"benchmarks.faults.{name}"), name))


@pytest.mark.parametrize(
    ("raised", "broken", "metric"),
    [(SkippedError("no root"), 0, ["skipped"]), (ValueError("x"), 1, []), (TimeoutError(), 1, []), (None, 0, [])],
)
def test_whatever_becomes_of_a_script_its_outcome_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: Exception | None, broken: int, metric: list[str]
) -> None:
    import asyncio

    from benchmarks.faults import media

    async def script(scene: Scene, out: Outcome) -> None:
        if raised is not None:
            raise raised

    monkeypatch.setattr(media, "media", script)
    scene = Scene(tmp_path, tmp_path, tmp_path, 1, lambda text: None)
    outcome = asyncio.run(bounded("media", scene, 5.0))
    assert len(outcome.broken) == broken and [row.metric for row in outcome.rows] == metric
