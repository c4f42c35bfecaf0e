"""The players: one patch, level, place and echo a part, drawn from the seed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from .drums import Kit, draw_kit
from .patches import Patch, draw_patch
from .recipe import MusicRecipe
from .styles import Style

_GAINS: Final = {"pad": 0.17, "comp": 0.2, "bass": 0.5, "arp": 0.2, "lead": 0.26, "pulse": 0.3, "rub": 0.1}
_SPREAD: Final = {"pad": 0.2, "comp": 0.45, "bass": 0.0, "arp": 0.6, "lead": 0.3, "pulse": 0.2, "rub": 0.5}
_PANNED_DRUMS: Final = {"hat": 0.4, "open": 0.4, "ride": 0.5, "shaker": 0.6, "conga": 0.6, "tom": 0.4, "rim": 0.4}


@dataclass(frozen=True, slots=True)
class Player:
    """One pitched part."""

    patch: Patch
    gain: float
    pan: float  # -1 left, 1 right
    echo: float  # level of the first repeat


@dataclass(frozen=True, slots=True)
class Band:
    """All that plays."""

    players: Mapping[str, Player]
    kit: Kit
    drum_gains: Mapping[str, float]
    drum_pans: Mapping[str, float]


def draw_band(recipe: MusicRecipe, style: Style, rng: np.random.Generator) -> Band:
    """Instruments of the style, placed and levelled by chance."""
    families = {
        "pad": style.pad_families,
        "comp": style.comp_families,
        "bass": style.bass_families,
        "arp": style.arp_families,
        "lead": style.lead_families,
        "pulse": ("strings", "synth_bass", "finger_bass"),
        "rub": ("strings", "choir", "glass_pad"),
    }
    players = {}
    for part, names in families.items():
        patch = draw_patch(str(rng.choice(names)), rng)
        if part == "pulse":  # short whatever it is
            patch = _shorten(patch)
        echo = float(rng.uniform(0.1, 0.4)) if part in ("arp", "lead") and rng.random() < 0.6 else 0.0
        gain = _GAINS[part] * style.tonal_gain * 10.0 ** (float(rng.normal(0.0, 2.0)) / 20)
        pan = _SPREAD[part] * float(rng.uniform(-1.0, 1.0))
        players[part] = Player(patch, gain, pan, echo)
    voices = sorted({row.voice for row in style.drums} | {"crash"})
    level = style.drum_gain * 10.0 ** (float(rng.normal(0.0, 1.5)) / 20)
    gains = {voice: level * 10.0 ** (float(rng.normal(0.0, 1.5)) / 20) for voice in voices}
    pans = {voice: _PANNED_DRUMS.get(voice, 0.0) * float(rng.uniform(-1.0, 1.0)) for voice in voices}
    return Band(players, draw_kit(style.kit, rng), gains, pans)


def _shorten(patch: Patch) -> Patch:
    return replace(patch, attack_s=0.005, decay_s=0.12, sustain=0.1, release_s=0.05, breath=0.0)
