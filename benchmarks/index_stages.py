"""Index a folder in this process with a stopwatch around each stage, and time what its library alone takes.

    python -m benchmarks.index_stages MUSIC

prints one JSON object: ``whole``, seconds of processor, and ``stages``: name -> [seconds, those of its floor or null].
"""

import json
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

import catalog.analysis as analysis
import catalog.identity as identity
import catalog.indexer as indexer
import catalog.sketch as sketch
import catalog.store as store
import catalog.tags as tags
import features.decode.sound as sound
import features.music as music
import features.r128 as r128
import features.vocals as vocals
from catalog.worker import EngineSpec, own_engine
from engines.bundle import default_bundle
from features.fbank import fbank
from features.voice_network import open_on_bands

Floats = NDArray[np.float32]
# Stage -> the functions that are it. A stage inside another one is not counted twice.
STAGES: Final[dict[str, list[tuple[Any, str]]]] = {
    "identity": [(identity, "identify")],
    "tags": [(tags, "read_tags")],
    "decode": [(sound, "decode")],
    "loudness": [(r128.LevelMeter, "_measure"), (music, "loudness"), (analysis, "levels_of")],
    "beats": [(music, "course_of"), (music, "find_pulse"), (music, "place_beats")],
    "harmony and key": [(music, "chroma")],
    "tower's input": [],  # in a table
    "tower": [],  # the engine's
    "structure": [(analysis, "outline_of"), (analysis, "starts_of")],
    "vocals": [(analysis, "vocals_by_second")],
    "sketch": [(sketch, "both_ways")],
    "write": [(store.Store, "put")],
}
SPECTRA: Final = {"beats": (1024, 256), "harmony and key": (4096, 2048)}  # samples, and between them


class Watch:
    """Processor time of each stage, without that of stages inside."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._since = 0.0

    def around(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*given: Any, **named: Any) -> Any:
            self._turn()
            self._open.append(stage)
            try:
                return function(*given, **named)
            finally:
                self._turn()
                self._open.pop()

        return watched

    def _turn(self) -> None:
        now = time.process_time()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now


def main(folder: Path) -> None:
    watch, decoded = Watch(), list[Floats]()
    for stage, places in STAGES.items():
        for owner, name in places:
            setattr(owner, name, watch.around(stage, getattr(owner, name)))
    for name, measure in music.PER_CLIP.items():
        music.PER_CLIP[name] = watch.around("tower's input", measure)  # type: ignore[index]
    plain_decode = sound.decode

    def kept(*given: Any, **named: Any) -> sound.Sound:
        result = plain_decode(*given, **named)
        decoded.append(result.samples)
        return result

    sound.decode = kept
    engine = own_engine(EngineSpec(str(default_bundle())))
    inputs: list[tuple[str, Any]] = []
    plain_run = engine.run

    def run(graph: str, given: Any) -> Any:
        inputs.append((graph, given))
        return plain_run(graph, given)

    engine.run = watch.around("tower", run)  # type: ignore[method-assign]
    begin = time.process_time()
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as scratch:
        indexer.index_folder(folder, Path(scratch) / "c", engine, 1, lambda *_: None)
    whole = time.process_time() - begin
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    floors = {
        "identity": took(partial(read_packets, files, False)),
        "decode": took(partial(read_packets, files, True)),
        "tower": took(lambda: [plain_run(*pair) for pair in inputs]),
        "sketch": took(partial(all_spectra, [samples[::2] for samples in decoded], sketch.FFT, sketch.HOP)),
        **{stage: took(partial(all_spectra, decoded, *sizes)) for stage, sizes in SPECTRA.items()},
    }
    if (weights := vocals.weights_path()) is not None:
        network, bands = open_on_bands(weights), [fbank(samples) for samples in decoded]
        floors["vocals"] = took(lambda: [network(own) for own in bands])
    stages = {stage: (watch.seconds[stage], floors.get(stage)) for stage in STAGES}
    print(json.dumps({"whole": whole, "stages": stages}))  # noqa: T201


def took(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def read_packets(files: list[Path], decode: bool) -> None:
    """FFmpeg's reader alone, or with its decoder."""
    for path in files:
        try:
            with identity.open_media(path) as container:
                for packet in container.demux(container.streams.audio[0]) if container.streams.audio else ():
                    if decode:
                        packet.decode()
        except (OSError, av.error.FFmpegError):
            continue


def all_spectra(decoded: list[Floats], fft: int, hop: int) -> None:
    for samples in decoded:
        spectra(samples, fft, hop)


def spectra(samples: Floats, fft: int, hop: int) -> None:
    """The transforms of a stage and nothing else, by SciPy, some at once."""
    if len(samples) < fft:
        return
    rows = np.lib.stride_tricks.sliding_window_view(samples, fft)[::hop]
    for at in range(0, len(rows), 64):
        rfft(rows[at : at + 64], axis=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
