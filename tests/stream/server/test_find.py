"""Tracks by words, over HTTP."""

import httpx


def test_tracks_by_words(client: httpx.Client) -> None:
    found = client.get("/api/tracks", params={"q": "TUNE 1", "limit": 2}).json()
    assert found["found"] == 4 and len(found["tracks"]) == 2  # 108, 120, 132, 144
    one = client.get("/api/tracks", params={"q": "132 tune"}).json()
    assert [track["title"] for track in one["tracks"]] == ["tune 132"] and "path" not in one["tracks"][0]
    more = client.get(f"/api/tracks/{one['tracks'][0]['track']}").json()
    for name in ("key", "heard_key", "camelot", "energy", "live_ok", "vod_ok", "marks", "vocals"):
        assert one["tracks"][0][name] == more[name]
    assert client.get("/api/tracks", params={"q": "no such"}).json()["tracks"] == []
    for bad in ({}, {"q": "x" * 201}, {"q": "x", "limit": 0}, {"q": "x", "limit": 9999}):
        assert client.get("/api/tracks", params=bad).status_code == 422
