"""The cursor in a bundle's graphs: who is asked when, and with what."""

from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from engines.graphs import Graphs
from engines.manifest import GraphSpec, Manifest, TensorSpec
from engines.wiring import graphs_of
from features.spec import MAX_CLIPS
from stream.core.hop import Hop
from stream.core.model import Model
from stream.core.window import Window

Fake = Callable[..., Any]
Row = tuple[str, tuple[str, ...], int, str, dict[str, str]]

MUSIC: list[Row] = [
    ("sounds", ("clip_mel",), 8, "music clip", {}),
    ("song", ("clips", "mask"), 6, "music window", {"clips": "sounds"}),
]


def graphs(*rows: Row) -> Graphs:
    """Of graphs by name, inputs, width, what they work on and what they take."""
    specs = {
        name: GraphSpec(
            name,
            "",
            "",
            tuple(TensorSpec(each, "float32", ("batch",)) for each in inputs),
            (TensorSpec("embedding", "float32", ("batch", width)),),
            of=of,
            takes=takes,
        )
        for name, inputs, width, of, takes in (*rows, *MUSIC)
    }
    return graphs_of(Manifest(1, "x", "x", rows[0][2], 8, 6, MAX_CLIPS, 20, specs, {}, {}), "x")


def window_of(made: Graphs, features: Fake, seconds: int = 5) -> Window:
    window = Model(made).window()
    for slot in range(8 * seconds):
        window.push(slot, features(slot))
    return window


def answers(made: Graphs, name: str, rows: int, value: float) -> dict[str, Any]:
    return {"embedding": np.full((rows, made[name].width), value, np.float32)}


def test_a_chain_of_towers_and_of_windows(features: Fake) -> None:
    made = graphs(
        ("looks", ("clip_image",), 4, "video clip", {}),
        ("fine", ("clip_image", "coarse"), 3, "video clip", {"coarse": "looks"}),
        ("style", ("mask", "rows"), 2, "video window", {"rows": "looks"}),
        ("scene", ("mask", "rows", "style"), 6, "video window", {"rows": "fine", "style": "style"}),
    )
    window, ids = window_of(made, features), count(1)
    hop = Hop(5, 5.0, 0, made.live)
    (looks,) = hop.ready(window, ids)
    assert (looks.graph, looks.id, looks.first, set(looks.inputs)) == ("looks", 1, True, {"clip_image"})
    assert len(looks.inputs["clip_image"]) == 2 and hop.ready(window, ids) == []  # the clips that end at 1 and 5 s
    hop.take(made["looks"], answers(made, "looks", 2, 0.5), window)
    (fine,) = hop.ready(window, ids)  # a window waits for every tower, though this one's own has answered
    assert (fine.graph, fine.first) == ("fine", False)
    assert fine.inputs["coarse"].tolist() == [[0.5] * 4] * 2
    assert (fine.inputs["clip_image"] == looks.inputs["clip_image"]).all()
    hop.take(made["fine"], answers(made, "fine", 2, 0.25), window)
    (style,) = hop.ready(window, ids)
    assert style.graph == "style" and style.inputs["rows"].shape == (1, 7, 4)
    assert style.inputs["mask"].tolist() == [[True, True] + [False] * 5]
    hop.take(made["style"], answers(made, "style", 1, 7.0), window)
    (scene,) = hop.ready(window, ids)
    assert scene.inputs["style"].tolist() == [[7.0, 7.0]] and scene.inputs["rows"][0, 1].tolist() == [0.25] * 3
    hop.take(made["scene"], answers(made, "scene", 1, 1.0), window)
    assert hop.ready(window, ids) == [] and not hop.pending and made.query.name == "scene"


def test_towers_are_asked_together_and_those_that_have_seen_it_all_not_again(features: Fake) -> None:
    made = graphs(
        ("looks", ("clip_image",), 4, "video clip", {}),
        ("faces", ("clip_image",), 3, "video clip", {}),
        ("scene", ("mask", "a", "b"), 6, "video window", {"a": "looks", "b": "faces"}),
    )
    window, ids = window_of(made, features), count(1)
    lost = Hop(5, 5.0, 0, made.live)
    assert [(one.graph, one.first) for one in lost.ready(window, ids)] == [("looks", True), ("faces", False)]
    lost.take(made["looks"], answers(made, "looks", 2, 0.5), window)
    assert lost.ready(window, ids) == []  # and it is given up
    again = Hop(5, 5.0, 0, made.live)
    (faces,) = again.ready(window, ids)
    assert (faces.graph, faces.first, len(faces.inputs["clip_image"])) == ("faces", True, 2)
    again.take(made["faces"], answers(made, "faces", 2, 0.75), window)
    (scene,) = again.ready(window, ids)
    assert scene.inputs["a"][0, 0].tolist() == [0.5] * 4 and scene.inputs["b"][0, 0].tolist() == [0.75] * 3
    known = Hop(5, 5.0, 0, made.live)
    assert [(one.graph, one.first) for one in known.ready(window, ids)] == [("scene", True)]


def test_a_pair_waits_for_candidates_and_takes_what_it_is_wired_to(features: Fake, candidate: Fake) -> None:
    made = graphs(
        ("looks", ("clip_image",), 4, "video clip", {}),
        ("style", ("mask", "clips"), 2, "video window", {"clips": "looks"}),
        ("scene", ("mask", "clips"), 6, "video window", {"clips": "looks"}),
        (
            "judge",
            ("style", "heard", "video_mask", "music_mask", "rhythm", "displacement"),
            0,
            "pair",
            {"style": "style", "heard": "sounds"},
        ),
    )
    window, ids = window_of(made, features), count(1)
    hop = Hop(5, 5.0, 0, made.live)
    for names in (["looks"], ["style", "scene"]):
        questions = hop.ready(window, ids)
        assert [question.graph for question in questions] == names
        for place, name in enumerate(names):
            hop.take(made[name], answers(made, name, 2 if name == "looks" else 1, place + 1.0), window)
    assert hop.ready(window, ids) == []
    hop.hits = [candidate(number) for number in range(5)]
    hop.bound(3, {hop.hits[4].track.id}, {hop.hits[0].track.id})
    (judge,) = hop.ready(window, ids)
    assert [hit.track.id for hit in hop.hits] == [f"{number:016x}" for number in (4, 1, 2)]
    assert judge.inputs["style"].tolist() == [[1.0, 1.0]] * 3
    assert (judge.inputs["heard"] == np.stack([hit.clips for hit in hop.hits])).all()
    assert judge.inputs["video_mask"].tolist() == [[True, True] + [False] * 5] * 3
    assert judge.inputs["music_mask"].all() and judge.inputs["displacement"].shape == (3, 7)
    assert (judge.inputs["rhythm"] == np.stack([hit.rhythm for hit in hop.hits])).all()
    hop.take(made["judge"], {"score": np.array([0.1, 0.2, 0.3], np.float32)}, window)
    assert hop.scores is not None and hop.scores.dtype == np.float64


def test_without_candidates_nobody_is_asked(features: Fake) -> None:
    made = graphs(
        ("looks", ("clip_image",), 4, "video clip", {}),
        ("scene", ("mask", "clips"), 6, "video window", {"clips": "looks"}),
        ("judge", ("a", "b", "video_mask", "music_mask"), 0, "pair", {"a": "looks", "b": "sounds"}),
    )
    window, ids = window_of(made, features), count(1)
    hop = Hop(5, 5.0, 0, made.live)
    for name, rows in (("looks", 2), ("scene", 1)):
        assert [question.graph for question in hop.ready(window, ids)] == [name]
        hop.take(made[name], answers(made, name, rows, 1.0), window)
    hop.bound(3, set(), set())
    assert hop.ready(window, ids) == [] and hop.pending == {"judge"}
