"""What the graphs are fed: the right thumbnails, the right clips, valid first, and nothing that grows."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stream.core.window import Window

Fake = Callable[..., Any]


def filled(features: Fake, slots: range | list[int], **given: Any) -> Window:
    window = Window({"tower": 4}, ("displacement",))
    for slot in slots:
        window.push(slot, features(slot, **given))
    return window


def columns(image: Any) -> list[Any]:
    return [image[:, 64 * i : 64 * (i + 1)] for i in range(4)]


def test_a_clip_image_holds_the_first_frame_of_each_second(features: Fake) -> None:
    window = filled(features, range(80))
    (image,) = window.measured(("clip_image",), [9])["clip_image"]
    for column, second in zip(columns(image), (5, 6, 7, 8), strict=True):
        assert (column == features(8 * second).thumb).all()


def test_a_short_first_clip_repeats_its_last_thumbnail(features: Fake) -> None:
    window = filled(features, range(16))
    (image,) = window.measured(("clip_image",), [2])["clip_image"]
    for column, second in zip(columns(image), (0, 1, 1, 1), strict=True):
        assert (column == features(8 * second).thumb).all()


def test_a_second_without_frames_is_filled_from_the_one_before(features: Fake) -> None:
    window = filled(features, [0, 9, 24])
    (image,) = window.measured(("clip_image",), [4])["clip_image"]
    for column, slot in zip(columns(image), (0, 9, 9, 24), strict=True):
        assert (column == features(slot).thumb).all()


def test_clips_stand_four_seconds_apart_counted_back_from_now(features: Fake) -> None:
    window = filled(features, range(8 * 30))
    assert window.clips_at(30) == [6, 10, 14, 18, 22, 26, 30]
    early = filled(features, range(8 * 6))
    assert early.clips_at(6) == [2, 6] and early.clips_at(1) == [1]
    assert window.missing("tower", 30) == window.clips_at(30)
    window.store("tower", [26, 30], np.ones((2, 4), np.float32))
    assert window.missing("tower", 30) == [6, 10, 14, 18, 22]


def test_a_view_holds_the_valid_clips_first(features: Fake) -> None:
    window = filled(features, range(8 * 9), speed=0.5)
    window.store("tower", [1, 5, 9], np.arange(12, dtype=np.float32).reshape(3, 4))
    view = window.view(9)
    clips = view.vectors["tower"]
    assert clips.dtype == np.float32 and clips.shape == (1, 7, 4)
    assert view.mask.tolist() == [[True] * 3 + [False] * 4]
    assert (clips[0, :3] == np.arange(12).reshape(3, 4)).all() and not clips[0, 3:].any()
    assert view.features["displacement"][0].tolist() == [0.5] * 3 + [0.0] * 4


def test_each_tower_has_vectors_of_its_own(features: Fake) -> None:
    """A clip counts once every tower has seen it."""
    window = Window({"looks": 3, "faces": 2}, ())
    for slot in range(8 * 9):
        window.push(slot, features(slot))
    window.store("looks", [1, 5, 9], np.arange(9, dtype=np.float32).reshape(3, 3))
    assert not window.view(9).mask.any()
    assert window.missing("looks", 9) == [] and window.missing("faces", 9) == [1, 5, 9]
    window.store("faces", [5, 9], np.array([[5, 6], [7, 8]], np.float32))
    view = window.view(9)
    assert view.mask[0].tolist() == [True] * 2 + [False] * 5
    assert view.vectors["looks"][0, :3].tolist() == [[3, 4, 5], [6, 7, 8], [0, 0, 0]]
    assert view.vectors["faces"][0, :3].tolist() == [[5, 6], [7, 8], [0, 0]]
    assert window.vectors("faces", [1, 9]).tolist() == [[0, 0], [7, 8]]
    for end in range(10, 60):
        for tower, width in (("looks", 3), ("faces", 2)):
            window.store(tower, [end], np.zeros((1, width), np.float32))
    assert {len(kept) for kept in window._clips.values()} == {28}


def test_a_gap_leaves_out_its_clips(features: Fake) -> None:
    window = filled(features, [*range(8), *range(96, 104)])
    assert window.clips_at(13) == [1, 13]


def test_it_forgets_what_is_older_than_the_window(features: Fake) -> None:
    window = filled(features, range(8 * 100))
    window.store("tower", list(range(1, 101)), np.zeros((100, 4), np.float32))
    assert len(window._clips["tower"]) == 28
    assert len(window._frames) == 224


def test_the_pulse_of_the_pictures_is_found(features: Fake) -> None:
    window = Window({"tower": 4}, ("displacement",))
    for slot in range(8 * 20):
        window.push(slot, features(slot, onset=1.0 if slot % 4 == 0 else 0.0))
    tempo = window.tempo(20)
    assert tempo.bpm == pytest.approx(120, rel=0.03) and tempo.confidence > 0.5


def test_a_low_frame_rate_is_no_pulse(features: Fake) -> None:
    window = Window({"tower": 4}, ("displacement",))
    for slot in range(0, 8 * 20, 8):
        window.push(slot, features(slot, onset=1.0))
    assert window.tempo(20).confidence == 0.0
    assert filled(features, range(31)).tempo(3).confidence == 0.0


def test_a_pulse_needs_three_quarters_of_the_pictures(features: Fake) -> None:
    for left_out, heard in ((5, True), (3, False)):  # every fifth is missing, every third
        window = Window({"tower": 4}, ("displacement",))
        for slot in range(8 * 20):
            if slot % left_out != 1:
                window.push(slot, features(slot, onset=1.0 if slot % 4 == 0 else 0.0))
        assert (window.tempo(20).confidence > 0) is heard


def test_colours_are_of_the_first_picture_of_each_of_four_seconds(features: Fake) -> None:
    window = Window({"tower": 4}, ("displacement",))
    for slot in range(8 * 8):
        made = features(slot)
        light = 0.1 * (slot // 8) if slot % 8 == 0 else 0.9
        window.push(slot, replace(made, colour=replace(made.colour, brightness=light)))
    assert window.colour(8)[0] == pytest.approx((0.4 + 0.5 + 0.6 + 0.7) / 4)
    assert window.colour(8, 8 * 6)[0] == pytest.approx(0.65)


def test_colour_and_speed_are_those_of_the_newest_clip(features: Fake) -> None:
    window = filled(features, range(32), speed=9.0)
    for slot in range(32, 64):
        window.push(slot, features(slot, speed=1.0))
    assert window.speed(8) == pytest.approx(1.0) and window.speed(6) == pytest.approx(5.0)
    assert window.colour(8) == pytest.approx((0.5, 0.4, 0.3, 0.6))


def test_from_the_start_of_a_scene_nothing_before_was_ever_there(features: Fake) -> None:
    window, alone = filled(features, range(80), speed=9.0), Window({"tower": 4}, ("displacement",))
    for slot in range(80, 8 * 16):
        for each in (window, alone):
            each.push(slot, features(slot, speed=1.0, onset=1.0 if slot % 4 == 0 else 0.0))
    assert window.clips_at(16, 80) == [12, 16] and window.clips_at(16) == [4, 8, 12, 16]
    (image,) = window.measured(("clip_image",), [12], 80)["clip_image"]
    for column, second in zip(columns(image), (10, 11, 11, 11), strict=True):
        assert (column == features(8 * second).thumb).all()
    rows = np.arange(8, dtype=np.float32).reshape(2, 4)
    window.store("tower", [12, 16], rows, 80)
    view = window.view(16, 80)
    assert view.mask[0].tolist() == [True] * 2 + [False] * 5 and (view.vectors["tower"][0, :2] == rows).all()
    assert view.features["displacement"][0, :2].tolist() == [1.0, 1.0]
    assert window.speed(12, 80) == pytest.approx(1.0) and window.speed(12) > 4.0
    assert window.tempo(16, 80).bpm == pytest.approx(120, rel=0.05)
    assert window.tempo(13, 80).confidence == 0.0  # three seconds of it
    assert window.colour(12, 80) == pytest.approx((0.5, 0.4, 0.3, 0.6))


def test_only_the_clips_across_the_start_are_computed_again(features: Fake) -> None:
    window = filled(features, range(8 * 30))
    for end in range(1, 31):
        window.store("tower", [end], np.full((1, 4), end, np.float32))
    assert window.missing("tower", 30) == [] == window.missing("tower", 30, 8 * 18)
    assert window.missing("tower", 30, 8 * 20 + 3) == [22]
    window.store("tower", [22], np.full((1, 4), 99, np.float32), 8 * 20 + 3)
    assert window.view(30, 8 * 20 + 3).vectors["tower"][0, :3, 0].tolist() == [99, 26, 30]
    assert window.view(30).vectors["tower"][0, :, 0].tolist() == [6, 10, 14, 18, 22, 26, 30]
