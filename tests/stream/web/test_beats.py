"""A fade on the beat, as it is heard: the next track's beats fall where those of the one before would have gone on."""

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
OUT_BPM, IN_BPM = 120.0, 125.0
BEAT_S = 60 / OUT_BPM
START_S = 40 * 60 / IN_BPM  # a downbeat of the one that comes
OFF_S = 0.06  # of half a second; by chance it would be up to a quarter. On an idle machine it is a few milliseconds
CHOSEN = "localStorage.setItem('segue-look', JSON.stringify({ fade: 'beat', fade_s: 2 }));"

DECKS = """
const Made = Audio;
window.decks = [];
window.Audio = function () { decks.push(new Made()); return decks.at(-1); };
"""


# in the page, whose clock the sound has: when the second one begins to rise, and the rates a second later
NOTED = """() => {
  const list = document.querySelector("#list");
  const watch = new MutationObserver(() => {
    if (!list.children[1].classList.contains("on-air")) return;
    watch.disconnect();
    const begun = heard.length;
    setTimeout(() => { window.noted = [begun, decks.map((deck) => deck.playbackRate)]; }, 1000);
  });
  watch.observe(list, { subtree: true, attributes: true });
}"""


@pytest.fixture(scope="module")
def server(serving_module: Any, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("beats")
    (folder / "music").mkdir()
    for bpm in (OUT_BPM, IN_BPM):
        serving_module.write_tune(folder / "music" / f"tune {bpm:g}.wav", bpm, 90.0)
    engine = OnnxEngine(load_bundle(tiny_bundle, FEATURES))
    try:
        assert index_folder(folder / "music", folder / "catalog", engine, 1, lambda *_: None).added == 2
    finally:
        engine.close()
    with serving_module.serving(folder / "catalog", tiny_bundle) as running:
        yield running


def onsets_s(sound: Any, rate_hz: int) -> Any:
    """When the clicks begin: where the band around them rises most."""
    time_s = np.arange(len(sound)) / rate_hz
    band = np.convolve(
        sound * np.exp(-2j * np.pi * 1200 * time_s), np.ones(round(0.004 * rate_hz)) / (0.004 * rate_hz), "same"
    )
    rise = np.diff(np.abs(band), prepend=0)
    found, width = [], round(0.2 * rate_hz)
    strength = np.convolve(rise, np.ones(round(0.003 * rate_hz)), "same")
    while strength.max() > 0.25 * (found[0][1] if found else strength.max()):
        at = int(strength.argmax())
        found.append((at, strength[at]))
        strength[max(0, at - width) : at + width] = 0
        if len(found) > 400:
            break
    return np.sort([at / rate_hz for at, _ in found])


def phase_s(times_s: Any) -> float:
    """Where in the beat the clicks are, by their circular mean."""
    return float(np.angle(np.exp(2j * np.pi * np.asarray(times_s) / BEAT_S).mean()) / (2 * np.pi) * BEAT_S)


@pytest.fixture
def mixed(page: Any, server: Any, taps: Callable[[Any], None]) -> Callable[[], tuple[float, float]]:
    """Plays one, then the other; returns by how much the beats are off, and the rate of the second one at first."""

    def mix() -> tuple[float, float]:
        def relay(socket: Any) -> None:
            behind = socket.connect_to_server()

            def forward(text: str) -> None:
                told = json.loads(text)
                if told["type"] == "suggestions":
                    told["items"].sort(key=lambda each: each["title"] != f"tune {OUT_BPM:g}")
                    for each, bpm, start_s in zip(told["items"], (OUT_BPM, IN_BPM), (8.0, START_S), strict=True):
                        each |= {"tempo_bpm": bpm, "start_s": start_s, "rank": 1 + (bpm == IN_BPM)}
                    air = told["on_air"]
                    if air and air["position_s"] is not None:
                        first_s = 2.0 * np.ceil(air["position_s"] / 2.0)  # the bars of the one at 120
                        bars = [first_s + 2.0 * bar for bar in range(4)]
                        told["switch"] = {"track": None, "at_s": bars, "in_s": first_s - air["position_s"]}
                socket.send(json.dumps(told))

            behind.on_message(forward)

        page.route_web_socket("**/sessions/*/events?*", relay)
        taps(page)
        page.add_init_script(CHOSEN + DECKS)
        page.goto(server.url)
        page.click("#use-camera")
        page.wait_for_selector(".row", timeout=FIRST_MS)
        page.locator(".row .play").first.click()
        page.wait_for_function("() => window.heard.length > 4 * window.heardRate", timeout=FIRST_MS)
        page.evaluate(NOTED)
        page.locator(".row .play").nth(1).click()
        begun, rates = page.wait_for_function("() => window.noted", timeout=FIRST_MS).json_value()
        page.wait_for_function("begun => heard.length > begun + 3.2 * heardRate", arg=begun, timeout=FIRST_MS)
        rate_hz = page.evaluate("heardRate")
        sound = np.array(page.evaluate("heard"))
        before = onsets_s(sound[begun - round(3 * rate_hz) : begun], rate_hz) + begun / rate_hz - 3
        after = (
            onsets_s(sound[begun + round(2.2 * rate_hz) : begun + round(3.1 * rate_hz)], rate_hz)
            + begun / rate_hz
            + 2.2
        )
        off_s = phase_s(after) - phase_s(before)
        return (off_s + BEAT_S / 2) % BEAT_S - BEAT_S / 2, min(rates)

    return mix


def test_the_beats_of_the_next_track_fall_on_those_of_the_one_before(mixed: Callable[[], tuple[float, float]]) -> None:
    off_s, rate = mixed()
    assert abs(off_s) <= OFF_S, f"the beats are {1000 * off_s:.0f} ms off"
    assert rate == pytest.approx(OUT_BPM / IN_BPM, abs=0.002)
