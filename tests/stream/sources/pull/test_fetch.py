"""HTTP for what is watched and pulled: ranges, cookies, names and passwords, and where they go."""

import base64
import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import SourceError
from stream.sources.pull import fetch
from stream.sources.pull.fetch import Fetch, HttpClient, request_headers, tidy
from stream.sources.sandbox.addresses import networks

Site = Callable[..., Any]
HERE = networks(["127.0.0.0/8"])
DATA = bytes(range(256)) * 40


def everything(reader: Any, size: int = 1000) -> bytes:
    data = b""
    while piece := reader.read(size):
        assert len(piece) <= size
        data += piece
    reader.close()
    return data


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize(("begin", "end"), [(0, None), (100, None), (100, 300), (0, 300), (10_000, 99_999)])
def test_a_part_of_a_file_is_a_file_of_its_own(site: Site, ranges: bool, begin: int, end: int | None) -> None:
    there = site({"/v": DATA}, ranges=ranges)
    reader = HttpClient(HERE).open(f"{there.url}/v", begin, end)
    wanted = DATA[begin:end]
    assert reader.length == len(wanted) and reader.seekable() == ranges
    assert reader.read(10) == wanted[:10] and reader.tell() == 10
    if ranges:
        assert reader.seek(50) == 50 and reader.read(7) == wanted[50:57]
        assert reader.seek(-5, io.SEEK_END) == len(wanted) - 5 and everything(reader) == wanted[-5:]
        assert reader.seek(0) == 0
        assert everything(reader) == wanted
    else:
        assert everything(reader) == wanted[10:]
        with pytest.raises(OSError, match="no ranges"):
            reader.seek(0)


def test_only_what_is_asked_for_is_sent(site: Site) -> None:
    there = site({"/v": DATA})
    assert everything(HttpClient(HERE).open(f"{there.url}/v", 500, 700)) == DATA[500:700]
    assert there.sent == {"/v": 200}


def test_ranges_go_along_redirects_and_the_place_is_known(site: Site) -> None:
    there = site({"/v": DATA})
    first = site({"/a b/v": lambda a: a.say(302, b"", {"Location": f"{there.url}/v"})})
    first.pages["/a%20b/v"] = first.pages.pop("/a b/v")
    reader = HttpClient(HERE).open(f"{first.url}/a b/v", 100)
    assert reader.url == f"{there.url}/v" and everything(reader) == DATA[100:]
    reader.seek(9000)
    assert everything(reader) == DATA[9100:]


def test_what_the_server_packs_is_unpacked(site: Site) -> None:
    there = site()
    for path, packed, name in (("/g", gzip.compress(DATA), "gzip"), ("/d", zlib.compress(DATA), "deflate")):
        there.pages[path] = lambda a, packed=packed, name=name: a.say(200, packed, {"Content-Encoding": name})
        reader = HttpClient(HERE).open(there.url + path)
        assert everything(reader, 77) == DATA and not reader.seekable()
    there.pages["/g"] = lambda a: a.say(200, b"no gzip" * 9, {"Content-Encoding": "gzip"})
    with pytest.raises(OSError, match="cannot be unpacked"):
        everything(HttpClient(HERE).open(f"{there.url}/g"))


def chunked(answer: Any, pieces: list[bytes], whole: bool) -> None:
    answer.protocol_version = "HTTP/1.1"
    answer.send_response(200)
    answer.send_header("Transfer-Encoding", "chunked")
    answer.send_header("Connection", "close")
    answer.end_headers()
    for piece in pieces:
        answer.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
    if whole:
        answer.wfile.write(b"0\r\n\r\n")
    answer.close_connection = True


@pytest.mark.parametrize("whole", [True, False])
def test_chunks(site: Site, whole: bool) -> None:
    pieces = [DATA[at : at + 999] for at in range(0, len(DATA), 999)]
    there = site({"/v": lambda a: chunked(a, pieces, whole)})
    reader = HttpClient(HERE).open(f"{there.url}/v")
    assert reader.length is None and not reader.seekable()
    if whole:
        assert everything(reader) == DATA
    else:
        with pytest.raises(OSError, match="broke off"):
            everything(reader)
        reader.close()


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "RESUME_S", (0.01, 0.01, 0.01))


def breaking(times: int, tag: str | None = None) -> Callable[[Any], None]:
    """Breaks off after 1000 bytes, so many times."""
    left = [times]

    def answer(a: Any) -> None:
        begin = int(re.findall(r"\d+", a.headers.get("Range", "bytes=0-"))[0]) if a.site.ranges else 0
        a.send_response(206 if a.site.ranges else 200)
        if a.site.ranges:
            a.send_header("Content-Range", f"bytes {begin}-{len(DATA) - 1}/{len(DATA)}")
        if tag is not None:
            a.send_header("ETag", tag)
        a.send_header("Content-Length", str(len(DATA) - begin))
        a.end_headers()
        left[0] -= 1
        a.wfile.write(DATA[begin:] if left[0] < 0 else DATA[begin : begin + 1000])

    return answer


@pytest.mark.usefixtures("brief")
def test_a_recording_that_breaks_off_is_gone_on_with(site: Site) -> None:
    there = site({"/v": breaking(5, '"one"')})
    assert everything(HttpClient(HERE).open(f"{there.url}/v"), 700) == DATA
    assert len(there.asked) == 6 and there.asked[1][1]["If-Range"] == '"one"'


@pytest.mark.usefixtures("brief")
def test_what_cannot_be_gone_on_with_is_told(site: Site) -> None:
    there = site({"/v": breaking(99)}, ranges=False)
    with pytest.raises(OSError, match="broke off after 1000 of 10240 bytes"):
        everything(HttpClient(HERE).open(f"{there.url}/v"))


def test_cookies_come_back_where_they_are_from(site: Site) -> None:
    def sets(a: Any) -> None:
        a.say(200, b"x", {"Set-Cookie": "pass=42; Path=/"})

    def asks(a: Any) -> None:
        a.say(200 if "pass=42" in a.headers.get("Cookie", "") else 403, b"y")

    there, other = site({"/list": sets, "/part": asks}), site({"/part": asks}, host="127.0.0.2")
    client = HttpClient(HERE)
    with pytest.raises(SourceError, match="403"):
        client.open(f"{there.url}/part")
    everything(client.open(f"{there.url}/list"))
    assert everything(client.open(f"{there.url}/part")) == b"y"
    with pytest.raises(SourceError, match="403"):
        client.open(f"{other.url}/part")
    with pytest.raises(SourceError, match="403"):
        HttpClient(HERE).open(f"{there.url}/part")
    there.pages["/list"] = lambda a: a.say(200, b"x", {"Set-Cookie": "pass=42; Path=/; Secure"})
    secure = HttpClient(HERE)
    everything(secure.open(f"{there.url}/list"))
    with pytest.raises(SourceError, match="403"):
        secure.open(f"{there.url}/part")


def named(url: str, user: str = "user:s%40fe@") -> str:
    return url.replace("http://", f"http://{user}")


def test_name_and_password_go_to_their_own_place_alone(site: Site) -> None:
    there, port, host = site({"/v": b"v"}), site({"/v": b"v"}), site({"/v": b"v"}, host="127.0.0.2")
    client = HttpClient(HERE)
    everything(client.open(named(f"{there.url}/v")))
    everything(client.open(f"{there.url}/v"))  # a segment, as a playlist names it
    wanted = "Basic " + base64.b64encode(b"user:s@fe").decode()
    assert [headers.get("Authorization") for _, headers in there.asked] == [wanted, wanted]
    for other in (port, host):
        there.pages["/to"] = lambda a, other=other: a.say(302, b"", {"Location": f"{other.url}/v"})
        everything(client.open(named(f"{there.url}/to")))
        everything(client.open(f"{other.url}/v"))
        assert [headers.get("Authorization") for _, headers in other.asked] == [None, None]
    there.pages["/back"] = lambda a: a.say(302, b"", {"Location": "/v"})
    everything(client.open(f"{there.url}/back"))
    assert there.asked[-1][1]["Authorization"] == wanted


def test_a_downgrade_takes_no_password_along_and_an_upgrade_does() -> None:
    from stream.sources.pull.http_auth import Credentials
    from stream.sources.sandbox.addresses import target_of

    kept = Credentials()
    assert kept.header(target_of("https://u:p@cam.example/v"), "/v")
    for other in (
        "http://cam.example/v",
        "https://cam.example:444/v",
        "https://cam.example.org/v",
        "http://cam.example:443/",
    ):
        assert kept.header(target_of(other), "/v") == {}
    assert kept.header(target_of("https://cam.example:443/other"), "/other")
    plain = Credentials()
    assert plain.header(target_of("http://u:p@cam.example/v"), "/v")
    assert plain.header(target_of("https://cam.example/v"), "/v")
    assert plain.header(target_of("https://www.cam.example/v"), "/v") == {}


@pytest.mark.parametrize("asked", ['algorithm=MD5, qop="auth"', 'algorithm=SHA-256, qop="auth,auth-int"', ""])
def test_digest_as_cameras_ask_for_it(site: Site, asked: str) -> None:
    """Checked by the formula of RFC 7616, section 3.4.1, from what the server was told."""

    def guarded(a: Any) -> None:
        fields = dict(re.findall(r'(\w+)="?([^",]+)"?', a.headers.get("Authorization", "")))
        make = hashlib.sha256 if "SHA" in asked else hashlib.md5

        def hashed(*parts: str) -> str:
            return make(":".join(parts).encode()).hexdigest()

        middle = [fields.get("nc", ""), fields.get("cnonce", ""), "auth"] if asked else []
        right = hashed(hashed("user", "cam", "s@fe"), "abc", *middle, hashed("GET", "/v?x=1"))
        if fields.get("response") == right and fields["opaque"] == "o" and fields["uri"] == "/v?x=1":
            return a.say(200, DATA)
        more = f", {asked}" if asked else ""
        return a.say(401, b"", {"WWW-Authenticate": f'Digest realm="cam", nonce="abc", opaque="o"{more}'})

    there = site({"/v": guarded})
    client = HttpClient(HERE)
    assert everything(client.open(named(f"{there.url}/v?x=1"))) == DATA
    assert everything(client.open(f"{there.url}/v?x=1")) == DATA and len(there.asked) == 3
    with pytest.raises(SourceError, match="401"):
        HttpClient(HERE).open(named(f"{there.url}/v?x=1", "user:wrong@"))


def test_a_client_checks_every_address(site: Site) -> None:
    there = site({"/v": b"v"}, host="127.0.0.2")
    first = site({"/to": lambda a: a.say(302, b"", {"Location": f"{there.url}/v"})})
    for url in (f"{there.url}/v", f"{first.url}/to"):
        with pytest.raises(SourceError, match="loopback"):
            HttpClient(networks(["127.0.0.1/32"])).open(url)
    with pytest.raises(SourceError, match="loopback"):
        Fetch(f"{first.url}/to")
    assert there.asked == [] and everything(HttpClient().open(f"{first.url}/to")) == b"v"


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("http://h/a b/é.ts?x=ä b", "http://h/a%20b/%C3%A9.ts?x=%C3%A4%20b"),
        ("http://h/a%20b/%c3.ts#part", "http://h/a%20b/%c3.ts"),
        ("http://bücher.example:80/a", "http://xn--bcher-kva.example:80/a"),
        ('http://h/a"<>\\^`{|}', "http://h/a%22%3C%3E%5C%5E%60%7B%7C%7D"),
        ("http://user:p%20w@h?q", "http://user:p%20w@h?q"),
    ],
)
def test_addresses_are_written_as_they_must_be(written: str, sent: str) -> None:
    assert tidy(written) == sent and tidy(sent) == sent


@given(st.text(max_size=60))
def test_a_tidy_path_is_plain_and_stays_so(path: str) -> None:
    found = tidy(f"http://h/{path}")
    assert found.isascii() and found.isprintable() and " " not in found and tidy(found) == found


def test_names_beyond_ascii_in_a_redirect(site: Site) -> None:
    there = site({"/%C3%A9%20x": b"here"})
    there.pages["/to"] = lambda a: a.say(302, b"", {"Location": "/é x".encode().decode("latin-1")})
    assert everything(HttpClient(HERE).open(f"{there.url}/to")) == b"here"


def test_headers_that_ffmpeg_passes_are_sent(site: Site) -> None:
    there = site({"/v": DATA})
    headers = request_headers({"headers": "X-A: b\r\nX-C: d:e\r\n", "user_agent": "me", "referer": "http://r/"})
    everything(HttpClient(HERE).open(f"{there.url}/v", 0, None, headers))
    sent = there.asked[0][1]
    assert [sent[name] for name in ("X-A", "X-C", "User-Agent", "Referer")] == ["b", "d:e", "me", "http://r/"]
    assert request_headers({"offset": "7"}) == {}
