"""What makes a style: kit and groove, players, rhythms, amount of room.

A pattern is one bar of sixteenth steps. For drums: ``X`` accent, ``x`` stroke, ``o`` ghost, ``.`` rest. For chords and
bass: a letter or digit starts a note, ``-`` holds it, ``.`` rests; a bass note is the root ``r``, the fifth ``5``, the
octave ``8``, the third ``3`` or ``l``, the scale step below the root. Where several patterns or instruments are listed,
the seed picks one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Row:
    """One drum voice: it plays where the energy is at least ``from_energy`` and below ``to_energy``."""

    voice: str
    gain: float
    from_energy: float
    patterns: tuple[str, ...]
    to_energy: float = 1.1


@dataclass(frozen=True, slots=True)
class Style:
    """One style. ``swing`` and ``room`` are ranges; ``entries`` are the energies at which parts come in."""

    drums: tuple[Row, ...]
    bass: tuple[str, ...]
    comp: tuple[str, ...]
    bass_families: tuple[str, ...]
    comp_families: tuple[str, ...]
    pad_families: tuple[str, ...]
    arp_families: tuple[str, ...]
    lead_families: tuple[str, ...]
    kit: str = "electronic"
    beats_per_bar: int = 4
    swing: tuple[float, float] = (0.0, 0.0)  # share of a step by which every other one is late
    swing_unit: int = 1  # steps: 1 swings sixteenths, 2 swings eighths
    bars_per_chord: int = 1
    chord_size: int = 3
    arp_steps: tuple[int, ...] = (2,)
    lead_density: float = 0.45
    duck: float = 0.0
    room: tuple[float, float] = (0.1, 0.25)
    entries: tuple[float, float, float, float, float] = (0.0, 0.12, 0.2, 0.45, 0.35)  # pad, comp, bass, arp, lead
    drum_gain: float = 1.3
    tonal_gain: float = 1.0
    top_hz: float = 15_000.0


_FOUR: Final = "X...X...X...X..."
_BACKBEAT: Final = "....X.......X..."
_EIGHTHS: Final = "X.o.x.o.X.o.x.o."
_SIXTEENTHS: Final = "XoxoXoxoXoxoXoxo"
_OFFBEAT: Final = "..x...x...x...x."
_HELD: Final = "c---------------"

_TABLE: Final[Mapping[str, Style]] = {
    "ambient": Style(
        drums=(
            Row("shaker", 0.10, 0.55, ("..o...x...o...x.", "x.....o...x.o...")),
            Row("kick", 0.35, 0.65, ("X.......x.......", "X...............")),
            Row("rim", 0.12, 0.75, ("............x...", "......x.....x...")),
        ),
        bass=("r---------------", "r-------5-------"),
        comp=(_HELD, "c-------c-------"),
        bass_families=("sub_bass",),
        comp_families=("glass_pad", "electric_piano", "bell"),
        pad_families=("warm_pad", "choir", "strings", "glass_pad"),
        arp_families=("bell", "harp", "electric_piano", "synth_pluck"),
        lead_families=("soft_lead", "flute", "bell"),
        kit="soft",
        bars_per_chord=2,
        chord_size=5,
        arp_steps=(2, 4),
        lead_density=0.2,
        room=(0.45, 0.8),
        entries=(0.0, 0.2, 0.25, 0.35, 0.45),
    ),
    "chiptune": Style(
        drums=(
            Row("kick", 0.6, 0.15, ("X.....X.X.......", "X...x...X...x...", "X.......X.x.....")),
            Row("snare", 0.45, 0.25, (_BACKBEAT, "....X.......X..o")),
            Row("hat", 0.18, 0.0, (_EIGHTHS, "..x...x...x...x."), 0.6),
            Row("hat", 0.18, 0.6, (_SIXTEENTHS,)),
        ),
        bass=("r.r.8.r.r.r.8.r.", "r-r-5-r-8-r-5-r-", "r..r..r.5..5..8."),
        comp=("c.c...c.c.c...c.", "c---..c-c---..c-"),
        bass_families=("chip_bass",),
        comp_families=("chip",),
        pad_families=("chip",),
        arp_families=("chip",),
        lead_families=("chip",),
        kit="chip",
        arp_steps=(1,),
        lead_density=0.6,
        room=(0.0, 0.06),
        entries=(0.9, 0.5, 0.1, 0.0, 0.25),
    ),
    "cinematic": Style(
        drums=(
            Row("taiko", 0.8, 0.4, ("X.......x.....x.", "X.....x.x.......", "X...............")),
            Row("taiko", 0.6, 0.7, ("..x...x...x.x.x.", "...x..x.x..x..xx")),
            Row("tom", 0.4, 0.6, ("....x..x....x.xx", "x..x..x...x..x..")),
            Row("crash", 0.2, 0.85, ("X...............",)),
            Row("shaker", 0.1, 0.5, (_SIXTEENTHS,)),
        ),
        bass=("r-------r-------", "r---------------", "r-r-r-r-r-r-r-r-"),
        comp=(_HELD, "c-c-c-c-c-c-c-c-", "c-----c-----c---"),
        bass_families=("strings", "brass"),
        comp_families=("strings", "piano", "brass"),
        pad_families=("strings", "choir"),
        arp_families=("strings", "piano", "harp"),
        lead_families=("brass", "strings", "flute", "choir"),
        kit="soft",
        chord_size=3,
        lead_density=0.25,
        room=(0.35, 0.6),
        entries=(0.0, 0.3, 0.2, 0.4, 0.5),
    ),
    "drum_and_bass": Style(
        drums=(
            Row("kick", 0.85, 0.15, ("X.........X.....", "X.X.......X.....", "X.....x...X....."), 1.1),
            Row("snare", 0.7, 0.2, (_BACKBEAT, "....X..o.o..X..o", "....X..o.o..X...")),
            Row("hat", 0.2, 0.0, ("x.x.x.x.x.x.x.x.",), 0.6),
            Row("hat", 0.2, 0.6, (_SIXTEENTHS, "xoxxxoxoxoxxxoxx")),
            Row("ride", 0.12, 0.75, ("x...x...x...x...",)),
        ),
        bass=("r-----r---5-----", "r--r---.r--r--5-", "r---------8-----"),
        comp=("c-------....c---", "...c-.....c-....", _HELD),
        bass_families=("reese", "sub_bass", "fm_bass"),
        comp_families=("electric_piano", "stab", "glass_pad"),
        pad_families=("warm_pad", "strings", "choir"),
        arp_families=("synth_pluck", "bell"),
        lead_families=("saw_lead", "soft_lead", "flute"),
        kit="acoustic",
        bars_per_chord=2,
        chord_size=4,
        lead_density=0.3,
        duck=0.25,
        room=(0.15, 0.35),
        entries=(0.0, 0.3, 0.2, 0.5, 0.5),
    ),
    "folk": Style(
        drums=(
            Row("kick", 0.45, 0.45, ("X.......X.......", "X.......X.x.....")),
            Row("shaker", 0.14, 0.3, (_EIGHTHS, _SIXTEENTHS)),
            Row("snare", 0.28, 0.65, (_BACKBEAT, "....x.......x.x.")),
            Row("clap", 0.2, 0.8, (_BACKBEAT,)),
        ),
        bass=("r-------5-------", "r-----r-5-----l-", "r---5---r---5---"),
        comp=("c---c-cc--c-c-c-", "c-c-c-ccc-c-c-cc", "c-----c-c---c---"),
        bass_families=("finger_bass",),
        comp_families=("guitar",),
        pad_families=("strings", "organ"),
        arp_families=("guitar", "harp", "piano"),
        lead_families=("flute", "guitar", "soft_lead"),
        kit="acoustic",
        swing=(0.0, 0.2),
        lead_density=0.45,
        room=(0.08, 0.25),
        entries=(0.6, 0.1, 0.3, 0.0, 0.35),
    ),
    "funk": Style(
        drums=(
            Row("kick", 0.75, 0.1, ("X..x......X..x..", "X.x....x..X.....", "X.....x.x..x....")),
            Row("snare", 0.6, 0.15, ("....X..o.o..X..o", "....X..o....X.o.", _BACKBEAT)),
            Row("hat", 0.2, 0.0, (_EIGHTHS,), 0.5),
            Row("hat", 0.2, 0.5, (_SIXTEENTHS,)),
            Row("open", 0.16, 0.6, ("......x.......x.", "..............x.")),
            Row("conga", 0.2, 0.7, ("..x..x....x..xx.", ".x.x..x..x.x..x.")),
        ),
        bass=("r..r..8.r.5..l.r", "r-.8..r..r5-.l..", "r.r...8.l.r..5.l"),
        comp=("..c...c..c..c...", ".c..c..c..c..c..", "c..c....c..c...."),
        bass_families=("finger_bass", "synth_bass", "fm_bass"),
        comp_families=("guitar", "organ", "electric_piano"),
        pad_families=("organ", "strings"),
        arp_families=("synth_pluck", "electric_piano"),
        lead_families=("brass", "saw_lead", "organ"),
        kit="acoustic",
        swing=(0.05, 0.25),
        bars_per_chord=2,
        chord_size=5,
        arp_steps=(1, 2),
        lead_density=0.5,
        entries=(0.55, 0.0, 0.1, 0.7, 0.4),
    ),
    "house": Style(
        drums=(
            Row("kick", 0.9, 0.12, (_FOUR,)),
            Row("clap", 0.5, 0.35, (_BACKBEAT,)),
            Row("open", 0.22, 0.3, (_OFFBEAT,)),
            Row("hat", 0.16, 0.5, (_SIXTEENTHS, "xox.xox.xox.xoxx")),
            Row("shaker", 0.1, 0.0, ("..x...x...x...x.",), 0.3),
            Row("conga", 0.16, 0.65, ("...x..x....x.x..", "..x..x..x...x.x.")),
        ),
        bass=("..r...r...r...r.", "r..r..r...8.r...", "..r-..r-..8-..r-"),
        comp=("..c...c....c....", "c..c..c...c..c..", "...c..c....c..c."),
        bass_families=("synth_bass", "fm_bass", "sub_bass"),
        comp_families=("stab", "electric_piano", "organ", "piano"),
        pad_families=("warm_pad", "strings"),
        arp_families=("synth_pluck", "bell", "acid"),
        lead_families=("saw_lead", "soft_lead", "flute"),
        swing=(0.0, 0.25),
        bars_per_chord=1,
        chord_size=4,
        arp_steps=(1, 2),
        lead_density=0.35,
        duck=0.6,
        entries=(0.0, 0.25, 0.2, 0.55, 0.5),
    ),
    "jazz": Style(
        drums=(
            Row("ride", 0.22, 0.1, ("X...x.o.X...x.o.", "X...x.o.x...x.o.")),
            Row("hat", 0.16, 0.2, (_BACKBEAT,)),
            Row("brush", 0.16, 0.0, ("x...X...x...X...",), 0.6),
            Row("kick", 0.3, 0.5, ("X.......o.......", "x.........x.....")),
            Row("snare", 0.2, 0.6, ("......o...o.....", "..o...........o.", "......x.....o...")),
        ),
        bass=("r---3---5---l---", "r---5---8---l---", "r---3---5---3-l-"),
        comp=("c-....c-........", "....c-....c-....", "c-----c-....c---", "..c-........c-.."),
        bass_families=("finger_bass",),
        comp_families=("piano", "electric_piano", "guitar", "organ"),
        pad_families=("organ", "strings"),
        arp_families=("piano", "electric_piano"),
        lead_families=("brass", "flute", "piano", "guitar"),
        kit="soft",
        swing=(0.5, 0.67),
        swing_unit=2,
        chord_size=5,
        lead_density=0.55,
        room=(0.12, 0.3),
        entries=(0.7, 0.0, 0.1, 0.8, 0.3),
    ),
    "lofi": Style(
        drums=(
            Row("kick", 0.75, 0.15, ("X.....x...X.....", "X......x..X.....", "X..x......X.....")),
            Row("snare", 0.45, 0.2, (_BACKBEAT, "....X.......X..o")),
            Row("rim", 0.3, 0.05, (_BACKBEAT,), 0.2),
            Row("hat", 0.16, 0.1, (_EIGHTHS, "x.x.xox.x.x.x.xo")),
        ),
        bass=("r-----r-5-------", "r---..r-8---l---", "r-------..r-5---"),
        comp=("c-----..c-------", _HELD, "..c-----..c---..", "c---..c-----c---"),
        bass_families=("sub_bass", "finger_bass"),
        comp_families=("electric_piano", "piano", "guitar"),
        pad_families=("warm_pad", "choir", "strings"),
        arp_families=("guitar", "bell", "electric_piano"),
        lead_families=("soft_lead", "guitar", "electric_piano", "flute"),
        kit="soft",
        swing=(0.2, 0.45),
        chord_size=5,
        lead_density=0.35,
        duck=0.25,
        entries=(0.35, 0.0, 0.15, 0.6, 0.35),
        top_hz=6_500.0,
    ),
    "rock": Style(
        drums=(
            Row("kick", 0.85, 0.15, ("X.......X.x.....", "X.....x.X.......", "X.......XX......")),
            Row("snare", 0.75, 0.2, (_BACKBEAT, "....X.......X.x.")),
            Row("hat", 0.22, 0.05, (_EIGHTHS, "X...x...X...x..."), 0.7),
            Row("crash", 0.2, 0.7, ("X...x...X...x...",)),
            Row("open", 0.2, 0.5, ("......x.........", "..............x.")),
        ),
        bass=("r-r-r-r-r-r-r-r-", "r---r-r-r---5-l-", "r--r--r-r--r--5-"),
        comp=("c-c-c-c-c-c-c-c-", "c-----c-c---c---", "c---c.c-c.c-c---", _HELD),
        bass_families=("finger_bass", "synth_bass"),
        comp_families=("overdriven",),
        pad_families=("organ", "strings"),
        arp_families=("guitar", "overdriven"),
        lead_families=("overdriven", "saw_lead", "organ"),
        kit="acoustic",
        chord_size=2,
        lead_density=0.5,
        entries=(0.5, 0.2, 0.15, 0.0, 0.5),
    ),
    "synthwave": Style(
        drums=(
            Row("kick", 0.85, 0.15, (_FOUR, "X.....x.X.......")),
            Row("snare", 0.65, 0.25, (_BACKBEAT,)),
            Row("hat", 0.16, 0.1, (_EIGHTHS, "..x...x...x...x."), 0.65),
            Row("hat", 0.16, 0.65, (_SIXTEENTHS,)),
            Row("tom", 0.35, 0.7, ("..............xx", "...........x..x.")),
        ),
        bass=("r.r.r.r.r.r.r.r.", "rrrrrrrrrrrrrrrr", "r.8.r.8.r.8.r.8."),
        comp=(_HELD, "c--...c-..c--...", "c-------c-------"),
        bass_families=("synth_bass", "reese", "fm_bass"),
        comp_families=("stab", "electric_piano"),
        pad_families=("warm_pad", "strings"),
        arp_families=("synth_pluck", "chip", "bell"),
        lead_families=("saw_lead", "soft_lead", "brass"),
        arp_steps=(1, 2),
        lead_density=0.35,
        duck=0.45,
        room=(0.2, 0.4),
        entries=(0.0, 0.4, 0.1, 0.3, 0.45),
    ),
    "techno": Style(
        drums=(
            Row("kick", 1.0, 0.1, (_FOUR,)),
            Row("open", 0.2, 0.35, (_OFFBEAT,)),
            Row("hat", 0.16, 0.2, (_SIXTEENTHS, "..xo..xo..xo..xo")),
            Row("clap", 0.35, 0.55, (_BACKBEAT, "............X...")),
            Row("rim", 0.25, 0.45, ("...x..x...x..x..", "x..x..x..x..x...", ".x....x..x....x.")),
            Row("tom", 0.3, 0.7, ("..x....x..x....x", "...x...x.....x.x")),
        ),
        bass=("..rr..rr..rr..rr", ".rrr.rrr.rrr.rrr", "r..r..r.r..r..r."),
        comp=("c..c..c.........", "...c......c.....", "c.....c...c....."),
        bass_families=("sub_bass", "synth_bass", "reese"),
        comp_families=("stab", "fm_bass", "bell"),
        pad_families=("warm_pad", "choir"),
        arp_families=("acid", "synth_pluck"),
        lead_families=("acid", "saw_lead"),
        bars_per_chord=4,
        arp_steps=(1,),
        lead_density=0.25,
        duck=0.5,
        room=(0.15, 0.4),
        entries=(0.0, 0.4, 0.2, 0.3, 0.75),
    ),
    "trap": Style(
        drums=(
            Row("kick", 0.9, 0.15, ("X......x..X.....", "X.....x...x..x..", "X..x......X.....")),
            Row("clap", 0.6, 0.2, ("........X.......",)),
            Row("snare", 0.35, 0.6, ("........X......o",)),
            Row("hat", 0.2, 0.1, ("x.x.x.x.x.x.x.x.",), 0.45),
            Row("hat", 0.2, 0.45, ("x.xxx.x.xxx.x.xx", "xoxox.xxxoxoxxxx")),
            Row("open", 0.16, 0.7, ("......x.......x.", "..x...........x.")),
        ),
        bass=("r------r--r-----", "r-----r---5-----", "r---------8-r---"),
        comp=("c-------c-------", _HELD, "c-----c-----c---"),
        bass_families=("long_bass",),
        comp_families=("bell", "piano", "glass_pad", "synth_pluck"),
        pad_families=("choir", "strings", "warm_pad"),
        arp_families=("bell", "synth_pluck", "harp"),
        lead_families=("flute", "soft_lead", "bell"),
        lead_density=0.35,
        duck=0.2,
        room=(0.15, 0.35),
        entries=(0.25, 0.0, 0.15, 0.4, 0.5),
    ),
    "waltz": Style(
        drums=(
            Row("kick", 0.4, 0.4, ("X...........",)),
            Row("brush", 0.18, 0.15, ("....x...x...", "....x...x.o.")),
            Row("rim", 0.15, 0.6, ("....x...x...", "......x.x...")),
            Row("ride", 0.12, 0.7, ("x...x...x...",)),
        ),
        bass=("r-----------", "r-------5---", "r---........"),
        comp=("....c---c---", "....c-..c-..", "c---c---c---"),
        bass_families=("finger_bass", "sub_bass", "strings"),
        comp_families=("piano", "guitar", "harp", "organ"),
        pad_families=("strings", "warm_pad"),
        arp_families=("harp", "piano", "bell"),
        lead_families=("flute", "strings", "soft_lead", "bell"),
        kit="soft",
        beats_per_bar=3,
        swing=(0.0, 0.1),
        chord_size=3,
        lead_density=0.4,
        room=(0.2, 0.45),
        entries=(0.3, 0.0, 0.1, 0.45, 0.3),
    ),
}


def style_of(name: str) -> Style:
    """The style called ``name``, one of ``recipe.STYLES``."""
    return _TABLE[name]
