"""What a page of another origin can make the user's browser do to a server on the same machine: nothing."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from until import until
from websockets.sync.client import connect

from stream.server.access import AccessOptions

TOKEN = "a" * 24
PAGE = """<!doctype html><title>foreign</title>
<img id="picture" src="{address}">
<script src="{address}"></script>
<link rel="stylesheet" href="{address}">
<iframe name="inside" src="{address}"></iframe>
<form id="form" method="post" action="{address}" target="inside"></form>
<script>
  fetch("{address}", {{ mode: "no-cors" }}).catch(() => {{}});
  fetch("{address}", {{ mode: "no-cors", method: "POST" }}).catch(() => {{}});
  navigator.sendBeacon("{address}");
  document.getElementById("form").submit();
</script>
"""
SEEN = 4  # of the eight, the driver tells of no more


@pytest.fixture
def keys(page_catalog: Path, tiny_bundle: Path, serving_module: Any) -> Iterator[Any]:
    """A server without tokens, but for its actions."""
    with serving_module.serving(page_catalog, tiny_bundle, access=AccessOptions(action=TOKEN)) as running:
        yield running


def test_no_foreign_page_presses_a_key(browser: Any, keys: Any, serving_module: Any, tmp_path: Path) -> None:
    """Even one that has learnt the token."""
    sdp = {"content-type": "application/sdp"}
    address = f"{keys.url}actions/pause?key=show&token={TOKEN}"
    path = tmp_path / "foreign.html"
    path.write_text(PAGE.format(address=address))
    codes: list[int] = []
    page = browser.new_page()
    page.on(
        "response",
        lambda response: codes.append(response.status) if "/actions/" in urlsplit(response.url).path else None,
    )
    with httpx.Client(base_url=keys.url) as client:
        posted = client.post("/whip?key=show", content=serving_module.OFFER, headers=sdp)
        with connect(f"ws://{keys.netloc}{posted.headers['segue-events']}") as player:
            player.send(json.dumps({"type": "playing", "track": "x"}))
            while json.loads(player.recv(timeout=30))["type"] != "player":
                pass
            page.goto(path.as_uri())
            until(page, lambda: len(codes) >= SEEN)
            assert set(codes) == {403}
            page.goto(address)  # the user opens it: it is done
            assert json.loads(page.text_content("body"))["changed"]
            done: list[str] = []
            while not done:
                message = json.loads(player.recv(timeout=30))
                done += [message["do"]] if message["type"] == "do" else []
            with pytest.raises(TimeoutError):  # what a foreign page had done would have come before
                while message := json.loads(player.recv(timeout=1)):
                    done += [message["do"]] if message["type"] == "do" else []
            assert done == ["pause"]
        client.delete(posted.headers["location"])
    page.close()
