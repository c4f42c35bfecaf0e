"""Addresses to listen on: what they say, and which are refused with a cure."""

import pytest

from stream.errors import SourceError
from stream.sources.listen.address import listens, parsed


def test_an_address_gives_key_label_and_what_ffmpeg_gets() -> None:
    srt = parsed("SRT://localhost:9001?passphrase=0123456789ab&latency=50000")
    assert (srt.scheme, srt.host, srt.port, srt.key, srt.label) == (
        "srt",
        "127.0.0.1",
        9001,
        "listen-9001",
        "SRT :9001",
    )
    assert srt.text == "srt://127.0.0.1:9001" and parsed(srt.url) == srt
    query = srt.srt_url.partition("?")[2].split("&")
    assert set(query) == {"timeout=15000000", "latency=50000", "passphrase=0123456789ab", "mode=listener"}
    assert srt.guarded and srt.loopback
    assert parsed("rtmp://127.0.0.1").url == "rtmp://127.0.0.1:1935/live"
    assert parsed("rtmp://[::1]:5/live/x?listen=1").url == "rtmp://[::1]:5/live/x"
    assert parsed("udp://127.0.0.1:9000?pkt_size=1316").url == "udp://127.0.0.1:9000"
    assert not parsed("udp://:9000").loopback and not parsed("srt://0.0.0.0:9").guarded


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://127.0.0.1:80", "http: is not listened on"),
        ("9001", "no scheme"),
        ("srt://127.0.0.1", "names no port"),
        ("srt://127.0.0.1:70000", "cannot be read"),
        ("srt://studio.example:9001", "is no IP address of this machine"),
        ("udp://239.1.2.3:9000", "multicast is not taken"),
        ("udp://127.0.0.1:9000?sources=10.0.0.1", "sources is not taken"),
        ("rtmp://u:p@127.0.0.1/live", "protects nothing here"),
        ("srt://127.0.0.1:9001?mode=caller", "here Segue listens"),
        ("srt://127.0.0.1:9001?passphrase=short", "10 to 79 characters"),
        ("srt://127.0.0.1:9001\nfile 'x'", "characters that none has"),
        ("srt://127.0.0.1:9001?" + "x" * 3000, "too long"),
    ],
)
def test_what_cannot_be_listened_on_is_refused_with_a_cure(text: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        parsed(text)


def test_a_source_of_watch_listens_only_where_it_says_so() -> None:
    assert (
        listens("udp://127.0.0.1:9000") and listens("srt://:9001?mode=listener") and listens("rtmp://h/x?a=b&listen=1")
    )
    assert not any(
        map(listens, ["srt://h:9001", "srt://h:9001?mode=caller", "rtmp://h/live", "http://h/?listen=1", "v.ts"])
    )
