"""The same content as it comes: between bars, in high dynamic range, interlaced, with a hole through it; music louder
and softer.

Each variant of a video is made by an ``ffmpeg`` program in a folder that goes away again, and watched as fast as it
goes, beside its *reference*: the same pictures delivered plainly. What is told of both should be the same.

*Figures*, over all lists of all videos: ``overlap``, the mean share of the five suggestions that both lists hold;
``first_kept``, the share of lists with the same first place; and of the pictures, variant and reference: brightness,
contrast, colourfulness, warmth and speed, means over all looked-at pictures. ``recoded`` is the control: another size
and quality, nothing else. The sound side, and its figures: `levels`.
"""

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from catalog.catalog import Catalog
from engines.bundle import Bundle
from engines.onnx_engine import OnnxEngine
from features.frame import FrameFeatures
from stream.core.events import Cut, Notice, Suggestions
from stream.core.session import SessionOptions
from stream.runtime import Runtime
from stream.sources.pull import Pull
from stream.watch import watch_fast

from .errors import BenchError
from .harness import Report, Row
from .levels import LEVELS_DB, level_rows

INNER: Final = "crop=iw*24/25:ih*24/25"  # without borders of its own
FULL: Final = f"{INNER},scale=854:480,setsar=1"
TAGGED: Final = (  # for what follows to know what it converts
    f"{INNER},scale=854:480:out_color_matrix=bt709:out_range=tv,setsar=1,"
    "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
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
    """FFmpeg's filters for the reference, and those that follow for the variant; how the variant is coded."""

    reference: str
    then: str = ""
    coded: tuple[str, ...] = H264
    suffix: str = ".mp4"


def _hdr(transfer: str) -> str:
    """BT.709 to BT.2020 and a transfer of high dynamic range, white at 203 cd/m2. HLG's system gamma acts on luminance
    (BT.2100); unless told not to approximate, zscale lets it act on each channel, and colours come out paler."""
    light = "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt2020"
    return f"{light},zscale=t={transfer}:agamma=0:m=bt2020nc:r=tv:npl=203,format=yuv420p10le"


def _coded_deep(transfer: str) -> tuple[str, ...]:
    return (*DEEP, "-color_primaries", "bt2020", "-color_trc", transfer, "-colorspace", "bt2020nc")


def _between(inner: str, place: str = "(ow-iw)/2:(oh-ih)/2") -> Variant:
    return Variant(f"{INNER},{inner},setsar=1", f"pad=854:480:{place}:black")


VARIANTS: Final = {
    "recoded": Variant(FULL, "scale=640:360", ("-c:v", "libx264", "-crf", "28", "-pix_fmt", "yuv420p")),
    "letterbox 2.39": _between("scale=854:358"),
    "4:3 between sides": _between("scale=640:480"),
    "portrait between sides": _between("scale=854:480,crop=270:480"),
    "window": _between("scale=428:240"),
    "window in a corner": _between("scale=428:240", "400:220"),
    "bar below": _between("scale=854:400", "0:0"),
    "bar at the left": _between("scale=700:480", "154:0"),
    "PQ": Variant(TAGGED, _hdr("smpte2084"), _coded_deep("smpte2084")),
    "HLG": Variant(TAGGED, _hdr("arib-std-b67"), _coded_deep("arib-std-b67")),
    "interlaced": Variant(FULL, "tinterlace=mode=interleave_top", (*H264, "-flags", "+ilme+ildct")),
    "hole": Variant(
        f"{FULL},drawbox=x=200:y=100:w=240:h=200:color=black:t=fill",
        "format=yuva444p,geq=lum='if({0},180,lum(X,Y))':cb='if({0},200,cb(X,Y))':cr='if({0},200,cr(X,Y))':a='if({0},0,255)'"
        .format("between(X,200,439)*between(Y,100,299)"),
        ("-c:v", "qtrle", "-pix_fmt", "argb"),
        ".mov",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Watched:
    """What was told of a video, and measured."""

    lists: list[list[str]]
    cuts: int
    means: dict[str, float]


def measure(
    videos: Sequence[Path],
    catalog: Path,
    bundle: Bundle,
    names: Sequence[str],
    seconds: float,
    tracks: int,
    tell: Callable[[str], None],
) -> Report:
    """``names`` of `VARIANTS` and of `LEVELS_DB`. Raises BenchError where there is no ffmpeg, or it cannot make a
    variant, or one of pictures is asked for without a video; errors of catalogues."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise BenchError("bench variants makes its files with ffmpeg, which is not on the PATH; install it")
    levels = [name for name in names if name in LEVELS_DB]
    pictures = [name for name in names if name in VARIANTS]
    if pictures and not videos:
        raise BenchError(
            f"{', '.join(pictures)}: variants of pictures need a video; name one, or --only levels of sound"
        )
    rows: list[Row] = []
    with Catalog.open(catalog, bundle) as opened, tempfile.TemporaryDirectory() as folder:
        engine = OnnxEngine(bundle, 2)
        runtime = Runtime(engine, opened)
        for name in pictures:
            pairs = []
            for video in videos:
                tell(f"{name}: {video.name}")
                made = _made(program, video, VARIANTS[name], Path(folder), seconds)
                pairs.append(tuple(watched(path, runtime) for path in made))
            rows += list(compared(name, pairs))
        heard = opened.tracks()[:tracks]
        rows += level_rows(heard, levels, engine, program, Path(folder), tell)
        settings: dict[str, str | int | float] = {"videos": len(videos), "seconds": seconds, "tracks": len(opened)}
        if levels:
            settings["tracks_levelled"] = len(heard)
    return Report("variants", rows, settings)


def _made(program: str, video: Path, variant: Variant, folder: Path, seconds: float) -> tuple[Path, Path]:
    """The variant and its reference."""
    plain, other = folder / "plain.mp4", folder / f"variant{variant.suffix}"
    given = [program, "-v", "error", "-y", "-nostdin", "-t", f"{seconds:g}", "-i", str(video), "-an", "-vf"]
    for filters, coded, path in (
        (variant.reference, H264, plain),
        (f"{variant.reference},{variant.then}", variant.coded, other),
    ):
        done = subprocess.run([*given, filters, *coded, str(path)], capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f"{video}: ffmpeg cannot make it ({done.stderr.strip()[-300:]}); leave that variant out")
    return other, plain


def watched(path: Path, runtime: Runtime) -> Watched:
    """A whole video through the live path, without a clock."""
    notices: list[Notice] = []
    seen: list[FrameFeatures] = []
    with Pull(str(path)) as pull:
        watch_fast(pull, runtime, SessionOptions(), notices.append, looked=seen.append)
    rows = [(f.colour.brightness, f.colour.contrast, f.colour.colourfulness, f.colour.warmth, f.speed) for f in seen]
    return Watched(
        [[item.track for item in notice.items] for notice in notices if isinstance(notice, Suggestions)],
        sum(isinstance(notice, Cut) for notice in notices),
        dict(zip(MEASURES, np.mean(rows, axis=0).tolist(), strict=True)),
    )


def compared(name: str, pairs: Sequence[Any]) -> Iterator[Row]:
    """The rows of one variant; ``pairs`` of variant and reference."""
    lists = [pair for one, other in pairs for pair in zip(one.lists, other.lists, strict=False)]
    labels = {"variant": name}
    shared = [len({*one} & {*other}) / max(1, len(other)) for one, other in lists]
    yield Row("overlap", float(np.mean(shared)), len(lists), "share", labels)
    kept = [one[:1] == other[:1] for one, other in lists]
    yield Row("first_kept", float(np.mean(kept)), len(lists), "share", labels)
    for measured in MEASURES:
        for side, which in (("variant", 0), ("reference", 1)):
            mean = float(np.mean([pair[which].means[measured] for pair in pairs]))
            yield Row(measured, mean, len(pairs), "mean", {**labels, "side": side})
    for side, which in (("variant", 0), ("reference", 1)):
        yield Row("cuts", float(sum(pair[which].cuts for pair in pairs)), len(pairs), "cuts", {**labels, "side": side})


def add_variants(kinds: Any) -> None:
    """The command's arguments."""
    known = (*VARIANTS, *LEVELS_DB)
    each = kinds.add_parser(
        "variants", help="the same content between bars, in HDR, interlaced, louder: is the same told of it?"
    )
    each.add_argument("videos", metavar="VIDEO", type=Path, nargs="*", help="without bars of their own")
    each.add_argument("-c", "--catalog", type=Path, required=True, help="catalogue made by segue index")
    each.add_argument("--bundle", type=Path, help="bundle to run (default: the one that ships)")
    each.add_argument("--only", action="append", choices=known, metavar="NAME", help=f"one of {', '.join(known)}")
    each.add_argument("--seconds", type=float, default=15.0, help="of each video (default 15)")
    each.add_argument("--tracks", type=int, default=12, help="of the catalogue, for the levels (default 12)")
    each.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")


def variants(options: argparse.Namespace) -> int:
    """Measure, show, write."""
    from rich.console import Console

    from engines.bundle import default_bundle, load_bundle
    from features.spec import FEATURES

    bundle = load_bundle(options.bundle or default_bundle(), FEATURES)
    names = options.only or [*VARIANTS, *LEVELS_DB]
    tell = Console(stderr=True).print
    report = measure(options.videos, options.catalog, bundle, names, options.seconds, options.tracks, tell)
    Console().print(table_of(report.rows))
    if options.json is not None:
        report.write(options.json)
    return 0


def table_of(rows: Sequence[Row]) -> Any:
    """A line a variant, of sound one for each side; columns for what there is."""
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
