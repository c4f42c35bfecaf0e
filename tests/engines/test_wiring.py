"""Who takes from whom: read from a manifest, put in order, and refused where it cannot be."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.errors import BundleError
from engines.graphs import Feature, Graphs, Kind, Mask, Vectors
from engines.manifest import GraphSpec, Manifest, TensorSpec
from engines.wiring import CLASSIC, graphs_of

INPUTS = {
    "video_clip": ("clip_image",),
    "music_clip": ("clip_mel",),
    "video_sequence": ("clips", "mask", "displacement"),
    "music_sequence": ("mask", "rhythm", "clips"),
    "matcher": ("video_clips", "video_mask", "rhythm", "music_clips", "music_mask"),
    "mood": ("embedding",),
}
Wired = tuple[str, tuple[str, ...], int, str | None, dict[str, str] | None]


def classic(*without: str) -> list[Wired]:
    return [(name, inputs, 9, None, None) for name, inputs in INPUTS.items() if name not in without]


def changed(rows: list[Wired], *others: Wired) -> list[Wired]:
    """``others`` instead of those of their names, or behind them all."""
    made = {row[0]: row for row in rows} | {row[0]: row for row in others}
    return list(made.values())


def graphs(rows: list[Wired], video: int = 4, music: int = 5, embedding: int = 6) -> Graphs:
    """Of graphs by name, inputs, width of the only output, ``of`` and ``takes``."""
    specs = {
        name: GraphSpec(
            name,
            f"{name}.onnx",
            "0" * 64,
            tuple(TensorSpec(each, "float32", ("batch",)) for each in inputs),
            (TensorSpec("embedding", "float32", ("batch", width)),),
            of=of,
            takes=takes,
        )
        for name, inputs, width, of, takes in rows
    }
    return graphs_of(Manifest(1, "x", "x", video, music, embedding, 7, 20, specs, {}, {}), "bundle x")


def test_the_six_names_need_no_wiring() -> None:
    made = graphs(classic())
    assert [graph.name for graph in made] == [
        "video_clip",
        "music_clip",
        "video_sequence",
        "music_sequence",
        "mood",
        "matcher",
    ]
    assert {graph.name: graph.kind for graph in made} == CLASSIC
    assert made["music_sequence"].inputs == {
        "mask": Mask(Kind.MUSIC_WINDOW),
        "rhythm": Feature("rhythm"),
        "clips": Vectors("music_clip", many=True),
    }
    assert made["matcher"].inputs == {
        "video_clips": Vectors("video_clip", many=True),
        "video_mask": Mask(Kind.VIDEO_WINDOW),
        "rhythm": Feature("rhythm"),
        "music_clips": Vectors("music_clip", many=True),
        "music_mask": Mask(Kind.MUSIC_WINDOW),
    }
    assert made["mood"].inputs == {"embedding": Vectors("video_sequence", many=False)}
    assert made.widths == {"video_clip": 4, "music_clip": 5, "video_sequence": 6, "music_sequence": 6}
    roles = made.query, made.segment, made.music_tower, made.mood, made.matcher
    assert [graph and graph.name for graph in roles] == [
        "video_sequence",
        "music_sequence",
        "music_clip",
        "mood",
        "matcher",
    ]
    assert [graph.name for graph in made.live] == ["video_clip", "video_sequence", "mood", "matcher"]
    assert made["video_sequence"].features == ("displacement",) and made["mood"].features == ()
    assert "mood" in made and "oracle" not in made


def test_none_of_the_optional_ones() -> None:
    made = graphs(classic("mood", "matcher"))
    assert (made.mood, made.matcher) == (None, None)
    assert [graph.name for graph in made.live] == ["video_clip", "video_sequence"]


FACES: Wired = ("faces", ("clip_image",), 3, "video clip", None)
OF_BOTH: Wired = (
    "video_sequence",
    ("clips", "faces", "mask"),
    6,
    None,
    {"clips": "video_clip", "faces": "faces"},
)


def test_a_second_tower() -> None:
    made = graphs(changed(classic(), FACES, OF_BOTH))
    assert [graph.name for graph in made.of(Kind.VIDEO_CLIP)] == ["video_clip", "faces"]
    assert made["video_sequence"].inputs["faces"] == Vectors("faces", many=True)
    assert made["video_sequence"].after >= {"video_clip", "faces"} and made["faces"].after == frozenset()
    assert made.widths["faces"] == 3 and made.widths["video_clip"] == 4


def test_other_names_for_everything() -> None:
    """The first tower of a side is as wide as ``clip_dim`` says, whatever its name."""
    names = dict(zip(CLASSIC, ("looks", "sounds", "scene", "song", "judge", "feeling"), strict=True))
    made = graphs([(names[name], inputs, 9, str(CLASSIC[name]), None) for name, inputs in INPUTS.items()])
    assert (made.query.name, made.segment.name, made.music_tower.name) == ("scene", "song", "sounds")
    assert made.mood is not None and made.matcher is not None
    assert (made.mood.name, made.mood.output, made.matcher.name, made.matcher.output) == (
        "feeling",
        "mood",
        "judge",
        "score",
    )
    assert made.widths == {"looks": 4, "sounds": 5, "scene": 6, "song": 6}


def test_a_chain_of_windows_and_of_clips() -> None:
    """A tower on a tower, and a window on a window: the last one is what is searched with, and it alone."""
    whole: Wired = ("whole", ("place", "mask"), 8, "video window", {"place": "video_sequence"})
    fine: Wired = ("fine", ("coarse", "clip_image"), 3, "video clip", {"coarse": "video_clip"})
    first: Wired = ("video_sequence", ("clips", "mask"), 11, None, {"clips": "fine"})
    made = graphs([whole, fine, *changed(classic(), first)])
    assert made.query.name == "whole" and made.query.inputs["place"] == Vectors("video_sequence", many=False)
    assert made["fine"].inputs["coarse"] == Vectors("video_clip", many=False)
    assert made.mood is not None and made.mood.inputs["embedding"] == Vectors("whole", many=False)
    order = [graph.name for graph in made.live]
    assert order == ["video_clip", "fine", "video_sequence", "whole", "mood", "matcher"]
    assert made.widths["video_sequence"] == 11 and made.widths["whole"] == 6


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (classic("music_sequence"), "the graph music_sequence is missing, it has video_clip, music_clip, "),
        ([], "the graph video_clip is missing, it has none"),
        (
            changed(classic(), ("oracle", ("clips",), 9, None, None)),
            "unknown graph oracle; this segue knows video_clip, ",
        ),
        (
            changed(classic(), ("oracle", ("clips",), 9, "future", None)),
            "graph oracle: works on 'future', this segue knows video clip, music clip, ",
        ),
        (
            changed(classic(), ("video_sequence", ("clips",), 9, None, {"clips": "faces"})),
            "graph video_sequence: takes clips from faces, which is none of its graphs (video_clip, music_clip, ",
        ),
        (
            changed(classic(), ("video_sequence", ("clips",), 9, None, {"clips": "music_clip"})),
            "graph video_sequence: works on video window and takes clips from music_clip, which works on music clip; "
            "it may take from video clip, video window",
        ),
        (
            changed(classic(), ("matcher", ("place",), 9, None, {"place": "music_sequence"})),
            "graph matcher: works on pair and takes place from music_sequence, which works on music window",
        ),
        (
            changed(classic(), ("video_clip", ("place",), 9, None, {"place": "video_sequence"})),
            "graph video_clip: works on video clip and takes place from video_sequence, which works on video window",
        ),
        (
            changed(classic(), ("video_clip", ("again",), 9, None, {"again": "video_clip"})),
            "graphs take from each other in a circle: video_clip -> video_clip",
        ),
        (
            changed(
                classic(),
                ("video_clip", ("other",), 9, None, {"other": "faces"}),
                ("faces", ("other",), 9, "video clip", {"other": "video_clip"}),
                OF_BOTH,
            ),
            "graphs take from each other in a circle: ",
        ),
        (changed(classic(), FACES), "graph faces: no other graph takes what it gives"),
        (
            changed(classic("matcher"), ("music_sequence", ("mask", "rhythm"), 9, None, {})),
            "graph music_clip: no other graph takes what it gives",
        ),
        (
            changed(classic(), ("second", ("clips", "mask"), 9, "video window", None)),
            "video_sequence and second would give the vector of a video window; one must",
        ),
        (
            changed(classic(), ("second", ("clip_mel",), 9, "music clip", None)),
            "the graphs music_clip and second both work on: music clip; of these this segue runs one",
        ),
        (
            changed(classic(), ("second", ("clips", "mask"), 9, "music window", None)),
            "the graphs music_sequence and second both work on: music window",
        ),
        (
            changed(classic(), ("second", ("embedding",), 9, "embedding", None)),
            "the graphs mood and second both work on: embedding",
        ),
        (
            changed(classic(), ("mood", ("embedding",), 9, None, {"embedding": "music_sequence"})),
            "graph mood: works on an embedding and takes embedding from music_sequence; it may take embedding from "
            "video_sequence",
        ),
    ],
)
def test_what_cannot_be_is_refused(rows: list[Wired], said: str) -> None:
    with pytest.raises(BundleError) as caught:
        graphs(rows)
    assert str(caught.value).startswith(f"bundle x: {said}") and "\n" not in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_everybody_stands_behind_those_that_they_take_from(data: st.DataObject) -> None:
    """Towers that take from towers and windows from both, in any order of the manifest."""
    towers, windows = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    rows: list[Wired] = [row for row in classic() if row[0] not in ("video_clip", "video_sequence", "matcher")]
    widths = {}
    names = [*(f"t{at}" for at in range(towers)), *(f"w{at}" for at in range(windows))]
    for at, name in enumerate(names):
        tower = name.startswith("t")
        pool = names[:at]
        few = 0 if tower else 1
        taken = set(data.draw(st.lists(st.sampled_from(pool), min_size=few, unique=True)) if pool else [])
        if at == len(names) - 1:  # the last takes from all that nobody took from
            used = {source for *_, takes in rows if takes for source in takes.values()}
            taken |= set(pool) - used
        widths[name] = data.draw(st.integers(1, 50))
        kind = "video clip" if tower else "video window"
        rows.append((name, (*sorted(taken), "clip_image"), widths[name], kind, {source: source for source in taken}))
    rows = data.draw(st.permutations(rows))
    made = graphs(rows)
    order = [graph.name for graph in made]
    assert sorted(order) == sorted(row[0] for row in rows)
    for name, _, _, of, takes in rows:
        for source in (takes or {}).values():
            assert order.index(source) < order.index(name)
            many = source.startswith("t") and of == "video window"
            assert made[name].inputs[source] == Vectors(source, many)
    assert made.query.name == names[-1]
    first = next(row[0] for row in rows if row[3] == "video clip")
    for name, width in widths.items():
        assert made.widths[name] == {first: 4, names[-1]: 6}.get(name, width)
