"""The same content in other forms: between bars, in high dynamic range, interlaced, with a hole through it, a moment
later, darker, at other rates and sizes, under a streamer's overlay; music louder and softer.

An ``ffmpeg`` program makes each variant of a video in a temporary folder. It is watched as fast as possible, beside its
*reference*: the same pictures in plain form. Both should get the same lists.

*Figures*, over all lists of all videos: ``overlap``, the mean share of the five suggestions that both lists hold;
``first_kept``, the share of lists with the same first place; ``cosine_median`` and ``cosine_least``, of the window
vectors of variant and reference; and of the pictures, variant and reference: brightness,
contrast, colourfulness, warmth and speed, means over all analysed pictures. ``recoded`` is the control: another size
and quality, nothing else. The reader must judge which others a viewer would call the same: a mirrored or darker picture
is, a grey one perhaps. The sound side, and its figures: `masters`.
"""

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from catalog.catalog import Catalog
from engines.bundle import Bundle
from engines.onnx_engine import OnnxEngine
from features.frame import FrameFeatures
from stream.core.events import Answer, Cut, Infer, Notice, Question, Suggestions
from stream.core.session import SessionOptions
from stream.driver.runtime import Runtime
from stream.sinks.base import FunctionSink
from stream.sources.pull.pull import Pull
from stream.watch import watch_fast

from .errors import BenchError
from .harness import Report, Row
from .masters import MASTERS, master_rows

INNER: Final = "crop=iw*24/25:ih*24/25"  # without borders of its own
FULL: Final = f"{INNER},scale=854:480,setsar=1"
TAGGED: Final = (  # names the input's colours for the filters that follow
    f"{INNER},scale=854:480:out_color_matrix=bt709:out_range=tv,setsar=1,"
    "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
)
OVERLAY: Final = (  # a box for a streamer's still camera picture, with a patch as bright as a face, and a logo
    "drawbox=x=630:y=340:w=200:h=120:color=0x303848:t=fill,drawbox=x=690:y=370:w=80:h=90:color=0xc09878:t=fill,"
    "drawbox=x=20:y=20:w=120:h=40:color=white:t=fill,drawbox=x=30:y=30:w=60:h=20:color=0xd02020:t=fill"
)
H264: Final = ("-c:v", "libx264", "-crf", "18", "-preset", "veryfast", "-pix_fmt", "yuv420p")
DEEP: Final = ("-c:v", "libx264", "-crf", "14", "-preset", "veryfast", "-pix_fmt", "yuv420p10le")
MEASURES: Final = ("brightness", "contrast", "colourfulness", "warmth", "speed")
HEADINGS: Final = {
    "overlap": ("overlap", 2),
    "first_kept": ("first kept", 2),
    "cosine_median": ("cosine", 4),
    "cosine_least": ("least", 4),
}  # and digits


@dataclass(frozen=True)
class Variant:
    """FFmpeg's filters for the reference, those that follow for the variant, and the coding of the variant."""

    reference: str
    then: str = ""
    coding: tuple[str, ...] = H264
    suffix: str = ".mp4"
    rotated: int = 0  # degrees counter-clockwise that a player must turn it


def _hdr(transfer: str) -> str:
    """BT.709 to BT.2020 and a transfer of high dynamic range, white at 203 cd/m2. HLG's system gamma acts on luminance
    (BT.2100); with its default approximation, zscale applies it to each channel, and colours come out paler."""
    light = "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt2020"
    return f"{light},zscale=t={transfer}:agamma=0:m=bt2020nc:r=tv:npl=203,format=yuv420p10le"


def _deep_coding(transfer: str) -> tuple[str, ...]:
    return (*DEEP, "-color_primaries", "bt2020", "-color_trc", transfer, "-colorspace", "bt2020nc")


def _between(filters: str, place: str = "(ow-iw)/2:(oh-ih)/2") -> Variant:
    return Variant(f"{INNER},{filters},setsar=1", f"pad=854:480:{place}:black")


VARIANTS: Final = {
    "recoded": Variant(FULL, "scale=640:360", ("-c:v", "libx264", "-crf", "28", "-pix_fmt", "yuv420p")),
    "letterbox 2.39": _between("scale=854:358"),
    "4:3 between sides": _between("scale=640:480"),
    "portrait between sides": _between("scale=854:480,crop=270:480"),
    "window": _between("scale=428:240"),
    "window in a corner": _between("scale=428:240", "400:220"),
    "bar below": _between("scale=854:400", "0:0"),
    "bar at the left": _between("scale=700:480", "154:0"),
    "PQ": Variant(TAGGED, _hdr("smpte2084"), _deep_coding("smpte2084")),
    "HLG": Variant(TAGGED, _hdr("arib-std-b67"), _deep_coding("arib-std-b67")),
    "interlaced": Variant(FULL, "tinterlace=mode=interleave_top", (*H264, "-flags", "+ilme+ildct")),
    "hole": Variant(
        f"{FULL},drawbox=x=200:y=100:w=240:h=200:color=black:t=fill",
        "format=yuva444p,geq=lum='if({0},180,lum(X,Y))':cb='if({0},200,cb(X,Y))':cr='if({0},200,cr(X,Y))':a='if({0},0,255)'"
        .format("between(X,200,439)*between(Y,100,299)"),
        ("-c:v", "qtrle", "-pix_fmt", "argb"),
        ".mov",
    ),
    "60 ms later": Variant(FULL, "trim=start=0.06,setpts=PTS-STARTPTS"),
    "a tenth lost": Variant(FULL, "select=eq(n\\,0)+gte(random(7)\\,0.1)", (*H264, "-fps_mode", "passthrough")),
    "brightness 0.8": Variant(FULL, "format=gbrp,colorchannelmixer=rr=0.8:gg=0.8:bb=0.8"),
    "gamma 1.4": Variant(FULL, "eq=gamma=1.4"),
    "gamma 0.7": Variant(FULL, "eq=gamma=0.7"),
    "grey": Variant(FULL, "hue=s=0"),
    "mirrored": Variant(FULL, "hflip"),
    "150 kbit/s": Variant(FULL, "null", ("-c:v", "libx264", "-b:v", "150k", "-pix_fmt", "yuv420p")),
    "24 fps": Variant(FULL, "fps=24"),
    "30 fps": Variant(FULL, "fps=30"),
    "60 fps": Variant(FULL, "fps=60"),
    "240p": Variant(FULL, "scale=426:240"),
    "1080p": Variant(FULL, "scale=1920:1080"),
    "overlay": Variant(FULL, OVERLAY),
    "turned by the player": Variant(FULL, "transpose=clock", rotated=90),
    "full range": Variant(TAGGED, "scale=in_range=tv:out_range=pc,setparams=range=pc", (*H264, "-color_range", "pc")),
}  # fmt: skip


@dataclass(frozen=True)
class WatchResult:
    """The lists for a video, and its measures; ``vectors``: (E,) of each window."""

    lists: list[list[str]]
    cuts: int
    means: dict[str, float]
    vectors: list[NDArray[np.float32]]


class RecordingRuntime(Runtime):
    """A runtime that records the vectors of windows."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime.engine, runtime.catalog)
        self.vectors: list[NDArray[np.float32]] = []

    def answer(self, question: Question) -> Answer:
        answer = super().answer(question)
        if isinstance(question, Infer) and question.graph == "video_sequence" and isinstance(answer, Mapping):
            self.vectors.append(np.asarray(answer["embedding"][0], np.float32))
        return answer


def measure(
    videos: Sequence[Path],
    catalog: Path,
    bundle: Bundle,
    names: Sequence[str],
    seconds: float,
    tracks: int,
    say: Callable[[str], None],
) -> Report:
    """``names`` of `VARIANTS` and of `MASTERS`. Raises BenchError if there is no ffmpeg, if it cannot make a
    variant, or if there is a variant of pictures but no video; errors of catalogues."""
    program = _ffmpeg()
    masters = [name for name in names if name in MASTERS]
    pictures = [name for name in names if name in VARIANTS]
    if pictures and not videos:
        raise BenchError(
            f"{', '.join(pictures)}: variants of pictures need a video; name one, or --only masters of sound"
        )
    rows: list[Row] = []
    with Catalog.open(catalog, bundle) as opened_catalog, tempfile.TemporaryDirectory() as folder:
        engine = OnnxEngine(bundle, 2)
        runtime = Runtime(engine, opened_catalog)
        rows += picture_rows(videos, runtime, pictures, seconds, program, Path(folder), say)
        sound_tracks = opened_catalog.tracks()[:tracks]
        rows += master_rows(sound_tracks, masters, engine, program, Path(folder), say)
        settings: dict[str, str | int | float] = {
            "videos": len(videos),
            "seconds": seconds,
            "tracks": len(opened_catalog),
        }
        if masters:
            settings["tracks_heard"] = len(sound_tracks)
    return Report("variants", rows, settings)


def invariance_rows(
    videos: Sequence[Path], runtime: Runtime, names: Sequence[str], seconds: float, say: Callable[[str], None]
) -> Iterator[Row]:
    """`picture_rows` in a temporary folder."""
    program = _ffmpeg()
    with tempfile.TemporaryDirectory() as folder:
        yield from picture_rows(videos, runtime, names, seconds, program, Path(folder), say)


def _ffmpeg() -> str:
    program = shutil.which("ffmpeg")
    if program is None:
        raise BenchError("variants of a video are made with an ffmpeg program, which is not on the PATH; install it")
    return program


def picture_rows(
    videos: Sequence[Path],
    runtime: Runtime,
    names: Sequence[str],
    seconds: float,
    program: str,
    folder: Path,
    say: Callable[[str], None],
) -> Iterator[Row]:
    """Rows of the variants ``names`` (of `VARIANTS`) of the first ``seconds`` of each video. Raises BenchError if
    ffmpeg cannot make one."""
    plain: dict[tuple[Path, str], WatchResult] = {}  # references shared by several variants
    for name in names:
        pairs = []
        for video in videos:
            say(f"{name}: {video.name}")
            variant = VARIANTS[name]
            key = video, variant.reference
            if key not in plain:
                plain[key] = watch_video(
                    _run_filters(program, video, variant.reference, H264, folder / "plain.mp4", seconds), runtime
                )
            path = _make_variant(program, video, variant, folder, seconds)
            pairs.append((watch_video(path, runtime), plain[key]))
        yield from compare(name, pairs)


def _make_variant(program: str, video: Path, variant: Variant, folder: Path, seconds: float) -> Path:
    filters = f"{variant.reference},{variant.then}" if variant.then else variant.reference
    path = _run_filters(program, video, filters, variant.coding, folder / f"variant{variant.suffix}", seconds)
    if not variant.rotated:
        return path
    turned = path.with_name(f"turned{variant.suffix}")
    quiet, copy = ["-v", "error", "-y", "-nostdin"], ["-i", str(path), "-c", "copy"]
    try:
        _run(program, [*quiet, "-display_rotation", str(variant.rotated), *copy, str(turned)], video)
    except BenchError:  # before FFmpeg 6
        _run(program, [*quiet, *copy, "-metadata:s:v:0", f"rotate={variant.rotated}", str(turned)], video)
    return turned


def _run_filters(program: str, video: Path, filters: str, coding: Sequence[str], path: Path, seconds: float) -> Path:
    input_words = ["-v", "error", "-y", "-nostdin", "-t", f"{seconds:g}", "-i", str(video), "-an", "-vf", filters]
    _run(program, [*input_words, *coding, str(path)], video)
    return path


def _run(program: str, words: Sequence[str], video: Path) -> None:
    process = subprocess.run([program, *words], capture_output=True, text=True)
    if process.returncode:
        raise BenchError(f"{video}: ffmpeg cannot make it ({process.stderr.strip()[-300:]}); leave that variant out")


def watch_video(path: Path, runtime: Runtime) -> WatchResult:
    """A whole video through the live path, without a clock."""
    notices: list[Notice] = []
    features: list[FrameFeatures] = []
    recorder = RecordingRuntime(runtime)
    with Pull(str(path)) as pull:
        watch_fast(pull, recorder, SessionOptions(), FunctionSink(notices.append), analysed=features.append)
    rows = [
        (frame.colour.brightness, frame.colour.contrast, frame.colour.colourfulness, frame.colour.warmth, frame.speed)
        for frame in features
    ]
    return WatchResult(
        [[item.track for item in notice.items] for notice in notices if isinstance(notice, Suggestions)],
        sum(isinstance(notice, Cut) for notice in notices),
        dict(zip(MEASURES, np.mean(rows, axis=0).tolist(), strict=True)),
        recorder.vectors,
    )


def compare(name: str, pairs: Sequence[Any]) -> Iterator[Row]:
    """The rows of one variant; ``pairs`` of variant and reference."""
    lists = [pair for variant, reference in pairs for pair in zip(variant.lists, reference.lists, strict=False)]
    labels = {"variant": name}
    shared = [len({*variant} & {*reference}) / max(1, len(reference)) for variant, reference in lists]
    yield Row("overlap", float(np.mean(shared)), len(lists), "share", labels)
    same_first = [variant[:1] == reference[:1] for variant, reference in lists]
    yield Row("first_kept", float(np.mean(same_first)), len(lists), "share", labels)
    cosines = [
        float(vector @ other)
        for variant, reference in pairs
        for vector, other in zip(variant.vectors, reference.vectors, strict=False)
    ]
    if cosines:
        yield Row("cosine_median", float(np.median(cosines)), len(cosines), "window cosine", labels)
        yield Row("cosine_least", min(cosines), len(cosines), "window cosine", labels)
    for measure in MEASURES:
        for side, index in (("variant", 0), ("reference", 1)):
            mean = float(np.mean([pair[index].means[measure] for pair in pairs]))
            yield Row(measure, mean, len(pairs), "mean", {**labels, "side": side})
    for side, index in (("variant", 0), ("reference", 1)):
        yield Row("cuts", float(sum(pair[index].cuts for pair in pairs)), len(pairs), "cuts", {**labels, "side": side})


def add_variants(kinds: Any) -> None:
    """The command's arguments."""
    known = (*VARIANTS, *MASTERS)
    parser = kinds.add_parser(
        "variants",
        help="the same content between bars, in HDR, interlaced, louder, as MP3: does it get the same lists?",
    )
    parser.add_argument("videos", metavar="VIDEO", type=Path, nargs="*", help="without bars of their own")
    parser.add_argument("-c", "--catalog", type=Path, required=True, help="catalogue made by segue index")
    parser.add_argument("--bundle", type=Path, help="bundle to run (default: the one that ships)")
    parser.add_argument("--only", action="append", choices=known, metavar="NAME", help="one of %(choices)s")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each video (default 15)")
    parser.add_argument("--tracks", type=int, default=12, help="of the catalogue, for the masters (default 12)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")


def variants(options: argparse.Namespace) -> int:
    """Measure, print, write."""
    from rich.console import Console

    from engines.bundle import default_bundle, load_bundle
    from features.spec import FEATURES

    from .report.run import publish, run_of

    bundle = load_bundle(options.bundle or default_bundle(), FEATURES)
    names = options.only or [*VARIANTS, *MASTERS]
    say = run_of(options).say
    report = measure(options.videos, options.catalog, bundle, names, options.seconds, options.tracks, say)
    Console().print(table_of(report.rows))
    return publish(options, report)


def table_of(rows: Sequence[Row]) -> Any:
    """A line a variant, for sound a line a side; only columns that have values."""
    from rich.table import Table

    lines: dict[str, dict[str, str]] = {}
    for row in rows:
        side = str(row.labels.get("side", ""))
        line = lines.setdefault(
            f"{row.labels['variant']}, {side}" if row.unit == "cosine" else str(row.labels["variant"]), {}
        )
        line.setdefault("n", str(row.n))
        if row.metric in MEASURES:
            line[row.metric] = f"{line[row.metric]} ({row.value:.3f})" if row.metric in line else f"{row.value:.3f}"
        elif row.metric in HEADINGS:
            line[row.metric] = f"{row.value:.{HEADINGS[row.metric][1]}f}"
    table = Table("variant", "n")
    shown = [name for name in (*HEADINGS, *MEASURES) if any(name in line for line in lines.values())]
    for name in shown:
        table.add_column(HEADINGS[name][0] if name in HEADINGS else f"{name} (reference)")
    for name, line in lines.items():
        table.add_row(name, line["n"], *(line.get(column, "") for column in shown))
    return table
