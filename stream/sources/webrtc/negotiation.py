"""Accepts a part of an offer, writes it in the form that aiortc knows, and adapts the answer of aiortc to the offer.

One video section and, if there is one, one audio section are accepted. aiortc knows two profiles of H.264 by name, but
its decoder takes every one; it answers every section, and identifies sections by ``a=mid``. So it gets only the
accepted sections and codecs, all H.264 under the same name and every section with a ``mid``. In the answer each codec
has its offered parameters (RFC 6184, section 8.2.2), other sections have port 0 (RFC 9429, section 5.3.1), and there is
no ``mid`` or group that was not offered (RFC 8843, section 7.3).
"""

from dataclasses import dataclass, field
from typing import Final

from . import h264_profile
from .offer import OfferError, UnusableOfferError
from .payload import H264
from .section import DIRECTIONS, Section, sections_of

CODECS: Final = {
    "video": {"H264": 90_000, "VP8": 90_000},
    "audio": {"OPUS": 48_000, "PCMU": 8000, "PCMA": 8000, "G722": 8000},
}
RTX: Final = "RTX"
STATIC: Final = {"0": "PCMU/8000", "8": "PCMA/8000", "9": "G722/8000"}  # payload types that need no rtpmap (RFC 3551)
DYNAMIC: Final = range(96, 128)  # those that aiortc can use
AIORTC_H264: Final = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
SHARED: Final = ("ice-ufrag", "ice-pwd", "fingerprint", "setup", "rtcp-mux")  # which sections of a bundle may omit
TRANSPORT: Final = ("ice-ufrag", "ice-pwd", "ice-options", "fingerprint", "setup", "candidate")


@dataclass
class _Accepted:
    """An accepted section: its place in the offer, the codecs' payload types, and the ``fmtp`` of their answer."""

    place: int
    mid: str
    codecs: list[str]
    answered: dict[str, str] = field(default_factory=dict)


class Negotiation:
    """One offer and its answer. Raises `OfferError` if the offer lacks what WebRTC needs, `UnusableOfferError` if
    nothing in it can be received, with the reason in words. ``offer`` is for aiortc."""

    def __init__(self, offer: str) -> None:
        self._session, self._sections = sections_of(offer)
        groups = (line.split() for line in self._session.lines if line.startswith("a=group:"))
        self._bundle = next((words[1:] for words in groups if words[0] == "a=group:BUNDLE"), [])
        self._refused: dict[str, list[str]] = {"video": [], "audio": []}
        video, audio = self._first("video"), self._first("audio")
        if video is None:
            raise UnusableOfferError(self._reason())
        self._accepted = sorted(
            (section for section in (video, audio) if section is not None), key=lambda section: section.place
        )
        self._bundled = [section.mid for section in self._accepted if section.mid in self._bundle]
        self._idle = self._first_of_bundle()
        media = [line for section in self._accepted for line in self._for_aiortc(section)]
        session = [line for line in self._session.lines if not line.startswith("a=group:")]
        if self._bundled:
            session.append(f"a=group:BUNDLE {' '.join(self._bundled)}")
        self.offer = "\r\n".join([*session, *media]) + "\r\n"

    @property
    def ufrags(self) -> set[str]:
        """The names that the publisher may use for its ICE session."""
        every = (section.value("ice-ufrag") for section in (self._session, *self._sections))
        return {ufrag for ufrag in every if ufrag}

    def transport_of(self, mid: str) -> str:
        """The section whose transport carries the section ``mid``."""
        mids = [accepted.mid for accepted in self._accepted]
        return mid if mid in mids and mid not in self._bundled else (self._bundled or mids)[0]

    def answer(self, sdp: str) -> str:
        """aiortc's answer, adapted to the offer."""
        session, answered = sections_of(sdp)
        by_place = {
            accepted.place: (accepted, section) for accepted, section in zip(self._accepted, answered, strict=True)
        }
        lines = [line for line in session.lines if not line.startswith("a=group:")]
        if self._bundled:
            idle = [] if self._idle is None else [str(self._idle.value("mid"))]
            at = next((at for at, line in enumerate(lines) if line.startswith("a=")), len(lines))
            lines.insert(at, f"a=group:BUNDLE {' '.join([*idle, *self._bundled])}")
        for place, offered in enumerate(self._sections):
            if place in by_place:
                lines += _accepted_lines(offered, *by_place[place])
            elif offered is self._idle:
                carrier = next(section for accepted, section in by_place.values() if accepted.mid == self._bundled[0])
                lines += _open_lines(offered, carrier)
            else:
                lines += _rejected_lines(offered)
        return "\r\n".join(lines) + "\r\n"

    def _first(self, kind: str) -> _Accepted | None:
        """The first section of its kind with a codec that is decoded here."""
        mids = {section.value("mid") for section in self._sections}
        for place, section in enumerate(self._sections):
            if section.words[0] != kind or not self._sends(section):
                continue
            free = (f"{kind}{number}" for number in range(len(mids) + 1))
            mid = section.value("mid") or next(name for name in free if name not in mids)
            accepted = _Accepted(place, mid, [])
            self._choose(accepted, section, kind)
            if accepted.codecs:
                return accepted
        return None

    def _first_of_bundle(self) -> Section | None:
        """The section with a bundle's transport, if it is none of the accepted ones."""
        sections = [self._sections[accepted.place] for accepted in self._accepted]
        by_mid = {section.value("mid"): section for section in self._sections}
        bundle = [by_mid[mid] for mid in self._bundle if mid in by_mid]
        members = [section for section in bundle if section.words[0] in CODECS and self._is_open(section)]
        return members[0] if self._bundled and members[0] not in sections else None

    def _is_open(self, section: Section) -> bool:
        bundled = section.value("bundle-only") is not None and section.value("mid") in self._bundle
        return section.words[1] != "0" or bundled

    def _sends(self, section: Section) -> bool:
        direction = section.direction or self._session.direction or "sendrecv"
        return self._is_open(section) and direction in ("sendrecv", "sendonly")

    def _choose(self, accepted: _Accepted, section: Section, kind: str) -> None:
        """Accept the codecs of a section that are decoded here, and their retransmission; record why others are
        refused."""
        codecs, formats = STATIC | section.by_format("rtpmap"), section.by_format("fmtp")
        again: dict[str, str] = {}
        for number in section.words[3:]:
            name, _, rest = codecs.get(number, "").partition("/")
            clock = rest.partition("/")[0]
            parameters = h264_profile.parameters_of(formats.get(number, ""))
            if name.upper() == RTX:
                again[number] = parameters.get("apt", "")
            elif clock != str(CODECS[kind].get(name.upper())):
                self._refused[kind] += [name] if name else []
            elif number not in STATIC and int(number) not in DYNAMIC:
                self._refused[kind].append(f"{name} (payload type {number}; 96 to 127 are taken)")
            elif name.upper() == H264 and (reason := h264_profile.refusal(parameters)):
                self._refused[kind].append(f"{name} ({reason})")
            else:
                accepted.codecs.append(number)
                if name.upper() == H264:
                    accepted.answered[number] = h264_profile.answer_to(parameters)
        accepted.codecs += [
            number for number, apt in again.items() if apt in accepted.codecs and int(number) in DYNAMIC
        ]

    def _reason(self) -> str:
        if not any(section.words[0] == "video" and self._sends(section) for section in self._sections):
            return "the offer sends no video; it needs a video section with a=sendonly"
        listed = ", ".join(dict.fromkeys(self._refused["video"])) or "no codec"
        known = f" ({h264_profile.TAKEN})" if H264 in listed.upper() else ""
        return f"the offer's video is {listed}; this server decodes H264{known} and VP8"

    def _for_aiortc(self, accepted: _Accepted) -> list[str]:
        section = self._sections[accepted.place]
        if self._idle is not None and accepted.mid == self._bundled[0]:
            names = tuple(f"a={name}:" for name in TRANSPORT)
            transport_lines = [line for line in self._idle.lines if line.startswith(names)]
            section = Section([line for line in section.lines if not line.startswith(names)] + transport_lines)
        kind, _, protocol, *_ = section.words
        codecs, formats = STATIC | section.by_format("rtpmap"), section.by_format("fmtp")
        lines = [f"m={kind} 9 {protocol} {' '.join(accepted.codecs)}", f"a=mid:{accepted.mid}"]
        lines += [f"a=rtpmap:{number} {codecs[number]}" for number in accepted.codecs]
        for number in accepted.codecs:  # other codecs' parameters mean nothing to it
            apt = h264_profile.parameters_of(formats.get(number, "")).get("apt")
            if number in accepted.answered:
                lines.append(f"a=fmtp:{number} {AIORTC_H264}")
            elif apt is not None and codecs[number].upper().startswith(RTX):
                lines.append(f"a=fmtp:{number} apt={apt}")
        lines.append(f"a={section.direction or self._session.direction or 'sendrecv'}")
        replaced = ("a=mid:", "a=rtpmap:", "a=fmtp:", "a=bundle-only", *(f"a={direction}" for direction in DIRECTIONS))
        for line in section.lines[1:]:
            of_format = line.startswith("a=rtcp-fb:") and line[10:].partition(" ")[0] not in (*accepted.codecs, "*")
            if not line.startswith(replaced) and not of_format:
                lines.append(line)
        return lines + self._missing_lines(accepted, section)

    def _missing_lines(self, accepted: _Accepted, section: Section) -> list[str]:
        """Lines that a section of a bundle needs and only another section has."""
        missing: list[str] = []
        bundle = [other for other in self._sections if other.value("mid") in self._bundle]
        for name in SHARED:
            if section.value(name) is None and self._session.value(name) is None and accepted.mid in self._bundle:
                source = next((other for other in bundle if other.value(name) is not None), None)
                if source is not None:
                    missing += [line for line in source.lines if line.partition(":")[0] == f"a={name}"]
                    missing += [
                        line for line in source.lines if name == "ice-ufrag" and line.startswith("a=candidate:")
                    ]
        complete = Section([*self._session.lines, *section.lines, *missing])
        kind = section.words[0]
        if not complete.value("ice-ufrag") or not complete.value("ice-pwd"):
            raise OfferError(f"the {kind} section has no ICE credentials (a=ice-ufrag, a=ice-pwd)")
        if not complete.value("fingerprint") or not complete.value("setup"):
            raise OfferError(f"the {kind} section has no DTLS fingerprint or role (a=fingerprint, a=setup)")
        if complete.value("rtcp-mux") is None:
            raise UnusableOfferError(f"the {kind} section has no a=rtcp-mux: RTP and RTCP share a port here")
        return missing


def _accepted_lines(offered: Section, accepted: _Accepted, answered: Section) -> list[str]:
    kind, port, _, *formats = answered.words
    lines = [f"m={kind} {port} {offered.words[2]} {' '.join(formats)}"]
    for line in answered.lines[1:]:
        name, _, value = line.partition(":")
        number = value.partition(" ")[0]
        if name == "a=mid" and not offered.value("mid"):
            continue
        if name == "a=fmtp" and number in accepted.answered:
            lines += [f"a=fmtp:{number} {accepted.answered[number]}"] if accepted.answered[number] else []
            continue
        lines.append(line)
    return lines


def _open_lines(offered: Section, carrier: Section) -> list[str]:
    """A section with the transport of its bundle, taken from aiortc's section ``carrier``, but without media."""
    kind, _, protocol, *formats = offered.words
    number = formats[0]
    lines = [f"m={kind} {carrier.words[1]} {protocol} {number}", "a=inactive", f"a=mid:{offered.value('mid')}"]
    for name in ("rtpmap", "fmtp"):
        lines += [f"a={name}:{number} {value}"] if (value := offered.by_format(name).get(number)) else []
    names = ("c=", "a=rtcp", *(f"a={name}:" for name in TRANSPORT))
    return lines + [line for line in carrier.lines[1:] if line.startswith(names) and not line.startswith("a=rtcp-fb")]


def _rejected_lines(offered: Section) -> list[str]:
    kind, _, protocol, *formats = offered.words
    lines = [f"m={kind} 0 {protocol} {' '.join(formats)}", "c=IN IP4 0.0.0.0"]
    lines += [f"a=mid:{mid}"] if (mid := offered.value("mid")) else []
    return [*lines, "a=inactive"] if kind in CODECS else lines
