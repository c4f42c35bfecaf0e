"""Offers in every shape that publishers have, answered by a real peer; what the answer says, and that it fits."""

import asyncio
import re
from collections.abc import Callable
from fractions import Fraction
from random import Random
from typing import Any

import av
import numpy as np
import pytest
from aiortc.sdp import SessionDescription
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.faults import mutate
from features.decode.picture import Scaler
from stream.sources.webrtc.h264_profile import answer_to, parameters_of, refusal
from stream.sources.webrtc.negotiation import Negotiation
from stream.sources.webrtc.offer import OfferError, UnusableOfferError, checked_offer
from stream.sources.webrtc.peer import PeerOptions, WebRtcPeer
from stream.sources.webrtc.section import sections_of

FINGERPRINT = "a=fingerprint:sha-256 " + ":".join(["AB"] * 32)
TRANSPORT = ["a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuvwx", FINGERPRINT, "a=setup:actpass"]
MAIN = "profile-level-id=4d401f;packetization-mode=1;level-asymmetry-allowed=1"


def section(kind: str, codecs: dict[int, str], mid: str | None, *more: str, **words: Any) -> list[str]:
    """``codecs``: payload type -> name/clock, and after a blank its fmtp."""
    lines = [f"m={kind} {words.get('port', 9)} UDP/TLS/RTP/SAVPF {' '.join(map(str, codecs))}", "c=IN IP4 0.0.0.0"]
    lines += words.get("transport", TRANSPORT)
    lines += [f"a=mid:{mid}"] if mid is not None else []
    lines += [f"a={words.get('direction', 'sendonly')}", "a=rtcp-mux"]
    for number, told in codecs.items():
        name, _, fmtp = told.partition(" ")
        lines += [f"a=rtpmap:{number} {name}"] if name else []
        lines += [f"a=fmtp:{number} {fmtp}"] if fmtp else []
    return [*lines, *more]


def video(fmtp: str = "", mid: str | None = "0", number: int = 106, **words: Any) -> list[str]:
    return section("video", {number: f"H264/90000 {fmtp}".strip()}, mid, **words)


def audio(mid: str | None = "1", **words: Any) -> list[str]:
    return section("audio", {111: "opus/48000/2 minptime=10; useinbandfec=1"}, mid, **words)


def data(mid: str | None = "2") -> list[str]:
    lines = ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0", *TRANSPORT, "a=sctp-port:5000"]
    return lines + ([f"a=mid:{mid}"] if mid is not None else [])


def offered(*sections: list[str], bundle: str | None = None, session: tuple[str, ...] = ()) -> str:
    group = [f"a=group:BUNDLE {bundle}"] if bundle is not None else []
    lines = ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", *group, *session]
    return "\r\n".join([*lines, *(line for lines in sections for line in lines), ""])


def answered(offer: str) -> str:
    async def scene() -> str:
        peer = WebRtcPeer(PeerOptions())
        try:
            return await peer.answer(offer)
        finally:
            await peer.close()

    return asyncio.run(scene())


def fmtp_of(answer: str, place: int = 0) -> dict[str, str]:
    return sections_of(answer)[1][place].by_format("fmtp")


def fits(offer: str, answer: str) -> None:
    """What RFC 3264, 8843 and 9429 ask of any answer."""
    assert SessionDescription.parse(answer)
    (session, ours), (_, theirs) = sections_of(answer), sections_of(offer)
    groups = [line for line in session.lines if line.startswith("a=group:BUNDLE")]
    assert len(groups) <= offer.count("a=group:BUNDLE")
    bundled = groups[0].split()[1:] if groups else []
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.words[0] == other.words[0] and mine.words[2] == other.words[2]
        assert mine.value("mid") == other.value("mid")
        assert set(mine.words[3:]) <= set(other.words[3:])
        if mine.words[1] == "0":
            assert mine.value("mid") not in bundled
        else:
            assert mine.direction in ("recvonly", "inactive") and mine.value("setup") in ("active", "passive")
            assert mine.value("rtcp-mux") == "" and mine.value("ice-ufrag") and mine.value("fingerprint")
    assert all(mid in offer.partition("a=group:BUNDLE")[2].split("\r\n")[0].split() for mid in bundled)


PROFILES = {
    "Baseline": "42001f",
    "constrained Baseline": "42e01f",
    "Main": "4d001f",
    "Main, as OBS": "4d0028",
    "High": "64001f",
    "High of a small picture": "64000c",
    "constrained High": "640c1f",
    "upper case": "4D401F",
    "High 10": "6e001f",
    "High 4:2:2": "7a001f",
    "High 4:4:4": "f4001f",
    "Extended that is Baseline": "58a01f",
    "a level that nobody knows": "42e0ff",
}


@pytest.mark.parametrize("mode", ["0", "1"])
@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_is_answered_with_itself(profile: str, mode: str) -> None:
    fmtp = f"level-asymmetry-allowed=1;packetization-mode={mode};profile-level-id={PROFILES[profile]}"
    offer = offered(video(fmtp), bundle="0")
    answer = answered(offer)
    fits(offer, answer)
    assert fmtp_of(answer) == {"106": fmtp}


SHAPES: dict[str, tuple[str, str]] = {
    "no fmtp": ("", ""),
    "no profile": ("packetization-mode=1", "packetization-mode=1"),
    "no mode": ("profile-level-id=64001f", "profile-level-id=64001f"),
    "blanks": (
        "profile-level-id=4d401f; packetization-mode=1 ;  level-asymmetry-allowed=1",
        "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d401f",
    ),
    "case": ("Packetization-Mode=1;PROFILE-LEVEL-ID=640C1F", "packetization-mode=1;profile-level-id=640C1F"),
    "more": (
        "profile-level-id=42e01f;sprop-parameter-sets=Z0IAH5Y1QKALdNwEBAQI,aM48gA==;max-fs=8160",
        "profile-level-id=42e01f",
    ),
    "ends": (";packetization-mode=1;", "packetization-mode=1"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_parameters_in_any_shape_are_read(shape: str) -> None:
    told, expected = SHAPES[shape]
    offer = offered(video(told), bundle="0")
    answer = answered(offer)
    fits(offer, answer)
    assert fmtp_of(answer) == ({"106": expected} if expected else {})


REFUSED: dict[str, tuple[dict[int, str], str]] = {
    "interleaved": ({96: "H264/90000 packetization-mode=2"}, r"H264 \(packetization-mode=2\)"),
    "Extended": ({96: "H264/90000 profile-level-id=58001f"}, r"H264 \(profile-level-id=58001f: Extended\)"),
    "unknown profile": ({96: "H264/90000 profile-level-id=ff001f"}, "profile 255"),
    "malformed profile": ({96: "H264/90000 profile-level-id=main"}, "main, which is not six hexadecimal digits"),
    "long profile": ({96: "H264/90000 profile-level-id=42e01f00"}, "not six hexadecimal digits"),
    "malformed mode": ({96: "H264/90000 packetization-mode=one"}, "packetization-mode=one"),
    "other codecs": ({45: "AV1/90000", 98: "VP9/90000", 99: "H265/90000"}, "AV1, VP9, H265; this server decodes H264"),
    "only a helper": ({96: "red/90000", 97: "ulpfec/90000"}, "red, ulpfec; this server decodes H264 and VP8"),
    "only retransmission": ({97: "rtx/90000 apt=96"}, "no codec"),
    "clock": ({96: "VP8/48000"}, "VP8; "),
    "number": ({45: "H264/90000"}, "payload type 45; 96 to 127 are taken"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_received_is_refused_in_words(name: str) -> None:
    codecs, words = REFUSED[name]
    with pytest.raises(UnusableOfferError, match=words) as caught:
        answered(offered(section("video", codecs, "0"), bundle="0"))
    assert "this server decodes H264" in str(caught.value)
    if "H264/" in str(codecs):
        assert "Baseline, Main and High, packetization-mode 0 or 1" in str(caught.value)


def test_of_many_payload_types_all_that_can_be_decoded_are_answered_in_the_publishers_order() -> None:
    codecs = {
        107: f"H264/90000 {MAIN}",
        108: "rtx/90000 apt=107",
        96: "VP8/90000",
        97: "rtx/90000 apt=96",
        109: "h264/90000 packetization-mode=0;profile-level-id=42001f",
        45: "AV1/90000",
        46: "rtx/90000 apt=45",
        110: "H264/90000 packetization-mode=2;profile-level-id=42001f",
        111: "rtx/90000 apt=110",
        112: "red/90000",
        113: "ulpfec/90000",
        114: "flexfec-03/90000 repair-window=10000000",
    }
    feedback = [f"a=rtcp-fb:{number} nack pli" for number in codecs]
    offer = offered(section("video", codecs, "0", *feedback), bundle="0")
    answer = answered(offer)
    fits(offer, answer)
    (ours,) = sections_of(answer)[1]
    assert [number for number in ours.words[3:] if number not in ("97", "108")] == ["107", "96", "109"]
    assert {"97", "108"} < set(ours.words[3:]) and len(ours.words[3:]) == 5
    told = {number: parameters_of(fmtp) for number, fmtp in fmtp_of(answer).items()}
    assert told["107"] == parameters_of(MAIN)
    assert told["109"] == {"packetization-mode": "0", "profile-level-id": "42001f"}
    assert told["97"] == {"apt": "96"} and "96" not in told


def answer_of(*sections: list[str], **words: Any) -> tuple[str, list[str]]:
    """The answer, and the port of each section: "0" or not."""
    offer = offered(*sections, **words)
    answer = answered(offer)
    fits(offer, answer)
    return answer, ["0" if one.words[1] == "0" else "open" for one in sections_of(answer)[1]]


def test_without_mids_the_answer_has_neither_mids_nor_a_bundle() -> None:
    answer, ports = answer_of(audio(None), video(MAIN, None))
    assert ports == ["open", "open"] and "a=mid" not in answer and "BUNDLE" not in answer
    ufrags = {one.value("ice-ufrag") for one in sections_of(answer)[1]}
    assert len({one.words[1] for one in sections_of(answer)[1]}) == 2 and len(ufrags) >= 1, "a transport each"


def test_mids_without_a_bundle_are_not_bundled_by_the_answer() -> None:
    answer, ports = answer_of(audio(), video(MAIN))
    assert ports == ["open", "open"] and "BUNDLE" not in answer
    assert len({one.words[1] for one in sections_of(answer)[1]}) == 2


def test_a_bundle_is_answered_as_one() -> None:
    answer, ports = answer_of(audio("a"), video(MAIN, "v"), bundle="a v")
    assert ports == ["open", "open"] and "a=group:BUNDLE a v\r\n" in answer
    assert len({one.words[1] for one in sections_of(answer)[1]}) == 1


@pytest.mark.parametrize("order", ["0 1 2", "2 0 1", "1 2 0"])
def test_a_data_channel_is_refused_and_the_rest_taken(order: str) -> None:
    named = {"0": video(MAIN, "0"), "1": audio("1"), "2": data("2")}
    answer, ports = answer_of(*(named[mid] for mid in order.split()), bundle=order)
    assert ports == ["0" if mid == "2" else "open" for mid in order.split()]
    assert "sctp" not in answer.replace("UDP/DTLS/SCTP", "")
    assert f"a=group:BUNDLE {order.replace('2', '').replace('  ', ' ').strip()}\r\n" in answer


def test_nothing_of_sctp_is_opened() -> None:
    async def scene() -> Any:
        peer = WebRtcPeer(PeerOptions())
        await peer.answer(offered(video(MAIN), data(), bundle="0 2"))
        sctp = peer._connection.sctp
        await peer.close()
        return sctp

    assert asyncio.run(scene()) is None


NOT_TAKEN: dict[str, list[str]] = {
    "sound of an unknown codec": section("audio", {63: "red/48000/2", 110: "telephone-event/48000"}, "1"),
    "sound that is received": audio(direction="recvonly"),
    "sound that is off": audio(direction="inactive"),
    "rejected sound": audio(port=0),
    "a second video": video(MAIN, "1"),
    "rejected video": video(MAIN, "1", port=0),
    "text": section("text", {98: "t140/1000"}, "1"),
    "video that is received": video(MAIN, "1", direction="recvonly"),
}


@pytest.mark.parametrize("name", NOT_TAKEN)
@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_sections_that_are_not_taken_have_port_0(name: str, first: bool) -> None:
    """But for the first one of a bundle, if the publisher did not reject it itself: it tells the transport of all."""
    other, taken = (
        NOT_TAKEN[name],
        video(MAIN, "0", transport=[line.replace("ufrag:abcd", "ufrag:other") for line in TRANSPORT]),
    )
    if first and name == "a second video":
        first = False
    answer, ports = answer_of(*([other, taken] if first else [taken, other]), bundle="1 0" if first else "0 1")
    idle = first and not name.startswith("rejected") and name != "text"
    assert ports == (["open" if idle else "0", "open"] if first else ["open", "0"])
    assert f"a=group:BUNDLE {'1 0' if idle else '0'}\r\n" in answer
    _, ours = sections_of(answer)
    assert ours[int(first)].direction == "recvonly" and ours[1 - int(first)].direction in ("inactive", None)
    if idle:
        assert [one.words[1] for one in ours] == 2 * [ours[0].words[1]]
        for attribute in ("ice-ufrag", "ice-pwd", "fingerprint", "setup", "candidate", "rtcp-mux"):
            assert ours[0].value(attribute) == ours[1].value(attribute) is not None
    for_aiortc = Negotiation(checked_offer(offered(other, taken, bundle="1 0"))).offer if idle else ""
    assert not idle or ("a=ice-ufrag:abcd" in for_aiortc and "other" not in for_aiortc)


def test_without_a_bundle_every_section_that_is_not_taken_has_port_0() -> None:
    _, ports = answer_of(NOT_TAKEN["sound that is received"], video(MAIN))
    assert ports == ["0", "open"]


def test_a_static_payload_type_needs_no_name() -> None:
    answer, ports = answer_of(video(MAIN), section("audio", {0: "", 8: ""}, "1"), bundle="0 1")
    assert ports == ["open", "open"] and sections_of(answer)[1][1].words[3:] == ["0", "8"]


def test_a_section_that_is_bundled_only_is_open_and_leaves_out_what_the_bundle_tells() -> None:
    bundled = [line for line in video(MAIN, "0", port=0, transport=[]) if line != "a=rtcp-mux"] + ["a=bundle-only"]
    _, ports = answer_of(audio("1"), bundled, bundle="1 0")
    assert ports == ["open", "open"]


@pytest.mark.parametrize("held", [["ice"], ["fingerprint"], ["setup"], ["ice", "fingerprint", "setup"]])
def test_attributes_of_the_whole_session_are_taken(held: list[str]) -> None:
    session = tuple(line for line in TRANSPORT if line[2:].startswith(tuple(held)))
    rest = [line for line in TRANSPORT if line not in session]
    _, ports = answer_of(video(MAIN, transport=rest), bundle="0", session=session)
    assert ports == ["open"]


def test_a_direction_may_be_the_sessions_or_none() -> None:
    lines = [line for line in video(MAIN) if line != "a=sendonly"]
    for session in ((), ("a=sendonly",)):
        _, ports = answer_of(lines, bundle="0", session=session)
        assert ports == ["open"]
    with pytest.raises(UnusableOfferError, match="sends no video"):
        answered(offered(lines, bundle="0", session=("a=recvonly",)))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda lines: [line for line in lines if "ice-pwd" not in line], "video section has no ICE credentials"),
        (lambda lines: [line for line in lines if "a=setup" not in line], "no DTLS fingerprint or role"),
        (lambda lines: [line for line in lines if "fingerprint" not in line], "no DTLS fingerprint"),
        (lambda lines: [line for line in lines if "rtcp-mux" not in line], "no a=rtcp-mux"),
        (lambda lines: [line.replace("sendonly", "recvonly") for line in lines], "sends no video"),
        (lambda lines: [line.replace("sendonly", "inactive") for line in lines], "sends no video"),
        (lambda lines: [line.replace("m=video 9", "m=video 0") for line in lines], "sends no video"),
    ],
)
def test_what_is_missing_is_named(damage: Callable[[list[str]], list[str]], says: str) -> None:
    with pytest.raises(OfferError, match=says):
        answered(offered(damage(video(MAIN)), bundle="0"))


def test_candidates_that_come_later_find_their_transport() -> None:
    both = Negotiation(checked_offer(offered(data(), video(MAIN), audio(), bundle="2 0 1")))
    assert [both.transport_of(mid) for mid in ("2", "0", "1")] == ["0", "0", "0"]
    apart = Negotiation(checked_offer(offered(audio(), video(MAIN))))
    assert [apart.transport_of(mid) for mid in ("1", "0", "7")] == ["1", "0", "1"]


@given(st.lists(st.sampled_from(["audio", "video", "data", "noise"]), min_size=1, max_size=6), st.data())
@settings(max_examples=60, deadline=None)
def test_any_row_of_sections_is_answered_to_its_form(kinds: list[str], drawn: st.DataObject) -> None:
    named = drawn.draw(st.booleans())
    made = {
        "audio": lambda mid: audio(mid),
        "video": lambda mid: video(drawn.draw(st.sampled_from([MAIN, "", "packetization-mode=2"])), mid),
        "data": lambda mid: data(mid),
        "noise": lambda mid: section("audio", {110: "L16/44100"}, mid),
    }
    sections = [made[kind](str(place) if named else None) for place, kind in enumerate(kinds)]
    bundle = " ".join(str(place) for place in range(len(kinds)) if drawn.draw(st.booleans())) if named else ""
    offer = offered(*sections, bundle=bundle or None)
    try:
        negotiation = Negotiation(checked_offer(offer))
    except UnusableOfferError as error:
        assert re.search("sends no video|the offer's video is", str(error))
        return
    fits(offer, answered(offer))
    assert SessionDescription.parse(negotiation.offer)


@given(st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_damaged_offers_are_negotiated_or_refused_in_words(seed: int) -> None:
    whole = [
        offered(audio(), video(MAIN), data(), bundle="1 0 2"),
        offered(video("", None), audio(None)),
        offered(audio("1", direction="recvonly"), video(MAIN, "0", port=0), bundle="1 0", session=tuple(TRANSPORT)),
    ]
    text = mutate.offer(Random(seed), whole).decode("utf-8", "replace")
    try:
        negotiation = Negotiation(checked_offer(text))
    except OfferError as error:
        assert str(error)
        return
    assert SessionDescription.parse(negotiation.offer)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_parameters_are_read_and_answered_with_some_of_them(text: str) -> None:
    parameters = parameters_of(text)
    assert isinstance(refusal(parameters), str)
    assert set(parameters_of(answer_to(parameters))) <= set(parameters)


@pytest.mark.parametrize(
    ("profile", "pixels"),
    [
        ("main", "yuv420p"),
        ("high", "yuv420p"),
        ("high10", "yuv420p10le"),
        ("high422", "yuv422p"),
        ("high444", "yuv444p"),
    ],
)
def test_what_is_taken_is_decoded(profile: str, pixels: str) -> None:
    encoder, decoder = av.CodecContext.create("libx264", "w"), av.CodecContext.create("h264", "r")
    encoder.width, encoder.height, encoder.pix_fmt = 320, 180, pixels
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    encoder.options = {"profile": profile, "preset": "veryfast"}
    out: list[av.VideoFrame] = []
    for number in (*range(20), None):
        frame = None
        if number is not None:
            picture = np.full((180, 320, 3), 10 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = number, Fraction(1, 25)
        for packet in encoder.encode(frame):
            out += decoder.decode(packet)
    out += decoder.decode(None)
    assert [frame.pts for frame in out] == list(range(20)) and out[0].format.name == pixels
    scaler = Scaler()
    for frame in out:
        assert scaler.canonical(frame).shape == (90, 160, 3)
