"""Several cameras (a webcam and OBS's virtual one): the page asks which, and takes the one that was chosen."""

from collections.abc import Iterator
from typing import Any

import pytest

TWO = "--use-fake-device-for-media-stream=device-count=2"
LABEL = "() => document.querySelector('#picture').srcObject?.getVideoTracks()[0]?.label"


@pytest.fixture
def opened(
    server: Any, chromium: str, arguments: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """The page in a Chromium that has two cameras."""
    playwright = pytest.importorskip("playwright.sync_api")
    words = [TWO if word.startswith("--use-fake-device") else word for word in arguments]
    with playwright.sync_playwright() as driver:
        folder = tmp_path_factory.mktemp("profile")
        context = driver.chromium.launch_persistent_context(folder, executable_path=chromium, headless=True, args=words)
        page = context.new_page()
        page.goto(server.url)
        yield page
        context.close()


def test_the_page_asks_which_camera_and_proposes_the_one_before(opened: Any) -> None:
    names = opened.locator("#cameras button")
    opened.click("#use-camera")
    names.first.wait_for()
    said = names.all_inner_texts()
    assert len(said) == 3 and said[-1] == "Cancel" and all("fake_device" in name for name in said[:2])
    names.nth(1).click()
    opened.wait_for_function(LABEL)
    assert opened.evaluate(LABEL) == said[1]
    opened.reload()
    opened.click("#use-camera")
    names.first.wait_for()
    assert opened.evaluate("document.activeElement.textContent") == said[1]
    opened.keyboard.press("Enter")
    opened.wait_for_function(LABEL)
    assert opened.evaluate(LABEL) == said[1]


def test_no_choice_is_no_camera(opened: Any) -> None:
    opened.click("#use-camera")
    opened.locator("#cameras button").first.wait_for()
    opened.keyboard.press("Escape")
    opened.get_by_text("No camera was chosen.").wait_for()
    assert opened.locator("#cameras").count() == 0 and opened.evaluate(LABEL) is None
