"""The page's player in an installed Firefox, which behaves otherwise than Chromium where there is no sound device."""

import shutil
from typing import Any

import pytest

from benchmarks.browsers import FIREFOX, browsing

PLAY = """async (track) => {
  const { Player } = await import("/player.js");
  const errors = [];
  const player = new Player({ change() {}, ended() {}, error: (text) => errors.push(text) });
  const told = [];
  for (let turn = 0; turn < 2; turn += 1) {
    const began = performance.now();
    const plays = await player.play({ track, title: "A", start_s: 5, duration_s: 20 });
    told.push({ plays, took_s: (performance.now() - began) / 1000 });
  }
  return { told, errors };
}"""


def test_without_a_sound_device_play_gives_up_and_says_so(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if not any(map(shutil.which, FIREFOX)):
        pytest.skip("no Firefox on this machine")
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
    with browsing("firefox", server.url) as page:
        found = page.call(PLAY, "0" * 16)  # no such track: the sound device comes first
    if "cannot be played" in str(found["errors"]):
        pytest.skip("there is a sound device")
    for turn in found["told"]:
        assert not turn["plays"] and 1 < turn["took_s"] < 15  # two seconds, on a busy machine more
    assert len(found["errors"]) == 2 and all("sound device" in text for text in found["errors"])
