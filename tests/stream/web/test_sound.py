"""What is heard: the place that was asked for, the beat there at its full level, no click, smooth crossfades."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog.indexer import index_folder
from engines.bundle import load_bundle
from engines.onnx_engine import OnnxEngine
from features.spec import FEATURES

FIRST_MS = 40_000
SECONDS = 60.0
EXACT_S = 0.01
BEAT_S = 0.5
STARTS_S = (0.0, 0.02, 12.5, 41.0)


@pytest.fixture(scope="module")
def clicks(excerpting: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tracks with a click every half second, in the format whose places browsers miss most."""
    folder = tmp_path_factory.mktemp("clicks")
    return Path(excerpting.write(folder, "mp3 vbr", SECONDS))


@pytest.fixture(scope="module")
def server(
    excerpting: Any, clicks: Path, serving_module: Any, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    catalog = tmp_path_factory.mktemp("catalog") / "clicks"
    # the same sound, and more of it: of one length they would be one recording
    longer = excerpting.write(tmp_path_factory.mktemp("longer"), "mp3 vbr", SECONDS + 6)
    longer.rename(clicks.parent / "other.mp3")
    engine = OnnxEngine(load_bundle(tiny_bundle, FEATURES))
    try:
        assert index_folder(clicks.parent, catalog, engine, 1, lambda *_: None).added == 2
    finally:
        engine.close()
    with serving_module.serving(catalog, tiny_bundle) as running:
        yield running


@pytest.fixture
def listening(page: Any, server: Any, taps: Callable[[Any], None]) -> Callable[..., Any]:
    """The page with its sound in `window.heard`; starts are those that the test names, by the place in the list."""

    def listen(*starts_s: float) -> Any:
        def relay(socket: Any) -> None:
            behind = socket.connect_to_server()

            def forward(text: str) -> None:
                told = json.loads(text)
                if told["type"] == "suggestions":
                    told["items"].sort(key=lambda item: item["track"])
                    for item, start_s in zip(told["items"], starts_s, strict=False):
                        item["start_s"] = start_s
                socket.send(json.dumps(told))

            behind.on_message(forward)

        page.route_web_socket("**/sessions/*/events?*", relay)
        taps(page)
        page.goto(server.url)
        page.evaluate("document.querySelector('#volume').value = 1")
        page.dispatch_event("#volume", "input")
        page.click("#use-camera")
        page.wait_for_selector(".row", timeout=FIRST_MS)
        return page

    return listen


def heard(page: Any, seconds: float) -> tuple[int, Any]:
    """What has come out since the sound began, at least so many seconds of it."""
    page.wait_for_function(
        "s => { const at = heard.findIndex(Boolean); return at >= 0 && heard.length - at > s * heardRate; }",
        arg=seconds,
        timeout=40_000,
    )
    rate_hz, sound = page.evaluate("[heardRate, heard]")
    sound = np.array(sound)
    return int(rate_hz), sound[np.flatnonzero(sound)[0] :]


def beats_db(sound: Any, rate_hz: int, first_s: float, count: int) -> Any:
    """How loud the first 30 ms of each beat are."""
    starts = [round((first_s + BEAT_S * beat) * rate_hz) for beat in range(count)]
    return np.array([10 * np.log10(np.mean(sound[at : at + round(0.03 * rate_hz)] ** 2)) for at in starts])


@pytest.mark.parametrize("start_s", STARTS_S)
def test_the_first_beat_is_in_its_place_and_as_loud_as_the_others(
    listening: Callable[..., Any], clicks: Path, excerpting: Any, start_s: float
) -> None:
    page = listening(start_s, start_s)
    page.locator(".row .play").first.click()
    rate_hz, sound = heard(page, 3.5)
    later = sound[round(0.5 * rate_hz) : round(1.5 * rate_hz), None] * 30_000
    began_s = start_s + excerpting.off_s(clicks, start_s + 0.5, later.astype(np.int16), rate_hz)  # of the first sample
    assert start_s - 0.09 <= began_s <= max(start_s, 0.0) + EXACT_S
    beat_s = np.ceil((start_s - EXACT_S) / BEAT_S) * BEAT_S - began_s
    levels = beats_db(sound, rate_hz, max(0.0, beat_s), 6)
    assert abs(levels[0] - np.median(levels[1:])) <= 1.0
    assert abs(np.diff(sound[: round(0.003 * rate_hz)])).max() < 0.1, "a click"


def test_one_track_fades_into_the_next_and_its_beat_is_heard(
    listening: Callable[..., Any], clicks: Path, excerpting: Any
) -> None:
    page = listening(10.0, 30.0)
    page.locator(".row .play").first.click()
    heard(page, 2.0)
    page.locator(".row .play").nth(1).click()
    on_air = "() => document.querySelectorAll('.row')[1].classList.contains('on-air') && heard.length"
    begun = page.wait_for_function(on_air).json_value()
    page.wait_for_function("begun => heard.length > begun + 4.5 * heardRate", arg=begun)
    rate_hz, sound = page.evaluate("[heardRate, heard]")
    sound = np.array(sound)
    tail = sound[begun + 3 * int(rate_hz) : begun + 4 * int(rate_hz)]
    sound = sound[np.flatnonzero(sound)[0] :]
    loud = np.sqrt(np.convolve(sound**2, np.full(2048, 1 / 2048), "valid"))
    assert loud.min() > 0.002, "silence between the two"
    assert abs(sound).max() <= 1.3
    now_s = 31 + excerpting.off_s(clicks, 31, (tail[:, None] * 30_000).astype(np.int16), int(rate_hz))
    assert 29.7 <= now_s <= 36


def test_the_slider_goes_to_the_very_place(listening: Callable[..., Any], clicks: Path, excerpting: Any) -> None:
    page = listening(10.0, 10.0)
    page.locator(".row .play").first.click()
    page.wait_for_selector('#player[data-state="playing"]', timeout=20_000)
    page.evaluate(
        """() => {
            const slider = document.querySelector("#seek");
            slider.value = 44;
            slider.dispatchEvent(new Event("change"));
        }"""
    )
    page.wait_for_function("() => document.querySelector('#seek').value > 46", timeout=20_000)
    rate_hz, sound, shown_s = page.evaluate("[heardRate, heard, Number(document.querySelector('#seek').value)]")
    sound = np.array(sound)[-int(rate_hz) :, None]
    began_s = 44 + excerpting.off_s(clicks, 44, (sound * 30_000).astype(np.int16), int(rate_hz))
    assert 44 <= began_s <= shown_s <= began_s + 3


NO_DEVICE = """
const real = AudioContext.prototype.resume;
window.device = false;
AudioContext.prototype.resume = function () { return window.device ? real.call(this) : new Promise(() => {}); };
Object.defineProperty(AudioContext.prototype, "state", {
  get() { return window.device ? "running" : "suspended"; },
});
"""


def test_without_a_sound_device_play_says_so_and_works_again_later(page: Any, server: Any) -> None:
    page.add_init_script(NO_DEVICE)
    page.goto(server.url)
    page.click("#use-camera")
    page.wait_for_selector(".row", timeout=FIRST_MS)
    for _ in range(2):
        page.locator(".row .play").first.click()
        page.wait_for_selector("#toast:visible", timeout=20_000)
        assert "sound device" in page.inner_text("#toast-text")
        page.click("#toast-close")
    page.evaluate("window.device = true")
    page.locator(".row .play").first.click()
    page.wait_for_selector('#player[data-state="playing"]', timeout=20_000)
