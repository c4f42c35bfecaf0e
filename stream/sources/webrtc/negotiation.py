"""What of an offer is taken, told to aiortc in the one form that it knows, and its answer made to fit the offer again.

Taken are one video section and, if there is one, one audio section. aiortc knows two profiles of H.264 by name, though
its decoder takes every one; answers every section; and tells sections apart by ``a=mid``. So it is given just the
sections and codecs that are taken, all H.264 under the same name and every section with a ``mid``. In the answer each
codec has the parameters that it was offered with (RFC 6184, section 8.2.2), sections that are not taken have port 0
(RFC 9429, section 5.3.1), and neither ``mid`` nor group is there that was not offered (RFC 8843, section 7.3).
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
DYNAMIC: Final = range(96, 128)  # those that aiortc can be told to use
AIORTC_H264: Final = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
SHARED: Final = ("ice-ufrag", "ice-pwd", "fingerprint", "setup", "rtcp-mux")  # what a bundle's sections may leave out
TRANSPORT: Final = ("ice-ufrag", "ice-pwd", "ice-options", "fingerprint", "setup", "candidate")


@dataclass
class _Taken:
    """A section that is taken: the place in the offer, the codecs' payload types, and the ``fmtp`` of their answer."""

    place: int
    mid: str
    codecs: list[str]
    answered: dict[str, str] = field(default_factory=dict)


class Negotiation:
    """Raises `OfferError` where the offer lacks what WebRTC needs, `UnusableOfferError` where nothing of it can be
    received, with the reason in words. ``offer`` is for aiortc."""

    def __init__(self, offer: str) -> None:
        self._session, self._sections = sections_of(offer)
        groups = (line.split() for line in self._session.lines if line.startswith("a=group:"))
        self._bundle = next((words[1:] for words in groups if words[0] == "a=group:BUNDLE"), [])
        self._refused: dict[str, list[str]] = {"video": [], "audio": []}
        video, audio = self._first("video"), self._first("audio")
        if video is None:
            raise UnusableOfferError(self._why())
        self._taken = sorted((one for one in (video, audio) if one is not None), key=lambda one: one.place)
        self._bundled = [one.mid for one in self._taken if one.mid in self._bundle]
        self._idle = self._first_of_bundle()
        media = [line for one in self._taken for line in self._for_aiortc(one)]
        session = [line for line in self._session.lines if not line.startswith("a=group:")]
        if self._bundled:
            session.append(f"a=group:BUNDLE {' '.join(self._bundled)}")
        self.offer = "\r\n".join([*session, *media]) + "\r\n"

    @property
    def ufrags(self) -> set[str]:
        """By which the publisher may call its ICE session."""
        every = (section.value("ice-ufrag") for section in (self._session, *self._sections))
        return {ufrag for ufrag in every if ufrag}

    def transport_of(self, mid: str) -> str:
        """The section whose transport carries the section ``mid``."""
        taken = [one.mid for one in self._taken]
        return mid if mid in taken and mid not in self._bundled else (self._bundled or taken)[0]

    def answer(self, sdp: str) -> str:
        """aiortc's answer as it fits the offer."""
        session, answered = sections_of(sdp)
        taken = {one.place: (one, section) for one, section in zip(self._taken, answered, strict=True)}
        lines = [line for line in session.lines if not line.startswith("a=group:")]
        if self._bundled:
            idle = [] if self._idle is None else [str(self._idle.value("mid"))]
            at = next((at for at, line in enumerate(lines) if line.startswith("a=")), len(lines))
            lines.insert(at, f"a=group:BUNDLE {' '.join([*idle, *self._bundled])}")
        for place, offered in enumerate(self._sections):
            if place in taken:
                lines += _accepted(offered, *taken[place])
            elif offered is self._idle:
                carrier = next(section for one, section in taken.values() if one.mid == self._bundled[0])
                lines += _kept_open(offered, carrier)
            else:
                lines += _rejected(offered)
        return "\r\n".join(lines) + "\r\n"

    def _first(self, kind: str) -> _Taken | None:
        """The first section of its kind that sends something that is decoded here."""
        named = {section.value("mid") for section in self._sections}
        for place, section in enumerate(self._sections):
            if section.words[0] != kind or not self._sends(section):
                continue
            free = (f"{kind}{number}" for number in range(len(named) + 1))
            mid = section.value("mid") or next(one for one in free if one not in named)
            taken = _Taken(place, mid, [])
            self._choose(taken, section, kind)
            if taken.codecs:
                return taken
        return None

    def _first_of_bundle(self) -> Section | None:
        """The section that a bundle's transport is told by, where it is none of those taken."""
        taken = [self._sections[one.place] for one in self._taken]
        named = {section.value("mid"): section for section in self._sections}
        bundle = [named[mid] for mid in self._bundle if mid in named]
        members = [section for section in bundle if section.words[0] in CODECS and self._is_open(section)]
        return members[0] if self._bundled and members[0] not in taken else None

    def _is_open(self, section: Section) -> bool:
        bundled = section.value("bundle-only") is not None and section.value("mid") in self._bundle
        return section.words[1] != "0" or bundled

    def _sends(self, section: Section) -> bool:
        direction = section.direction or self._session.direction or "sendrecv"
        return self._is_open(section) and direction in ("sendrecv", "sendonly")

    def _choose(self, taken: _Taken, section: Section, kind: str) -> None:
        """The codecs of a section that are decoded here, and retransmission for them; why the others are not."""
        named, told = STATIC | section.by_format("rtpmap"), section.by_format("fmtp")
        again: dict[str, str] = {}
        for number in section.words[3:]:
            name, _, rest = named.get(number, "").partition("/")
            clock = rest.partition("/")[0]
            parameters = h264_profile.parameters_of(told.get(number, ""))
            if name.upper() == RTX:
                again[number] = parameters.get("apt", "")
            elif clock != str(CODECS[kind].get(name.upper())):
                self._refused[kind] += [name] if name else []
            elif number not in STATIC and int(number) not in DYNAMIC:
                self._refused[kind].append(f"{name} (payload type {number}; 96 to 127 are taken)")
            elif name.upper() == H264 and (reason := h264_profile.refusal(parameters)):
                self._refused[kind].append(f"{name} ({reason})")
            else:
                taken.codecs.append(number)
                if name.upper() == H264:
                    taken.answered[number] = h264_profile.answer_to(parameters)
        taken.codecs += [number for number, apt in again.items() if apt in taken.codecs and int(number) in DYNAMIC]

    def _why(self) -> str:
        if not any(section.words[0] == "video" and self._sends(section) for section in self._sections):
            return "the offer sends no video; it needs a video section with a=sendonly"
        listed = ", ".join(dict.fromkeys(self._refused["video"])) or "no codec"
        known = f" ({h264_profile.TAKEN})" if H264 in listed.upper() else ""
        return f"the offer's video is {listed}; this server decodes H264{known} and VP8"

    def _for_aiortc(self, one: _Taken) -> list[str]:
        section = self._sections[one.place]
        if self._idle is not None and one.mid == self._bundled[0]:
            names = tuple(f"a={name}:" for name in TRANSPORT)
            told_there = [line for line in self._idle.lines if line.startswith(names)]
            section = Section([line for line in section.lines if not line.startswith(names)] + told_there)
        kind, _, protocol, *_ = section.words
        named, told = STATIC | section.by_format("rtpmap"), section.by_format("fmtp")
        lines = [f"m={kind} 9 {protocol} {' '.join(one.codecs)}", f"a=mid:{one.mid}"]
        lines += [f"a=rtpmap:{number} {named[number]}" for number in one.codecs]
        for number in one.codecs:  # other codecs' parameters mean nothing to it
            apt = h264_profile.parameters_of(told.get(number, "")).get("apt")
            if number in one.answered:
                lines.append(f"a=fmtp:{number} {AIORTC_H264}")
            elif apt is not None and named[number].upper().startswith(RTX):
                lines.append(f"a=fmtp:{number} apt={apt}")
        lines.append(f"a={section.direction or self._session.direction or 'sendrecv'}")
        replaced = ("a=mid:", "a=rtpmap:", "a=fmtp:", "a=bundle-only", *(f"a={one}" for one in DIRECTIONS))
        for line in section.lines[1:]:
            of_format = line.startswith("a=rtcp-fb:") and line[10:].partition(" ")[0] not in (*one.codecs, "*")
            if not line.startswith(replaced) and not of_format:
                lines.append(line)
        return lines + self._left_out(one, section)

    def _left_out(self, one: _Taken, section: Section) -> list[str]:
        """What a section of a bundle needs and only another one of it tells."""
        found: list[str] = []
        bundle = [other for other in self._sections if other.value("mid") in self._bundle]
        for name in SHARED:
            if section.value(name) is None and self._session.value(name) is None and one.mid in self._bundle:
                teller = next((other for other in bundle if other.value(name) is not None), None)
                if teller is not None:
                    found += [line for line in teller.lines if line.partition(":")[0] == f"a={name}"]
                    found += [line for line in teller.lines if name == "ice-ufrag" and line.startswith("a=candidate:")]
        told = Section([*self._session.lines, *section.lines, *found])
        kind = section.words[0]
        if not told.value("ice-ufrag") or not told.value("ice-pwd"):
            raise OfferError(f"the {kind} section has no ICE credentials (a=ice-ufrag, a=ice-pwd)")
        if not told.value("fingerprint") or not told.value("setup"):
            raise OfferError(f"the {kind} section has no DTLS fingerprint or role (a=fingerprint, a=setup)")
        if told.value("rtcp-mux") is None:
            raise UnusableOfferError(f"the {kind} section has no a=rtcp-mux: RTP and RTCP share a port here")
        return found


def _accepted(offered: Section, one: _Taken, answered: Section) -> list[str]:
    kind, port, _, *formats = answered.words
    lines = [f"m={kind} {port} {offered.words[2]} {' '.join(formats)}"]
    for line in answered.lines[1:]:
        name, _, value = line.partition(":")
        number = value.partition(" ")[0]
        if name == "a=mid" and not offered.value("mid"):
            continue
        if name == "a=fmtp" and number in one.answered:
            lines += [f"a=fmtp:{number} {one.answered[number]}"] if one.answered[number] else []
            continue
        lines.append(line)
    return lines


def _kept_open(offered: Section, carrier: Section) -> list[str]:
    """With the transport of the section of aiortc's that carries its bundle, and nothing sent in it."""
    kind, _, protocol, *formats = offered.words
    number = formats[0]
    lines = [f"m={kind} {carrier.words[1]} {protocol} {number}", "a=inactive", f"a=mid:{offered.value('mid')}"]
    for name in ("rtpmap", "fmtp"):
        lines += [f"a={name}:{number} {told}"] if (told := offered.by_format(name).get(number)) else []
    names = ("c=", "a=rtcp", *(f"a={name}:" for name in TRANSPORT))
    return lines + [line for line in carrier.lines[1:] if line.startswith(names) and not line.startswith("a=rtcp-fb")]


def _rejected(offered: Section) -> list[str]:
    kind, _, protocol, *formats = offered.words
    lines = [f"m={kind} 0 {protocol} {' '.join(formats)}", "c=IN IP4 0.0.0.0"]
    lines += [f"a=mid:{mid}"] if (mid := offered.value("mid")) else []
    return [*lines, "a=inactive"] if kind in CODECS else lines
