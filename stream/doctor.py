"""``segue doctor``: what this machine can do, found by trying it, and why not where it cannot.

Each check is a function that returns one or more ``Finding``. A check that is not ``ok`` is either needed (the command
ends with 2) or merely something this machine does not have.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

PACKAGES = ("numpy", "av", "opencv-python-headless", "aiortc", "fastapi", "uvicorn", "websockets", "librosa", "mutagen")
RIVALS = (("onnxruntime", "onnxruntime-gpu"), ("faiss-cpu", "faiss-gpu-cu12"))
VIDEO_DECODERS = ("h264", "vp8", "vp9", "hevc", "av1")
AUDIO_DECODERS = ("mp3", "aac", "flac", "vorbis", "opus", "alac", "pcm_s16le")
TIMED_RUNS = 30


@dataclass(frozen=True, slots=True)
class Finding:
    """``state``: ok, absent (fine to do without) or broken (the main job cannot run); ``text`` says why."""

    part: str
    state: str
    text: str


def machine() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    version = platform.python_version()
    yield Finding("machine", "ok", f"{platform.system()} {platform.machine()}, {cores} cores, Python {version}")


def packages() -> Iterator[Finding]:
    found, lost = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            lost.append(name)
    yield Finding("packages", "ok", ", ".join(found))
    if lost:
        yield Finding("packages", "broken", f"missing: {', '.join(lost)}; reinstall segue")
    for rivals in RIVALS:
        both = [name for name in rivals if _installed(name)]
        if len(both) > 1:
            text = f"{' and '.join(both)} overwrite each other's files; uninstall both, then install one"
            yield Finding("packages", "broken", text)


def engine() -> Iterator[Finding]:
    """Opens the shipped bundle and runs every graph: an installed runtime proves nothing."""
    try:
        import onnxruntime

        from engines.base import example_inputs
        from engines.bundle import default_bundle, load_bundle
        from engines.errors import EngineError
        from engines.onnx_engine import OnnxEngine
    except ImportError as error:
        yield Finding("engine", "broken", f'{error.name} is not installed; pip install ".[cpu]" brings it')
        return
    from features.spec import FEATURES

    try:
        bundle = load_bundle(default_bundle(), FEATURES)
        runner = OnnxEngine(bundle)
        runner.warmup()
    except EngineError as error:
        yield Finding("engine", "broken", str(error))
        return
    inputs = example_inputs(runner.spec("video_clip"))
    times = [_timed(lambda: runner.run("video_clip", inputs)) for _ in range(TIMED_RUNS)]
    runner.close()
    text = f"ONNX Runtime {onnxruntime.__version__} on the CPU runs {bundle.manifest.name} ({bundle.manifest.system}), "
    yield Finding("engine", "ok", text + f"a video clip in {statistics.median(times):.1f} ms (median of {TIMED_RUNS})")
    others = [name for name in onnxruntime.get_available_providers() if name != "CPUExecutionProvider"]
    if others:
        yield Finding("engine", "absent", f"not used: {', '.join(others)} (compiled in, which does not mean they work)")


def search() -> Iterator[Finding]:
    try:
        import faiss
    except ImportError:
        yield Finding("search", "broken", 'faiss is not installed; pip install ".[cpu]" brings it')
        return
    yield Finding("search", "ok", f"FAISS {faiss.__version__}")


def media() -> Iterator[Finding]:
    import av
    from av.codec import codecs_available

    for part, names, needed in (("video in", VIDEO_DECODERS, ("h264", "vp8")), ("music in", AUDIO_DECODERS, ("mp3",))):
        lost = [name for name in names if name not in codecs_available]
        yield Finding(part, "ok", ", ".join(name for name in names if name in codecs_available))
        if lost:
            state = "broken" if set(lost) & set(needed) else "absent"
            yield Finding(part, state, f"no decoder for {', '.join(lost)} in PyAV {av.__version__}")


def network() -> Iterator[Finding]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        try:
            udp.bind(("127.0.0.1", 0))
        except OSError as error:
            yield Finding("WebRTC", "broken", f"cannot open a UDP socket: {error.strerror}; WHIP needs UDP")
            return
    yield Finding("WebRTC", "ok", "UDP sockets open; whether packets arrive depends on firewalls between the two ends")


def cameras() -> Iterator[Finding]:
    devices = sorted(str(path) for path in Path("/dev").glob("video*"))
    if devices:
        yield Finding("cameras", "ok", ", ".join(devices))
    else:
        yield Finding("cameras", "absent", "none at /dev/video*; a browser's camera needs none here")


CHECKS: Sequence[Callable[[], Iterator[Finding]]] = (machine, packages, engine, search, media, network, cameras)


def main(argv: Sequence[str]) -> int:
    """0 when the main job can run here, else 2."""
    arguments = argparse.ArgumentParser(prog="segue doctor", description=__doc__)
    arguments.add_argument("--json", action="store_true", help="one JSON object a finding")
    options = arguments.parse_args(argv)
    findings = [finding for check in CHECKS for finding in check()]
    if options.json:
        for finding in findings:
            print(json.dumps(asdict(finding)))  # noqa: T201
    else:
        _show(findings)
    return 2 if any(finding.state == "broken" for finding in findings) else 0


def _show(findings: Sequence[Finding]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    colours = {"ok": "green", "absent": "yellow", "broken": "red"}
    for finding in findings:
        table.add_row(finding.part, f"[{colours[finding.state]}]{finding.state}[/]", finding.text)
    Console().print(table)


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1000.0
