"""The bundle contract as a rule: whatever keeps it is accepted, every way of breaking it is refused by name."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.contract import check_graphs
from engines.errors import BundleError
from engines.manifest import Manifest, parse_manifest
from engines.wiring import graphs_of
from features.spec import FEATURES, MAX_CLIPS

Data = dict[str, Any]
Rows = dict[str, tuple[str, tuple[str, ...]]]

# graph -> inputs that it takes whatever its features, its output, and what stands before a feature's own shape (None
# where it takes none). V, M, E, K: clip_dim of video and of music, embedding_dim, max_clips; S: the width of shades.
RULES: dict[str, tuple[Rows, Rows, tuple[str, ...] | None]] = {
    "video_clip": ({}, {"embedding": ("float32", ("V",))}, ()),
    "music_clip": ({}, {"embedding": ("float32", ("M",))}, ()),
    "video_sequence": (
        {"clips": ("float32", ("K", "V")), "mask": ("bool", ("K",))},
        {"embedding": ("float32", ("E",))},
        ("K",),
    ),
    "music_sequence": (
        {"clips": ("float32", ("K", "M")), "mask": ("bool", ("K",))},
        {"embedding": ("float32", ("E",))},
        ("K",),
    ),
    "matcher": (
        {
            "video_clips": ("float32", ("K", "V")),
            "video_mask": ("bool", ("K",)),
            "music_clips": ("float32", ("K", "M")),
            "music_mask": ("bool", ("K",)),
        },
        {"score": ("float32", ())},
        ("K",),
    ),
    "mood": ({"embedding": ("float32", ("E",))}, {"mood": ("float32", ("3",))}, None),
}
# Those of a bundle with a second tower, and its wiring.
TWO: dict[str, tuple[Rows, Rows, tuple[str, ...] | None]] = {
    **RULES,
    "shades": ({}, {"embedding": ("float32", ("S",))}, ()),
    "video_sequence": (
        {"clips": ("float32", ("K", "V")), "mask": ("bool", ("K",)), "others": ("float32", ("K", "S"))},
        {"embedding": ("float32", ("E",))},
        ("K",),
    ),
}
WIRING: Data = {
    "shades": {"of": "video clip"},
    "video_sequence": {"takes": {"others": "shades", "clips": "video_clip"}},
}

# No deadline: a busy machine is no failure.
some = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def checked(data: Data) -> Manifest:
    manifest = parse_manifest(data, "bundle x: manifest.json")
    check_graphs(manifest, graphs_of(manifest, "bundle x"), "bundle x")
    return manifest


@st.composite
def manifests(draw: st.DrawFn) -> Data:
    """A manifest that keeps the contract: any widths, any features of any graph, in any order, with a second tower or
    without."""
    video, music, embedding = (draw(st.integers(5, 300)) for _ in range(3))
    data: Data = {
        "format": 1,
        "name": "x",
        "system": "x",
        "clip_dim": {"video": video, "music": music},
        "embedding_dim": embedding,
        "max_clips": MAX_CLIPS,
        "opset": 20,
        "graphs": {},
        "features": {name: dict(description) for name, description in FEATURES.items()},
        "training": {},
    }
    if video == music and draw(st.booleans()):
        data["clip_dim"] = video
    sizes = {"V": video, "M": music, "E": embedding, "K": MAX_CLIPS, "S": draw(st.integers(5, 300)), "3": 3}
    two = draw(st.booleans())
    absent = draw(st.sets(st.sampled_from(("matcher", "mood"))))
    for name, (fixed, outputs, axes) in (TWO if two else RULES).items():
        if name in absent:
            continue
        inputs = [
            tensor(key, dtype, ("batch", *(sizes[one] for one in shape))) for key, (dtype, shape) in fixed.items()
        ]
        if axes is not None:
            few = 0 if inputs else 1  # a clip graph takes features alone
            for feature in draw(st.lists(st.sampled_from(list(FEATURES)), min_size=few, max_size=4, unique=True)):
                description: Data = dict(FEATURES[feature])
                shape = ("batch", *(sizes[one] for one in axes), *description["shape"])
                inputs.append(tensor(feature, description["dtype"], shape))
        data["graphs"][name] = {
            "file": f"{name}.onnx",
            "sha256": "0" * 64,
            "inputs": draw(st.permutations(inputs)),
            "outputs": [
                tensor(key, dtype, ("batch", *(sizes[one] for one in shape))) for key, (dtype, shape) in outputs.items()
            ],
            **(WIRING.get(name, {}) if two else {}),
        }
    return data


def tensor(name: str, dtype: str, shape: tuple[int | str, ...]) -> Data:
    return {"name": name, "dtype": dtype, "shape": list(shape)}


@some
@given(manifests())
def test_whatever_keeps_the_rule_is_accepted(data: Data) -> None:
    manifest = checked(data)
    sides = (
        data["clip_dim"] if isinstance(data["clip_dim"], dict) else dict.fromkeys(("video", "music"), data["clip_dim"])
    )
    assert (manifest.video_dim, manifest.music_dim) == (sides["video"], sides["music"])


@some
@given(manifests(), st.data())
def test_every_contradiction_is_refused_by_name(whole: Data, draw: st.DataObject) -> None:
    """One tensor of one graph changed in one way; the text names graph, side, what stands there and what must."""
    data = copy.deepcopy(whole)
    graph = draw.draw(st.sampled_from(list(data["graphs"])))
    side = draw.draw(st.sampled_from(("inputs", "outputs")))
    tensors = data["graphs"][graph][side]
    at = draw.draw(st.integers(0, len(tensors) - 1))
    one = tensors[at]
    before = shown(one)
    change = draw.draw(st.sampled_from(("dtype", "size", "rank", "name", "twice", "gone", "stranger")))
    said: tuple[str, ...] = ()
    if change == "dtype":
        one["dtype"] = draw.draw(st.sampled_from([d for d in ("float32", "uint8", "bool") if d != one["dtype"]]))
        said = (f"is {shown(one)}", f"asks for {before}")
    elif change == "size" and len(one["shape"]) > 1:
        axis = draw.draw(st.integers(1, len(one["shape"]) - 1))
        one["shape"][axis] += draw.draw(st.integers(1, 9))
        said = (f"is {shown(one)}", f"asks for {before}")
        if graph == "shades" and side == "outputs":  # its width is its own: who takes from it is in the wrong
            graph, said = "video_sequence", ("others float32", f"asks for others float32 (batch, 7, {one['shape'][1]})")
    elif change == "rank" or change == "size":
        one["shape"].append(1)
        said = (f"is {shown(one)}", f"asks for {before}")
        if graph == "shades" and side == "outputs":
            said = (f"are {shown(one)}", "must be embedding float32 (batch, width)")
    elif change == "name":
        one["name"] = "elsewhere"
        said = ("elsewhere",)
    elif change == "twice":
        tensors.append(dict(one))
        said = (one["name"],)
    elif change == "gone":
        required = side == "outputs" or one["name"] in TWO[graph][0]
        del tensors[at]
        if not required and (tensors or TWO[graph][0]):  # a feature less is another valid bundle
            checked(data)
            return
    else:
        stranger = "lyrics" if TWO[graph][2] is not None and side == "inputs" else "colour"
        tensors.append(tensor(stranger, "float32", ("batch", 8)))
        said = (stranger,)
    with pytest.raises(BundleError) as caught:
        checked(data)
    text = str(caught.value)
    assert text.startswith(f"bundle x: graph {graph}: ") and "\n" not in text
    for words in said:
        assert words in text


@some
@given(manifests(), st.sampled_from(("video", "music", "embedding_dim", "max_clips")), st.integers(1, 9))
def test_sizes_that_the_graphs_contradict_are_refused(whole: Data, size: str, more: int) -> None:
    data = copy.deepcopy(whole)
    if size in ("video", "music"):
        one = data["clip_dim"]
        sides = dict(one) if isinstance(one, dict) else {"video": one, "music": one}
        sides[size] += more
        data["clip_dim"] = sides
    else:
        data[size] += more
    with pytest.raises(BundleError, match=r"clip_dim \d+ \(video\) and \d+ \(music\), embedding_dim \d+, max_clips"):
        checked(data)


@some
@given(manifests(), st.data())
def test_an_input_that_the_manifest_does_not_describe_is_refused(whole: Data, draw: st.DataObject) -> None:
    data = copy.deepcopy(whole)
    inputs = [tensor["name"] for graph in data["graphs"].values() for tensor in graph["inputs"]]
    feature = draw.draw(st.sampled_from([name for name in inputs if name in FEATURES]))
    del data["features"][feature]
    with pytest.raises(BundleError, match=rf"inputs are .*\b{feature}\b.*must be"):
        checked(data)


def shown(one: Data) -> str:
    return f"{one['name']} {one['dtype']} ({', '.join(str(size) for size in one['shape'])})"
