"""Bars are found within a second wherever they are, and what is merely dark is none."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.bars import WHOLE, BarMeter, Box, refine

HEIGHT, WIDTH = 90, 160
RNG = np.random.default_rng(3)
TEXTURE = cv2.resize(RNG.integers(30, 250, (24, 60, 3), dtype=np.uint8), (480, 192), interpolation=cv2.INTER_CUBIC)

Scene = Callable[[int], np.ndarray]


def moving(n: int) -> np.ndarray:
    """A picture that pans, (90, 160, 3)."""
    return np.ascontiguousarray(TEXTURE[20:110, 40 + 3 * (n % 90) : 200 + 3 * (n % 90)])


def between(scene: Scene, top: int, bottom: int, left: int, right: int, level: int = 0) -> Scene:
    """A scene that is shown in a part of a black frame."""

    def framed(n: int) -> np.ndarray:
        frame = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
        inside = cv2.resize(scene(n), (right - left, bottom - top), interpolation=cv2.INTER_AREA)
        frame[top:bottom, left:right] = inside
        return frame

    return framed


def boxes(scene: Scene, frames: int) -> list[Box]:
    meter = BarMeter()
    found = []
    for n in range(frames):
        meter.push(scene(n))
        found.append(meter.box)
    return found


@pytest.mark.parametrize(
    ("top", "bottom", "left", "right"),
    [
        (12, 78, 0, 160),  # 2.39 in 16:9
        (0, 90, 20, 140),  # 4:3 in 16:9
        (0, 90, 55, 105),  # portrait
        (22, 67, 40, 120),  # a window
        (40, 85, 75, 155),  # in a corner
        (0, 75, 0, 160),  # below alone
        (15, 90, 0, 160),  # above alone
        (0, 90, 30, 160),  # on one side alone
        (1, 89, 0, 160),  # one line
    ],
)
@pytest.mark.parametrize("level", [0, 3, 7])
def test_bars_are_found_within_a_second(top: int, bottom: int, left: int, right: int, level: int) -> None:
    found = boxes(between(moving, top, bottom, left, right, level), 30)
    expected = Box(left / WIDTH, top / HEIGHT, right / WIDTH, bottom / HEIGHT)
    assert found[7:] == [expected] * 23


@settings(max_examples=60, deadline=None)
@given(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 60), st.integers(0, 60)))
def test_any_box_is_found_and_stays(bars: tuple[int, int, int, int]) -> None:
    top, below, left, right = bars
    found = boxes(between(moving, top, HEIGHT - below, left, WIDTH - right), 12)
    assert found[-1] == Box(left / WIDTH, top / HEIGHT, (WIDTH - right) / WIDTH, (HEIGHT - below) / HEIGHT)


def night(n: int) -> np.ndarray:
    """Street lights in the noise of a dark street, which is crushed to black in places."""
    frame = np.random.default_rng(n).normal(8, 5, (HEIGHT, WIDTH, 3))
    for x, y, size in ((20, 40, 4), (70, 30, 5), (120, 45, 3), (150, 20, 4)):
        cv2.circle(frame, (x - n // 3, y), size, (220, 200, 150), -1)
    return np.clip(frame, 0, 255).astype(np.uint8)


def crushed(n: int) -> np.ndarray:
    frame = night(n)
    frame[frame < 28] = 0
    return frame


def silhouette(n: int) -> np.ndarray:
    """Hills, black before the evening sky."""
    frame = np.full((HEIGHT, WIDTH, 3), (250, 140, 60), np.uint8)
    line = 55 + 8 * np.sin((np.arange(WIDTH) + 2 * n) / 14) + 3 * np.sin(np.arange(WIDTH) / 5)
    frame[np.arange(HEIGHT)[:, None] > line[None, :]] = 0
    return frame


def stage(n: int) -> np.ndarray:
    """A spot light on a singer."""
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    cv2.ellipse(frame, (80 + n // 4, 50), (40, 30), 0, 0, 360, (230, 220, 210), -1)
    return cv2.GaussianBlur(frame, (0, 0), 4)


def credits(n: int) -> np.ndarray:
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for line in range(12):
        y = 110 + 14 * line - n
        cv2.putText(frame, "A. PERSON  EVERYTHING", (18, y), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (240, 240, 240), 1)
    return frame


def title(n: int) -> np.ndarray:
    """Large letters that stand, edge to edge."""
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for at, width in ((4, 30), (38, 26), (68, 30), (102, 20), (126, 32)):
        frame[25:65, at : at + width] = 220
    return frame


def fade(n: int) -> np.ndarray:
    return np.asarray(moving(n) * (min(n % 40, 40 - n % 40) / 20), np.uint8)


def terminal(n: int) -> np.ndarray:
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    lengths = np.random.default_rng(1).integers(10, 150, 20)
    for line in range(min(20, n)):
        cv2.putText(
            frame, "x" * (int(lengths[line]) // 4), (2, 6 + 4 * line), cv2.FONT_HERSHEY_PLAIN, 0.35, (90, 250, 90)
        )
    return frame


@pytest.mark.parametrize("scene", [night, crushed, silhouette, stage, credits, title, fade, terminal, moving])
def test_what_is_dark_is_no_bar(scene: Scene) -> None:
    assert set(boxes(scene, 160)) == {WHOLE}


def test_black_frames_are_no_bars() -> None:
    assert set(boxes(lambda n: np.zeros((HEIGHT, WIDTH, 3), np.uint8), 40)) == {WHOLE}


@pytest.mark.parametrize("scene", [night, fade, credits, stage, lambda n: np.zeros((HEIGHT, WIDTH, 3), np.uint8)])
def test_bars_stay_while_the_picture_between_them_is_dark(scene: Scene) -> None:
    dark = between(scene, 12, 78, 0, 160)
    bright = between(moving, 12, 78, 0, 160)
    found = boxes(lambda n: bright(n) if n < 10 else dark(n), 120)
    assert set(found[8:]) == {Box(0, 12 / 90, 1, 78 / 90)}


def test_subtitles_in_a_bar_change_nothing() -> None:
    film = between(moving, 12, 78, 0, 160)

    def subtitled(n: int) -> np.ndarray:
        frame = film(n)
        if 20 <= n < 60:
            cv2.putText(frame, "and then he said", (35, 87), cv2.FONT_HERSHEY_SIMPLEX, 0.3, (255, 255, 255), 1)
        return frame

    assert set(boxes(subtitled, 80)[8:]) == {Box(0, 12 / 90, 1, 78 / 90)}


def test_bars_go_at_once_when_the_whole_frame_is_picture_and_come_back() -> None:
    film = between(moving, 12, 78, 0, 160)
    found = boxes(lambda n: film(n) if n < 20 or n >= 40 else moving(n), 60)
    box = Box(0, 12 / 90, 1, 78 / 90)
    assert found[19] == box and set(found[20:45]) == {WHOLE} and set(found[47:]) == {box}


def test_bars_that_grow_are_followed() -> None:
    wide, narrow = between(moving, 12, 78, 0, 160), between(moving, 12, 78, 30, 130)
    found = boxes(lambda n: wide(n) if n < 20 else narrow(n), 60)
    assert found[19] == Box(0, 12 / 90, 1, 78 / 90) and found[-1] == Box(30 / 160, 12 / 90, 130 / 160, 78 / 90)


def test_a_stream_that_turns_begins_anew() -> None:
    meter = BarMeter()
    film = between(moving, 12, 78, 0, 160)
    for n in range(10):
        meter.push(film(n))
    assert meter.push(np.ascontiguousarray(film(11).swapaxes(0, 1))) and meter.box == WHOLE


def lines() -> Iterator[tuple[int, int]]:
    yield from ((61, 418), (57, 420), (60, 420), (1, 479), (90, 390))


@pytest.mark.parametrize(("top", "bottom"), list(lines()))
def test_a_box_is_refined_to_the_line(top: int, bottom: int) -> None:
    luma = np.zeros((480, 854), np.uint8)
    luma[top:bottom] = RNG.integers(40, 250, (bottom - top, 854))
    rough = Box(0.0, round(top / 480 * 90) / 90, 1.0, round(bottom / 480 * 90) / 90)
    if rough.top == 0.0:
        assert refine(luma, rough) == rough
        return
    found = refine(luma, rough)
    assert (round(found.top * 480), round(found.bottom * 480)) == (top, bottom) and (found.left, found.right) == (0, 1)
