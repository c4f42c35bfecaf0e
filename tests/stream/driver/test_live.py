"""A live session on an event loop: never blocks, newest frame wins, ends once, and fails alone."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from catalog.errors import SearchIndexError
from engines.errors import EngineBusy, EngineFailed, EngineLate
from stream.core.events import (
    Accepted,
    Beats,
    Effect,
    End,
    Failed,
    GivenUp,
    Infer,
    Notice,
    Refused,
    Reset,
    Search,
    Suggestions,
    Warned,
)
from stream.driver.live import FAILURES, SOUND_FRAMES, LiveDriver, LiveOptions
from stream.sinks.base import FunctionSink
from stream.sources.arrival import Arrival

Fake = Callable[..., Any]


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def frame(pts_ms: int | None, seed: int = 0) -> av.VideoFrame:
    picture = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    made = av.VideoFrame.from_ndarray(picture, "rgb24")
    made.pts, made.time_base = pts_ms, Fraction(1, 1000)
    return made


@pytest.fixture
def workers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def play(fake_runtime: Fake, workers: ThreadPoolExecutor) -> Fake:
    """``play(scenario, runtime=None, **options)``: run ``scenario(live, clock)`` beside ``live.run()``."""

    def run(
        scenario: Callable[[LiveDriver, Clock], Awaitable[None]], runtime: Any = None, **options: Any
    ) -> tuple[list[Notice], LiveDriver]:
        async def main() -> tuple[list[Notice], LiveDriver]:
            said: list[Notice] = []
            clock = Clock()
            live = LiveDriver(
                runtime or fake_runtime(), LiveOptions(**options), FunctionSink(said.append), clock, workers=workers
            )
            running = asyncio.create_task(live.run())
            async with asyncio.timeout(20):
                await scenario(live, clock)
                await live.close()
                await running
            return said, live

        return asyncio.run(main())

    return run


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for is a count, and belongs to the session
        await asyncio.sleep(0.001)


async def settled(live: LiveDriver, frames: int) -> None:
    """Until that many frames were passed over or looked at, and every question was answered."""
    sampler, session = live._sampler, live._session
    await until(lambda: sampler.frames >= frames and session.sampled == sampler.sampled and not live._answering)


async def feed(live: LiveDriver, clock: Clock, pts_ms: list[int], begun: int = 0) -> None:
    for i, pts in enumerate(pts_ms, start=begun + 1):
        clock.now_s += 0.04
        live.offer(Arrival(frame(pts, seed=pts)))
        await settled(live, i)


def lists(said: list[Notice]) -> list[Suggestions]:
    return [notice for notice in said if isinstance(notice, Suggestions)]


def test_a_list_a_second_and_one_end(play: Fake) -> None:
    async def scenario(live: LiveDriver, clock: Clock) -> None:
        await feed(live, clock, list(range(0, 2000, 40)))

    said, live = play(scenario)
    assert [notice.pts_s for notice in lists(said)] == [1.0, 2.0]
    assert said[-1] == End(50, 16, 0, 2, 0) and sum(isinstance(notice, End) for notice in said) == 1
    assert live.stats.frames == 50 and live.stats.sampled == 16 and live.stats.replaced == 0


def test_lateness_runs_from_the_newest_frame_used(play: Fake, fake_runtime: Fake) -> None:
    runtime = fake_runtime()
    answer, clocks = runtime.answer, []

    def slow(question: Any) -> Any:
        clocks[0].now_s += 0.01
        return answer(question)

    runtime.answer = slow

    async def scenario(live: LiveDriver, clock: Clock) -> None:
        clocks.append(clock)
        await feed(live, clock, list(range(0, 1000, 125)))

    said, live = play(scenario, runtime)
    (only,) = lists(said)
    assert only.late_ms == pytest.approx(10 * len(runtime.asked)) == live.stats.late_ms
    assert len(runtime.asked) == 5  # clip, sequence, mood, search, matcher


def test_lateness_counts_from_when_a_source_says_that_the_frame_came(play: Fake) -> None:
    async def scenario(live: LiveDriver, clock: Clock) -> None:
        for i, pts in enumerate(range(0, 2000, 125), start=1):
            clock.now_s += 0.125
            arrived_s = clock.now_s + (5.0 if i > 8 else -0.3)
            live.offer(Arrival(frame(pts, seed=pts), arrived_s=arrived_s))
            await settled(live, i)

    said, _ = play(scenario)
    first, second = lists(said)
    assert first.late_ms == pytest.approx(300) and second.late_ms == 0.0  # a time to come is now


def test_frames_that_a_source_passed_over_are_counted(play: Fake) -> None:
    async def scenario(live: LiveDriver, clock: Clock) -> None:
        for pts in range(0, 1000, 125):
            live.offer(Arrival(frame(pts), 3, 2, replaced=1) if pts else Arrival(frame(pts)))
            await asyncio.sleep(0.02)

    said, live = play(scenario)
    assert live.stats.frames == 8 + (3 + 2 + 1) * 7 and live.stats.replaced == 7 and live.stats.undecoded == 2 * 7
    assert isinstance(said[-1], End) and said[-1].frames == 50 and said[-1].sampled == 8 and said[-1].dropped == 21


def test_frames_offered_faster_than_they_are_looked_at(play: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()

    async def scenario(live: LiveDriver, clock: Clock) -> None:
        analyze = live._driver.analyzer.analyze

        def held(*given: Any) -> Any:
            assert gate.wait(10)
            return analyze(*given)

        monkeypatch.setattr(live._driver.analyzer, "analyze", held)
        begun = time.perf_counter()
        for pts in range(0, 4000, 10):
            live.offer(Arrival(frame(pts)))
            if pts == 0:
                await asyncio.sleep(0.05)  # the first is being looked at
        assert time.perf_counter() - begun < 2  # never waited for the worker
        assert live.stats.replaced == 398
        gate.set()
        await until(lambda: live._sampler.frames == 2)
        await settled(live, 2)

    said, live = play(scenario)
    assert live.stats.sampled == 2  # the first and the newest
    assert said[-1] == End(400, 2, 398, 2, 0)
    assert [notice.pts_s for notice in lists(said)] == [3.0, 4.0]


def test_the_loop_stays_free_while_answers_are_computed(play: Fake, fake_runtime: Fake) -> None:
    runtime = fake_runtime()
    answer, gate = runtime.answer, threading.Event()

    def held(question: Any) -> Any:
        assert gate.wait(10)
        return answer(question)

    runtime.answer = held

    async def scenario(live: LiveDriver, clock: Clock) -> None:
        for i, pts in enumerate(range(0, 5000, 125), start=1):
            live.offer(Arrival(frame(pts)))
            await until(lambda: live.stats.sampled == i)  # noqa: B023 - awaited at once
        gate.set()
        await settled(live, 40)

    said, live = play(scenario, runtime)
    assert [notice.pts_s for notice in lists(said)] == [1.0, 5.0]  # 2, 3 and 4 were overtaken
    assert live.stats.skipped_hops == 3 and isinstance(said[-1], End) and said[-1].skipped_hops == 3


@pytest.mark.parametrize("graph", ["video_clip", "mood", "matcher"])
@pytest.mark.parametrize("failures", [1, FAILURES, FAILURES + 1])
def test_a_failed_run_costs_a_list_and_only_an_engine_that_goes_on_failing_the_session(
    play: Fake, fake_runtime: Fake, graph: str, failures: int
) -> None:
    runtime, asked = fake_runtime(), []
    answer = runtime.answer

    def failing(question: Any) -> Any:
        if isinstance(question, Infer) and question.graph == graph:
            asked.append(question)
            if 2 <= len(asked) <= 1 + failures:
                raise EngineFailed(f"run {len(asked)} gave NaN")
        return answer(question)

    runtime.answer = failing

    async def scenario(live: LiveDriver, clock: Clock) -> None:
        for i, pts in enumerate(range(0, 1000 * (failures + 4), 125), start=1):
            clock.now_s += 0.125
            live.offer(Arrival(frame(pts)))
            if live._failure is not None:
                return
            await settled(live, i)

    said, live = play(scenario, runtime)
    ended = [notice for notice in said if isinstance(notice, Failed)]
    assert live.stats.failed_hops == failures and isinstance(said[-1], End)
    if failures > FAILURES:
        assert len(lists(said)) == 1 and f"run {failures + 1} gave NaN" in ended[0].reason
    else:
        assert [notice.pts_s for notice in lists(said)] == [1.0, *(2.0 + failures + k for k in range(3))]
        assert not ended and said[-1].skipped_hops == failures


def test_an_index_that_is_away_costs_lists_and_is_told_once(play: Fake, fake_runtime: Fake) -> None:
    """From the second search on it is away for a while, twice; the session ends as usual."""
    runtime, searches = fake_runtime(), []
    answer = runtime.answer

    def away(question: Any) -> Any:
        if isinstance(question, Search):
            searches.append(question)
            if len(searches) in (2, 3, 4, 6):
                raise SearchIndexError("index milvus://host: gone; start it")
        return answer(question)

    runtime.answer = away

    async def scenario(live: LiveDriver, clock: Clock) -> None:
        for i, pts in enumerate(range(0, 7000, 125), start=1):
            clock.now_s += 0.125
            live.offer(Arrival(frame(pts)))
            await settled(live, i)

    said, live = play(scenario, runtime)
    told = [notice.reason for notice in said if isinstance(notice, Warned)]
    gone, back = "the music cannot be searched now", "answers again"
    assert [gone in text for text in told] == [True, False, True, False] and back in told[1] and back in told[3]
    assert not any("milvus" in text for text in told)  # viewers get no addresses
    assert [notice.pts_s for notice in lists(said)] == [1.0, 5.0, 7.0] and not any(isinstance(n, Failed) for n in said)
    assert isinstance(said[-1], End) and said[-1].skipped_hops == 4 == live.stats.skipped_hops


def test_a_hop_that_the_engine_is_late_for_is_skipped_and_the_session_goes_on(play: Fake, fake_runtime: Fake) -> None:
    """Each one that is lost gives the next twice the time, each list takes half of that back; never above the bound."""
    runtime, asked, patience = fake_runtime(), [], []
    answer = runtime.answer

    def late(question: Any) -> Any:
        if isinstance(question, Infer):
            asked.append(question)
            if question.graph == "video_clip" and 2 <= sum(one.graph == "video_clip" for one in asked) <= 6:
                raise EngineLate("too late")
        return answer(question)

    runtime.answer = late

    async def scenario(live: LiveDriver, clock: Clock) -> None:
        for i, pts in enumerate(range(0, 9000, 125), start=1):
            clock.now_s += 0.125
            live.offer(Arrival(frame(pts)))
            await settled(live, i)
        patience.append(live._patience)

    said, live = play(scenario, runtime, useful_hops=2.0)
    assert [notice.pts_s for notice in lists(said)] == [1.0, 7.0, 8.0, 9.0]
    late_ms = [one.late_ms for one in said if isinstance(one, GivenUp)]
    assert late_ms == [0.0] * 5  # on the fake clock no time passes while the engine is asked
    assert live.stats.late_hops == live.stats.skipped_hops == 5 and said[-1].skipped_hops == 5  # type: ignore[union-attr]
    begun = [one for one in asked if one.graph == "video_clip"]
    given = [one.deadline_s - (1000.0 + second) for second, one in enumerate(begun, start=1)]
    assert given == pytest.approx([2, 2, 4, 8, 16, 16, 16, 8, 4]) and patience == [1]
    for one in asked:  # every question of a hop has its hop's deadline, and all have one owner
        hop = next(first for first in reversed(begun) if first.id <= one.id)
        assert (one.owner, one.deadline_s) == (begun[0].owner, hop.deadline_s)


def test_an_engine_that_is_busy_ends_no_session(play: Fake, fake_runtime: Fake) -> None:
    runtime = fake_runtime()

    def busy(question: Any) -> Any:
        raise EngineBusy("256 requests wait, the bound")

    runtime.answer = busy

    async def scenario(live: LiveDriver, clock: Clock) -> None:
        await feed(live, clock, list(range(0, 3000, 125)))

    said, live = play(scenario, runtime)
    assert [type(notice) for notice in said] == [GivenUp] * 3 + [End] and live.stats.skipped_hops == 3


def test_a_stream_that_stalls_still_gets_its_second(play: Fake) -> None:
    async def scenario(live: LiveDriver, clock: Clock) -> None:
        await feed(live, clock, [0, 200, 400])
        clock.now_s += 0.59
        await asyncio.sleep(0.05)
        assert not live.stats.suggestions  # the second is not over
        clock.now_s += 0.03
        await until(lambda: live.stats.suggestions == 1)
        assert live.stats.late_ms == pytest.approx(20)  # it was 20 ms ago, whenever the newest frame came
        for second in range(2, 12):
            clock.now_s += 1.0
            await until(lambda: live.stats.suggestions == second)  # noqa: B023 - awaited at once
            assert live.stats.late_ms == pytest.approx(20)
        live.blank()
        clock.now_s += 30.0
        await asyncio.sleep(0.05)

    said, _ = play(scenario, tick_s=0.01)
    assert [notice.pts_s for notice in lists(said)] == [float(second) for second in range(1, 12)]


@pytest.mark.parametrize("rate", [0.7, 1, 2, 5, 7, 8, 24])
def test_waiting_for_a_second_to_end_is_no_lateness(play: Fake, rate: float) -> None:
    """However few pictures come: each second's list is as late as its answers took."""

    async def scenario(live: LiveDriver, clock: Clock) -> None:
        begun, at_s = clock.now_s, 0.0
        for frame_s in [n / rate for n in range(int(6 * rate) + 1)]:
            while at_s < frame_s:  # time passes in steps of 10 ms
                at_s = min(frame_s, at_s + 0.01)
                clock.now_s = begun + at_s
                live._tick()
                await until(lambda: not live._answering)
            live.offer(Arrival(frame(round(frame_s * 1000))))
            await until(lambda: live._slot is None and not live._wake.is_set())
            await settled(live, live.stats.frames)

    said, _ = play(scenario)
    late = [notice.late_ms for notice in lists(said)]
    assert [notice.pts_s for notice in lists(said)][:5] == [1, 2, 3, 4, 5]
    assert None not in late and all(0 <= each <= 21 for each in late), late  # two steps at the most


def test_time_is_told_with_the_end_of_each_second(play: Fake) -> None:
    async def scenario(live: LiveDriver, clock: Clock) -> None:
        assert live._wait_s() == 5.0  # there is no time yet
        await feed(live, clock, [0])
        assert live._wait_s() == pytest.approx(1.001)
        clock.now_s += 0.8
        assert live._wait_s() == pytest.approx(0.201)

    play(scenario, tick_s=5.0)


def test_bad_timestamps_are_told_and_counted(play: Fake) -> None:
    async def scenario(live: LiveDriver, clock: Clock) -> None:
        await feed(live, clock, [*range(90_000, 91_000, 100), 90_500, *range(0, 1000, 100)])

    said, live = play(scenario)
    assert [type(notice) for notice in said] == [Suggestions, Reset, Suggestions, End]
    assert live.stats.stale == 1 and live.stats.resets == 1 and said[-1].dropped == 1  # type: ignore[union-attr]


def test_commands_are_answered(play: Fake) -> None:
    async def scenario(live: LiveDriver, clock: Clock) -> None:
        live.command({"type": "skip", "track": "0" * 16})
        live.command({"type": "dance"})
        await feed(live, clock, list(range(0, 1000, 125)))

    said, _ = play(scenario)
    assert said[0] == Accepted("skip", "0" * 16, Effect("left out for the rest of this stream"))
    assert isinstance(said[1], Refused) and said[1].command == "dance"
    assert all(item.track != "0" * 16 for item in lists(said)[0].items)


def test_a_failure_ends_this_session_with_a_reason(play: Fake, fake_runtime: Fake) -> None:
    runtime = fake_runtime()
    runtime.answer = lambda question: 1 / 0

    async def scenario(live: LiveDriver, clock: Clock) -> None:
        for pts in range(0, 1000, 125):
            live.offer(Arrival(frame(pts)))
            await asyncio.sleep(0.02)

    said, live = play(scenario, runtime)
    assert said == [Failed("internal error, ZeroDivisionError: division by zero"), End(8, 8, 0, 0, 0)]
    live.offer(Arrival(frame(2000)))
    assert live.stats.frames == 8


def test_an_absurd_picture_ends_this_session(play: Fake) -> None:
    async def scenario(live: LiveDriver, clock: Clock) -> None:
        huge = av.VideoFrame(16_400, 2, "gray")
        huge.pts, huge.time_base = 0, Fraction(1, 1000)
        live.offer(Arrival(huge))
        await asyncio.sleep(0.05)

    said, _ = play(scenario)
    assert isinstance(said[0], Failed) and "16400x2" in said[0].reason and isinstance(said[1], End)


def test_a_publisher_that_fails_ends_the_session_quietly(fake_runtime: Fake, workers: ThreadPoolExecutor) -> None:
    def broken(notice: Notice) -> None:
        raise OSError("gone")

    async def main() -> None:
        live = LiveDriver(fake_runtime(), LiveOptions(), FunctionSink(broken), workers=workers)
        running = asyncio.create_task(live.run())
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await live.close()
            await running

    asyncio.run(main())


def test_cancelling_still_says_the_end(fake_runtime: Fake, workers: ThreadPoolExecutor) -> None:
    runtime = fake_runtime()
    gate, said = threading.Event(), []
    runtime.answer = lambda question: gate.wait(10)

    async def main() -> None:
        live = LiveDriver(runtime, LiveOptions(), FunctionSink(said.append), workers=workers)
        running = asyncio.create_task(live.run())
        for i, pts in enumerate(range(0, 1000, 125), start=1):
            live.offer(Arrival(frame(pts)))
            await until(lambda: live.stats.sampled == i)  # noqa: B023 - awaited at once
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        gate.set()
        await live.close()
        await live.close()

    asyncio.run(main())
    assert said == [End(8, 8, 0, 0, 0)]


def test_the_end_does_not_wait_for_an_answer_that_never_comes(fake_runtime: Fake, workers: ThreadPoolExecutor) -> None:
    runtime = fake_runtime()
    gate, said = threading.Event(), []
    runtime.answer = lambda question: gate.wait(10)

    async def main() -> float:
        live = LiveDriver(runtime, LiveOptions(finish_s=0.05), FunctionSink(said.append), workers=workers)
        running = asyncio.create_task(live.run())
        for i, pts in enumerate(range(0, 1000, 125), start=1):
            live.offer(Arrival(frame(pts)))
            await until(lambda: live.stats.sampled == i)  # noqa: B023 - awaited at once
        begun = time.monotonic()
        await live.close()
        await running
        took = time.monotonic() - begun
        gate.set()
        return took

    assert asyncio.run(main()) < 5
    assert said == [End(8, 8, 0, 0, 0)]


def test_a_session_runs_once(fake_runtime: Fake, workers: ThreadPoolExecutor) -> None:
    said: list[Notice] = []

    async def main() -> None:
        live = LiveDriver(fake_runtime(), LiveOptions(), FunctionSink(said.append), workers=workers)
        await live.close()  # before it began: the end comes with run()
        await live.run()
        with pytest.raises(RuntimeError, match="runs once"):
            await live.run()

    asyncio.run(main())
    assert said == [End(0, 0, 0, 0, 0)]


class SpeechDetector:
    """Hears as much speech as there are frames, in tenths; a second of three frames breaks it."""

    def share(self, frames: list[av.AudioFrame]) -> float:
        if len(frames) == 3:
            raise ValueError("a format of its own")
        assert len(frames) <= SOUND_FRAMES
        return len(frames) / (500 if len(frames) > 10 else 10)


def test_sound_is_told_by_the_second_and_what_cannot_be_heard_ends_nothing(play: Fake, fake_runtime: Fake) -> None:
    runtime = fake_runtime()
    runtime.speech = SpeechDetector()
    told: list[tuple[float, int]] = []

    async def scenario(live: LiveDriver, clock: Clock) -> None:
        hear = live._session.hear

        def noted(share: float, second: int) -> list[Any]:
            told.append((share, second))
            return list(hear(share, second))

        live._session.hear = noted  # type: ignore[method-assign]
        live.listen(av.AudioFrame(format="s16", layout="mono", samples=960))  # no picture yet, so no time
        for second, count in enumerate((5, 3, 7, 500, 1)):
            await feed(live, clock, [1000 * second], begun=second)
            for _ in range(count):
                live.listen(av.AudioFrame(format="s16", layout="mono", samples=960))
            await until(lambda: live._speech_task is None)

    said, _ = play(scenario, runtime)
    assert told == [(0.5, 0), (0.7, 2), (SOUND_FRAMES / 500, 3)]
    assert isinstance(said[-1], End)


def sound() -> av.AudioFrame:
    return av.AudioFrame(format="s16", layout="mono", samples=960)


class Told:
    """Notes what a session is told of speech."""

    def __init__(self, live: LiveDriver) -> None:
        self.seconds: list[int] = []
        self._hear = live._session.hear
        live._session.hear = self  # type: ignore[method-assign]

    def __call__(self, share: float, second: int) -> list[Any]:
        self.seconds.append(second)
        return list(self._hear(share, second))


def test_speech_goes_on_after_a_reset(play: Fake, fake_runtime: Fake) -> None:
    """A publisher that comes back after half an hour: its seconds begin at 0, and none of those before counts."""
    runtime = fake_runtime()
    runtime.speech = SpeechDetector()
    told: list[Told] = []

    async def scenario(live: LiveDriver, clock: Clock) -> None:
        told.append(Told(live))
        for place, pts_ms in enumerate([1_800_000, 1_801_000, 1_802_000, 0, 1000, 2000]):
            await feed(live, clock, [pts_ms], begun=place)
            for _ in range(5):
                live.listen(sound())
            await until(lambda: live._speech_task is None)

    play(scenario, runtime)
    assert told[0].seconds == [0, 1, 0, 1]


def test_a_second_that_is_listened_to_at_a_reset_is_not_told(play: Fake, fake_runtime: Fake) -> None:
    gate, runtime, told = threading.Event(), fake_runtime(), []

    class Slow(SpeechDetector):
        def share(self, frames: list[av.AudioFrame]) -> float:
            assert gate.wait(10)
            return super().share(frames)

    runtime.speech = Slow()

    async def scenario(live: LiveDriver, clock: Clock) -> None:
        told.append(Told(live))
        for place, pts_ms in enumerate([90_000, 91_000, 0, 1000, 2000]):
            await feed(live, clock, [pts_ms], begun=place)
            if pts_ms == 0:
                gate.set()  # the second before the jump is ready now
                await asyncio.sleep(0.05)
            for _ in range(5):
                live.listen(sound())
        await until(lambda: live._speech_task is None)

    play(scenario, runtime)
    assert told[0].seconds and told[0].seconds[0] == 0 and told[0].seconds == sorted(set(told[0].seconds))
    assert len(told[0].seconds) == 2


def test_sound_is_told_by_the_second_while_a_picture_is_held(play: Fake, fake_runtime: Fake) -> None:
    runtime, told = fake_runtime(), []
    runtime.speech = SpeechDetector()

    async def scenario(live: LiveDriver, clock: Clock) -> None:
        told.append(Told(live))
        await feed(live, clock, [0])
        for _ in range(60):  # six seconds
            clock.now_s += 0.1
            live.listen(sound())
            await until(lambda: live._speech_task is None)

    play(scenario, runtime)
    assert told[0].seconds == [0, 1, 2, 3, 4, 5][: len(told[0].seconds)] and len(told[0].seconds) >= 5


def test_the_work_of_one_session_is_bounded(play: Fake, fake_runtime: Fake) -> None:
    """However fast a viewer changes what is on air."""
    runtime, gate, most = fake_runtime(), threading.Event(), []
    answer = runtime.answer

    def slow(question: Any) -> Any:
        if isinstance(question, Beats):
            assert gate.wait(10)
        return answer(question)

    runtime.answer = slow

    async def scenario(live: LiveDriver, clock: Clock) -> None:
        await feed(live, clock, list(range(0, 1000, 125)))
        for number in range(5000):
            live.command({"type": "playing", "track": f"{number:016x}"})
            most.append(len(live._answering))
        gate.set()
        await until(lambda: not live._answering)

    play(scenario, runtime)
    assert max(most) == 1 and [q.track for q in runtime.asked if isinstance(q, Beats)] == [f"{0:016x}", f"{4999:016x}"]


def test_sparse_pictures_leave_nothing_behind(play: Fake) -> None:
    async def scenario(live: LiveDriver, clock: Clock) -> None:
        for place, pts_ms in enumerate(range(0, 1_000_000, 5000)):
            clock.now_s += 5.0
            live.offer(Arrival(frame(pts_ms)))
            await until(lambda: live._sampler.frames > place)  # noqa: B023 - awaited at once
        assert len(live._due._due) <= 28

    _, live = play(scenario)
    assert live.stats.resets == 0 and live.stats.sampled == 200
