"""The retrieval benchmark: rows, claims, tables; ranks that are kept; EmoMV's protocols on a made-up release."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks import orderings, retrieval_emomv, retrieval_synth, table
from benchmarks.cli import main
from benchmarks.errors import BenchError
from towers.corpora.emomv import EmoMvPairs, EmoMvRelease

RNG = np.random.default_rng(0)
GOOD, BAD = RNG.integers(1, 30, (3, 200)), RNG.integers(1, 200, (3, 200))


def test_a_row_per_seed_and_one_over_all() -> None:
    rows = retrieval_synth.rows({("vmnet/inter", "v2m"): GOOD}, (0, 1, 2))
    whole = [row for row in rows if "seed" not in row.labels and row.metric == "r10"]
    seeds = [row for row in rows if "seed" in row.labels and row.metric == "r10"]
    assert len(whole) == 1 and [row.labels["seed"] for row in seeds] == [0, 1, 2]
    assert whole[0].value == pytest.approx(100 * (GOOD <= 10).mean())
    assert float(whole[0].labels["low"]) < whole[0].value < float(whole[0].labels["high"])
    assert whole[0].labels["published"] == 20.1 and whole[0].n == 200


def test_claims_hold_are_reversed_or_stay_open() -> None:
    found: dict[tuple[str, str], Any] = {}
    for system, ranks in (("ut-cmvmr/se", GOOD), ("ut-cmvmr/a-se", BAD), ("ut-cmvmr/ae", GOOD)):
        found |= {(system, direction): ranks for direction in ("v2m", "m2v")}
    verdicts = {one.claim: one.verdict for one in orderings.verdicts(found)}
    assert verdicts == {"UT-CMVMR: A-SE > AE": "reversed", "UT-CMVMR: SE > A-SE": "holds"}
    same = dict.fromkeys(found, GOOD)
    assert {one.verdict for one in orderings.verdicts(same)} == {"open"}


def test_every_claim_and_quotation_is_of_an_entrant() -> None:
    labels = {entrant.label for entrant in retrieval_synth.PLAN}
    assert {name for _, better, worse in orderings.CLAIMS for name in (better, worse)} <= labels
    quoted = {system for system, _ in retrieval_synth.RETRIEVAL}
    assert quoted - {"cmvae"} <= labels


def test_ranks_are_read_again_only_for_the_same_settings(tmp_path: Path) -> None:
    kept = {("segue/full + matcher", "m2v"): GOOD}
    retrieval_synth.save_ranks(kept, tmp_path / "x.npz", "key")
    again = retrieval_synth.load_ranks(tmp_path / "x.npz", "key")
    assert again is not None and (again["segue/full + matcher", "m2v"] == GOOD).all()
    assert retrieval_synth.load_ranks(tmp_path / "x.npz", "other") is None
    assert retrieval_synth.load_ranks(tmp_path / "y.npz", "key") is None


def test_tables_and_pictures(tmp_path: Path) -> None:
    rows = [*retrieval_synth.rows({("dpvm/in", "v2m"): GOOD}, (0, 1, 2)), *retrieval_synth.chance_rows(200)]
    text = table.markdown(rows)
    assert "| dpvm/in | v2m |" in text and "*24.39*" in text and "| chance | m2v | 0.5 | 2.5 | 5.0 |" in text
    table.picture(rows, "r10", tmp_path / "x.png", "a title")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def made_up(count: int, seed: int) -> EmoMvPairs:
    """Both sides show their emotion in a few dimensions."""
    rng = np.random.default_rng(seed)
    video_emotion = np.arange(count) % 3
    match = np.arange(count) < count // 2
    music_emotion = np.where(match, video_emotion, (video_emotion + 1) % 3)

    def told(emotion: Any, width: int) -> Any:
        values = rng.normal(size=(count, width)) * 0.3
        values[np.arange(count), emotion] += 2.0
        return values.astype(np.float32)

    return EmoMvPairs(
        told(video_emotion, 12),
        told(music_emotion, 8),
        match,
        video_emotion,
        music_emotion,
        tuple(f"clip{i // 2}" for i in range(count)),
    )


def test_held_out_videos_are_whole() -> None:
    fit, held = retrieval_emomv.split(made_up(40, 0), 3)
    assert len(fit) + len(held) == 40 and not set(fit.source) & set(held.source)


def test_both_protocols_find_what_is_there() -> None:
    train, val = made_up(360, 0), made_up(60, 1)
    release = EmoMvRelease("DS3", train, val, val.rows(val.match), ("a", "b", "c"))
    chosen = [model for model in retrieval_emomv.models(release) if model.label == "segue/emotion head"]
    for model in chosen:
        for ask in (retrieval_emomv.paper, retrieval_emomv.honest):
            found = ask(model, release, 0, 20)
            assert found.get(("", "accuracy"), 100.0) > 80 and found.get(("v2m", "map"), 100.0) > 80


def test_wrong_usage_is_told(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="its folder does not exist"):
        main("bench", ["retrieval", "--corpus", "emomv", "--data", "x", "--json", str(tmp_path / "no" / "x.json")])
    options = SimpleNamespace(only=["nothing"])
    assert [entrant for entrant in retrieval_synth.PLAN if entrant.system in options.only] == []
