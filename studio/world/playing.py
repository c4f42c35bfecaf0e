"""A player's hand: notes come early or late and with uneven force, tempo varies, attacks are softer."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from studio.music.band import Band, Player
from studio.music.score import Note


@dataclass(frozen=True, slots=True)
class Hand:
    """How a piece is played. The default: as it is written.

    ``late_s``: deviation of a note's time. ``uneven``: deviation of the logarithm of its force. ``drift``: share by
    which tempo varies, at ``drift_hz``. ``slower``, ``longer``: factors of attacks and of decays and
    releases. ``detune_cents``, ``vibrato_cents``: of every part, deviation and most.
    ``drums``: their level, 0 for none. ``missing``: pitched parts that nobody plays.
    """

    late_s: float = 0.0
    uneven: float = 0.0
    drift: float = 0.0
    drift_hz: float = 0.05
    drift_phase: float = 0.0
    slower: float = 1.0
    longer: float = 1.0
    detune_cents: float = 0.0
    vibrato_cents: float = 0.0
    drums: float = 1.0
    missing: tuple[str, ...] = ()


def drift_times(times_s: ArrayLike, hand: Hand) -> NDArray[np.float64]:
    """When notes written at ``times_s`` are played; rising where ``times_s`` rise, 0 at 0."""
    times = np.asarray(times_s, np.float64)
    angle = 2 * np.pi * hand.drift_hz
    wave = np.sin(angle * times + hand.drift_phase) - np.sin(hand.drift_phase)
    return np.asarray(times + hand.drift / angle * wave, np.float64)


def play_notes(notes: list[Note], hand: Hand, rng: np.random.Generator) -> list[Note]:
    """The notes as the hand plays them. Every part has its own offset before or behind the beat."""
    notes = [note for note in notes if note.part not in hand.missing]
    when = drift_times([note.at_s for note in notes], hand)
    late, hard = rng.normal(0.0, 1.0, (2, len(notes)))
    behind: dict[str, float] = {}
    notes_played = []
    for note, at_s, shift, force in zip(notes, when.tolist(), late.tolist(), hard.tolist(), strict=True):
        if note.part not in behind:
            behind[note.part] = 0.5 * hand.late_s * float(rng.standard_normal())
        at_s += behind[note.part] + hand.late_s * shift
        notes_played.append(note._replace(at_s=at_s, velocity=note.velocity * float(np.exp(hand.uneven * force))))
    return notes_played


def soften(band: Band, hand: Hand, rng: np.random.Generator) -> Band:
    """The band with the hand's attacks, decays and intonation."""
    players = {}
    for part, player in band.players.items():
        players[part] = _softer(player, hand, rng)
    return replace(
        band, players=players, drum_gains={name: gain * hand.drums for name, gain in band.drum_gains.items()}
    )


def _softer(player: Player, hand: Hand, rng: np.random.Generator) -> Player:
    patch = player.patch
    spread = float(np.exp(0.4 * rng.standard_normal()))
    return replace(
        player,
        patch=replace(
            patch,
            attack_s=float(np.clip(patch.attack_s * (1 + (hand.slower - 1) * spread), 0.001, 1.0)),
            decay_s=patch.decay_s * hand.longer,
            release_s=min(patch.release_s * hand.longer, 1.2),
            detune_cents=patch.detune_cents + abs(hand.detune_cents * float(rng.standard_normal())),
            vibrato_cents=patch.vibrato_cents + hand.vibrato_cents * float(rng.random()),
        ),
    )
