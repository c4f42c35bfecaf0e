"""``segue bench soak``: what a server keeps of publishers that come and go for a long time.

A server in a process of its own, publishers and viewers in another (`churn`), streams of 320x180 at 15 a second so that
two cores carry eight. Memory, descriptors, threads, sessions and suggestions are read every 5 s. When the load has
ended, the server is given the time that it takes to notice the last publisher that left without a word; what is still
there then is a zombie.
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
from .served import Served, cores, free_port, pin, served
from .streams import SMALL, write_stream

Say = Callable[[str], None]
SAMPLE_S: Final = 5.0
TELL_S: Final = 60.0
STREAM_S: Final = 10
SPARE_S: Final = 15.0
SETTLE_S: Final = 1.0
ROOM: Final = 3  # places for each stream: one that left without a word keeps its own for a while
BLOCK_S: Final = 60.0
LEAST_BLOCKS: Final = 4  # below it no slope is told
END_S: Final = 90.0  # for the load to end after its time


@dataclass(frozen=True)
class SoakOptions:
    """``minutes`` of load, ``sessions`` at once. The server lets go of a publisher after ``idle_s`` without a picture,
    and of its session ``grace_s`` later; these are its own defaults. ``bundle``: None is the one that ships."""

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
class Watched:
    """A server, the folder of its catalogue's clip files, and when the load began."""

    server: Served
    clips: Path
    began_s: float

    def look(self) -> Sample:
        at_s, server = time.monotonic() - self.began_s, self.server
        memory_mb, files = server.memory_mb(), server.open_files()
        sockets = sum(file.startswith("socket:") for file in files)
        clip_files = sum(file.startswith(f"{self.clips}{os.sep}") for file in files)
        threads, cpu_s = server.threads(), server.cpu_s()
        scraped = httpx.get(f"{server.url}/metrics", timeout=30).raise_for_status().text
        found = {one.name: one.value for family in text_string_to_metric_families(scraped) for one in family.samples}
        sessions, told = int(found["segue_sessions"]), int(found["segue_suggestions_total"])
        return Sample(at_s, memory_mb, len(files), sockets, clip_files, threads, sessions, told, cpu_s)


@dataclass(frozen=True)
class Slope:
    """Of the line of least squares, with its standard error."""

    per_hour: float
    error: float
    blocks: int


def measure(catalog: Path, options: SoakOptions, say: Say) -> Report:
    """Raises `BenchError` for a time or a count that measures nothing, without /proc, and where the load fails."""
    if not (math.isfinite(options.minutes) and options.minutes > 0) or options.sessions < 1:
        raise BenchError(f"{options.minutes:g} minutes of {options.sessions} sessions measure nothing; give more")
    have = cores()
    on, load_on = have[:1], have[1:] or have
    samples: list[Sample] = []
    words = ["serve", "-c", str(catalog), "--max-sessions", str(ROOM * options.sessions), "--log-level", "error"]
    words += ["--idle-s", str(options.idle_s), "--grace", str(options.grace_s)]
    words += [] if options.bundle is None else ["--bundle", str(options.bundle)]
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        stream = write_stream(Path(folder) / "stream.mp4", STREAM_S, shape=SMALL)
        with served("segue", [*words, "--port", str(port)], port, on) as server:
            time.sleep(SETTLE_S)  # for the connection that asked whether it is up
            watched = Watched(server, catalog.resolve() / CLIPS, time.monotonic())
            samples.append(watched.look())
            with churning(server.url, stream, options, load_on) as load:
                told = watch(watched, load, options, samples, say)
            under_load = samples[1:]
            zombies = drained(watched, options, samples, say)
            counters = health(server)["counters"]
    settings: dict[str, str | int | float] = {"server_cores": len(on), "load_cores": len(load_on), "codec": "H264"}
    settings |= {"sessions": options.sessions, "minutes": options.minutes, "fps": SMALL.fps, "size": "320x180"}
    return Report("soak", [*rows(samples, under_load, told, counters, zombies), *course(samples)], settings)


@contextmanager
def churning(url: str, stream: Path, options: SoakOptions, on: Sequence[int]) -> Iterator["subprocess.Popen[bytes]"]:
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
    watched: Watched, load: "subprocess.Popen[bytes]", options: SoakOptions, samples: list[Sample], say: Say
) -> dict[str, int]:
    """Samples until the load has ended; what it tells."""
    most_s = watched.began_s + 60 * options.minutes + END_S
    while True:
        try:
            out, _ = load.communicate(timeout=SAMPLE_S)
            break
        except subprocess.TimeoutExpired:
            samples.append(watched.look())
        if time.monotonic() > most_s:
            raise BenchError(f"the load did not end within {END_S:g} s of its time")
        now, before = samples[-1].at_s, samples[-2].at_s
        if now // TELL_S != before // TELL_S:
            say(line(samples[-1]))
    if load.returncode:
        raise BenchError(f"the load generator failed with {load.returncode}; its words are above")
    told: dict[str, int] = json.loads(out)
    return told


def drained(watched: Watched, options: SoakOptions, samples: list[Sample], say: Say) -> int:
    """Sessions that are left when the last publisher must have been missed."""
    until_s = time.monotonic() + options.idle_s + options.grace_s + SPARE_S
    while True:
        samples.append(watched.look())
        if not samples[-1].sessions:
            time.sleep(SAMPLE_S)  # for sockets that are being closed
            samples.append(watched.look())
        if not samples[-1].sessions or time.monotonic() > until_s:
            say(line(samples[-1]))
            return samples[-1].sessions
        time.sleep(SAMPLE_S)


def health(server: Served) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = httpx.get(f"{server.url}/healthz", timeout=30).raise_for_status().json()
    return found


def line(sample: Sample) -> str:
    return (
        f"{sample.at_s / 60:5.1f} min {sample.memory_mb:6.0f} MB {sample.descriptors:3d} fds "
        f"{sample.threads:3d} threads {sample.sessions:2d} sessions {sample.suggestions:6d} messages"
    )


def slope(times_s: Sequence[float], values: Sequence[float]) -> Slope | None:
    """Change an hour; None for less than `LEAST_BLOCKS` blocks.

    Samples near in time resemble each other, which would make the error look far too small; so the line is fitted to
    the means of blocks of a minute.
    """
    if len(times_s) < 2:
        return None
    blocks = int((times_s[-1] - times_s[0]) // BLOCK_S)
    if blocks < LEAST_BLOCKS or len(times_s) < blocks:
        return None
    hours = np.array([part.mean() for part in np.array_split(np.asarray(times_s, np.float64), blocks)]) / 3600
    means = np.array([part.mean() for part in np.array_split(np.asarray(values, np.float64), blocks)])
    away = hours - hours.mean()
    per_hour = float(away @ means / (away @ away))
    residuals = means - means.mean() - per_hour * away
    error = math.sqrt(float(residuals @ residuals) / (blocks - 2) / float(away @ away))
    return Slope(per_hour, error, blocks)


def second_half(samples: Sequence[Sample]) -> list[Sample]:
    """By time."""
    middle_s = (samples[0].at_s + samples[-1].at_s) / 2
    return [sample for sample in samples if sample.at_s >= middle_s]


def rows(
    samples: Sequence[Sample],
    under_load: Sequence[Sample],
    told: dict[str, int],
    counters: dict[str, int],
    zombies: int,
) -> list[Row]:
    """``samples``: the first before any load, the last after it; ``under_load``: those between, where there are any."""
    loaded = under_load or samples
    half = second_half(loaded)
    seconds, n = loaded[-1].at_s - samples[0].at_s, len(samples)
    out = []
    if (found := slope([one.at_s for one in half], [one.memory_mb for one in half])) is not None:
        labels = {"error": round(found.error, 3), "of_min": round((half[-1].at_s - half[0].at_s) / 60, 1)}
        out.append(Row("memory_slope_mb_per_hour", found.per_hour, found.blocks, "MB/h", labels))
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
        Row("memory_mb", max(one.memory_mb for one in samples), n, "MB", {"at": "most"}),
        Row("descriptors", max(one.descriptors for one in samples), n, "count", {"at": "most"}),
        Row("sessions", float(np.mean([one.sessions for one in loaded])), len(loaded), "sessions", {"at": "mean"}),
        Row("zombie_sessions", zombies, 1, "sessions"),
        Row("suggestions_served", samples[-1].suggestions, n, "messages", {"seen_by_viewers": told["suggestions"]}),
        Row("cpu_cores", (loaded[-1].cpu_s - samples[0].cpu_s) / seconds, 1, "cores"),
    ]
    count = ("streams", "deleted", "vanished", "came_back", "same_session", "refused", "failed", "unanswered_deletes")
    out += [Row(name, told[name], 1, "count", {"by": "load"}) for name in count]
    return out + [Row(name, value, 1, "count", {"by": "server"}) for name, value in counters.items()]


def course(samples: Sequence[Sample]) -> list[Row]:
    """Means of each minute, for whoever draws them."""
    out = []
    for minute in range(int(samples[-1].at_s // BLOCK_S) + 1):
        these = [one for one in samples if one.at_s // BLOCK_S == minute]
        for metric, unit in (("memory_mb", "MB"), ("sockets", "count"), ("sessions", "sessions")):
            if these:
                mean = float(np.mean([getattr(one, metric) for one in these]))
                out.append(Row(metric, mean, len(these), unit, {"minute": minute}))
    return out
