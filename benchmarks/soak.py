"""``segue bench soak``: what a server keeps while publishers come and go for a long time.

The server runs in its own process, publishers and viewers in another (`churn`), with streams of 320x180 at 15 a second
so that two cores carry eight. Memory, descriptors, threads, sessions and suggestions are read every 5 s. After the
load the server gets the time it needs to notice the last publisher that left silently; sessions that remain then are
zombies.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from catalog.clips import CLIPS

from .errors import BenchError
from .harness import Report, Row
from .report.progress import expect
from .served import Served, cores, free_port, pin, served
from .streams import SMALL, write_stream

Say = Callable[[str], None]
SAMPLE_S: Final = 5.0
REPORT_S: Final = 60.0
STREAM_S: Final = 10
SPARE_S: Final = 15.0
SETTLE_S: Final = 1.0
ROOM: Final = 3  # places for each stream: one that left silently keeps its place for a while
BLOCK_S: Final = 60.0
LEAST_BLOCKS: Final = 4  # with fewer, no slope is reported
END_S: Final = 90.0  # for the load to end, after its planned time


@dataclass(frozen=True)
class SoakOptions:
    """``minutes`` of load, ``sessions`` at once. The server drops a publisher after ``idle_s`` without a picture,
    and its session ``grace_s`` later; these are its own defaults. ``bundle``: None for the one that ships."""

    minutes: float = 30.0
    sessions: int = 8
    idle_s: float = 15.0
    grace_s: float = 20.0
    bundle: Path | None = None


@dataclass(frozen=True)
class Sample:
    """The server at one moment, ``at_s`` after the load began; ``suggestions`` since its start. Of the ``descriptors``
    some are ``sockets``, some the catalogue's ``clip_files``."""

    at_s: float
    memory_mb: float
    descriptors: int
    sockets: int
    clip_files: int
    threads: int
    sessions: int
    suggestions: int
    cpu_s: float


@dataclass(frozen=True)
class ServerProbe:
    """A server, the folder of its catalogue's clip files, and when the load began."""

    server: Served
    clips: Path
    began_s: float

    def take_sample(self) -> Sample:
        at_s, server = time.monotonic() - self.began_s, self.server
        memory_mb, files = server.memory_mb(), server.open_files()
        sockets = sum(file.startswith("socket:") for file in files)
        clip_files = sum(file.startswith(f"{self.clips}{os.sep}") for file in files)
        threads, cpu_s = server.threads(), server.cpu_s()
        scraped = httpx.get(f"{server.url}/metrics", timeout=30).raise_for_status().text
        metrics = {
            sample.name: sample.value for family in text_string_to_metric_families(scraped) for sample in family.samples
        }
        sessions, suggestions = int(metrics["segue_sessions"]), int(metrics["segue_suggestions_total"])
        return Sample(at_s, memory_mb, len(files), sockets, clip_files, threads, sessions, suggestions, cpu_s)


@dataclass(frozen=True)
class Slope:
    """The slope of the least-squares line, with its standard error."""

    per_hour: float
    error: float
    blocks: int


def measure(catalog: Path, options: SoakOptions, say: Say) -> Report:
    """Raises `BenchError` for a time or a count that measures nothing, without /proc, and if the load fails."""
    if not (math.isfinite(options.minutes) and options.minutes > 0) or options.sessions < 1:
        raise BenchError(f"{options.minutes:g} minutes of {options.sessions} sessions measure nothing; give more")
    expect(say, 60 * options.minutes + options.idle_s + options.grace_s + SPARE_S)
    available = cores()
    on, load_on = available[:1], available[1:] or available
    samples: list[Sample] = []
    words = ["serve", "-c", str(catalog), "--max-sessions", str(ROOM * options.sessions), "--log-level", "error"]
    words += ["--idle-s", str(options.idle_s), "--grace", str(options.grace_s)]
    words += [] if options.bundle is None else ["--bundle", str(options.bundle)]
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        stream = write_stream(Path(folder) / "stream.mp4", STREAM_S, shape=SMALL)
        with served("segue", [*words, "--port", str(port)], port, on) as server:
            time.sleep(SETTLE_S)  # until the connection of the start-up check is closed
            probe = ServerProbe(server, catalog.resolve() / CLIPS, time.monotonic())
            samples.append(probe.take_sample())
            with churn_load(server.url, stream, options, load_on) as load:
                counts = watch(probe, load, options, samples, say)
            under_load = samples[1:]
            zombies = wait_for_drain(probe, options, samples, say)
            counters = health(server)["counters"]
    settings: dict[str, str | int | float] = {"server_cores": len(on), "load_cores": len(load_on), "codec": "H264"}
    settings |= {"sessions": options.sessions, "minutes": options.minutes, "fps": SMALL.fps, "size": "320x180"}
    return Report("soak", [*rows(samples, under_load, counts, counters, zombies), *course(samples)], settings)


@contextmanager
def churn_load(url: str, stream: Path, options: SoakOptions, on: Sequence[int]) -> Iterator["subprocess.Popen[bytes]"]:
    """The load, on the cores ``on``."""
    seconds = 60 * options.minutes
    words = [sys.executable, "-m", "benchmarks.churn", url, str(stream), str(options.sessions), str(seconds)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=None, preexec_fn=lambda: pin(0, on))
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def watch(
    probe: ServerProbe, load: "subprocess.Popen[bytes]", options: SoakOptions, samples: list[Sample], say: Say
) -> dict[str, int]:
    """Sample until the load has ended; returns its counts."""
    most_s = probe.began_s + 60 * options.minutes + END_S
    while True:
        try:
            out, _ = load.communicate(timeout=SAMPLE_S)
            break
        except subprocess.TimeoutExpired:
            samples.append(probe.take_sample())
        if time.monotonic() > most_s:
            raise BenchError(f"the load did not end within {END_S:g} s of its time")
        now, before = samples[-1].at_s, samples[-2].at_s
        if now // REPORT_S != before // REPORT_S:
            say(line(samples[-1]))
    if load.returncode:
        raise BenchError(f"the load generator failed with {load.returncode}; see its output above")
    counts: dict[str, int] = json.loads(out)
    return counts


def wait_for_drain(probe: ServerProbe, options: SoakOptions, samples: list[Sample], say: Say) -> int:
    """Wait until the server must have noticed that every publisher is gone; returns the sessions left."""
    until_s = time.monotonic() + options.idle_s + options.grace_s + SPARE_S
    while True:
        samples.append(probe.take_sample())
        if not samples[-1].sessions:
            time.sleep(SAMPLE_S)  # until sockets are closed
            samples.append(probe.take_sample())
        if not samples[-1].sessions or time.monotonic() > until_s:
            say(line(samples[-1]))
            return samples[-1].sessions
        time.sleep(SAMPLE_S)


def health(server: Served) -> dict[str, dict[str, int]]:
    answer: dict[str, dict[str, int]] = httpx.get(f"{server.url}/healthz", timeout=30).raise_for_status().json()
    return answer


def line(sample: Sample) -> str:
    return (
        f"{sample.at_s / 60:5.1f} min {sample.memory_mb:6.0f} MB {sample.descriptors:3d} fds "
        f"{sample.threads:3d} threads {sample.sessions:2d} sessions {sample.suggestions:6d} messages"
    )


def slope(times_s: Sequence[float], values: Sequence[float]) -> Slope | None:
    """Change an hour; None for less than `LEAST_BLOCKS` blocks.

    Neighbouring samples resemble each other, which would make the error look far too small; so the line is fitted to
    means over blocks of a minute.
    """
    if len(times_s) < 2:
        return None
    blocks = int((times_s[-1] - times_s[0]) // BLOCK_S)
    if blocks < LEAST_BLOCKS or len(times_s) < blocks:
        return None
    hours = np.array([part.mean() for part in np.array_split(np.asarray(times_s, np.float64), blocks)]) / 3600
    means = np.array([part.mean() for part in np.array_split(np.asarray(values, np.float64), blocks)])
    centred = hours - hours.mean()
    per_hour = float(centred @ means / (centred @ centred))
    residuals = means - means.mean() - per_hour * centred
    error = math.sqrt(float(residuals @ residuals) / (blocks - 2) / float(centred @ centred))
    return Slope(per_hour, error, blocks)


def second_half(samples: Sequence[Sample]) -> list[Sample]:
    """The samples of the second half of the time."""
    middle_s = (samples[0].at_s + samples[-1].at_s) / 2
    return [sample for sample in samples if sample.at_s >= middle_s]


def rows(
    samples: Sequence[Sample],
    under_load: Sequence[Sample],
    counts: dict[str, int],
    counters: dict[str, int],
    zombies: int,
) -> list[Row]:
    """``samples``: the first before any load, the last after it; ``under_load``: those between, if any."""
    loaded = under_load or samples
    half = second_half(loaded)
    seconds, n = loaded[-1].at_s - samples[0].at_s, len(samples)
    out = []
    if (memory := slope([sample.at_s for sample in half], [sample.memory_mb for sample in half])) is not None:
        labels = {"error": round(memory.error, 3), "of_min": round((half[-1].at_s - half[0].at_s) / 60, 1)}
        out.append(Row("memory_slope_mb_per_hour", memory.per_hour, memory.blocks, "MB/h", labels))
    for name, moment in (("start", samples[0]), ("end", samples[-1])):
        out += [
            Row("memory_mb", moment.memory_mb, 1, "MB", {"at": name}),
            Row("descriptors", moment.descriptors, 1, "count", {"at": name}),
            Row("sockets", moment.sockets, 1, "count", {"at": name}),
            Row("clip_files", moment.clip_files, 1, "count", {"at": name}),
            Row("other_descriptors", moment.descriptors - moment.clip_files, 1, "count", {"at": name}),
            Row("threads", moment.threads, 1, "count", {"at": name}),
        ]
    out += [
        Row("memory_mb", max(sample.memory_mb for sample in samples), n, "MB", {"at": "most"}),
        Row("descriptors", max(sample.descriptors for sample in samples), n, "count", {"at": "most"}),
        Row(
            "sessions", float(np.mean([sample.sessions for sample in loaded])), len(loaded), "sessions", {"at": "mean"}
        ),
        Row("zombie_sessions", zombies, 1, "sessions"),
        Row("suggestions_served", samples[-1].suggestions, n, "messages", {"seen_by_viewers": counts["suggestions"]}),
        Row("cpu_cores", (loaded[-1].cpu_s - samples[0].cpu_s) / seconds, 1, "cores"),
    ]
    names = ("streams", "deleted", "vanished", "came_back", "same_session", "refused", "failed", "unanswered_deletes")
    out += [Row(name, counts[name], 1, "count", {"by": "load"}) for name in names]
    return out + [Row(name, value, 1, "count", {"by": "server"}) for name, value in counters.items()]


def course(samples: Sequence[Sample]) -> list[Row]:
    """Means of each minute, for a plot."""
    out = []
    for minute in range(int(samples[-1].at_s // BLOCK_S) + 1):
        of_minute = [sample for sample in samples if sample.at_s // BLOCK_S == minute]
        for metric, unit in (("memory_mb", "MB"), ("sockets", "count"), ("sessions", "sessions")):
            if of_minute:
                mean = float(np.mean([getattr(sample, metric) for sample in of_minute]))
                out.append(Row(metric, mean, len(of_minute), unit, {"minute": minute}))
    return out
