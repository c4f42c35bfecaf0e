"""An SDP's session part and its media sections, as lines (RFC 8866)."""

from dataclasses import dataclass
from typing import Final

DIRECTIONS: Final = ("sendrecv", "sendonly", "recvonly", "inactive")


@dataclass
class Section:
    """The lines of a media section, its m= line first; or of the session part."""

    lines: list[str]

    @property
    def words(self) -> list[str]:
        """The words of the m= line: kind, port, protocol, formats."""
        return self.lines[0][2:].split()

    def value(self, name: str) -> str | None:
        """The value of the first attribute of that name; empty for a flag, None if there is none."""
        for line in self.lines:
            attribute, _, value = line.partition(":")
            if attribute == f"a={name}":
                return value.strip()
        return None

    def by_format(self, name: str) -> dict[str, str]:
        """The attributes of that name by the payload type that they begin with."""
        start = f"a={name}:"
        values = (line.removeprefix(start).partition(" ") for line in self.lines if line.startswith(start))
        return {number: rest.strip() for number, _, rest in values}

    @property
    def direction(self) -> str | None:
        return next((line[2:] for line in self.lines if line[2:] in DIRECTIONS and line.startswith("a=")), None)


def sections_of(sdp: str) -> tuple[Section, list[Section]]:
    """The part before the media, and the media sections."""
    session, media = Section([]), list[Section]()
    for line in sdp.splitlines():
        if line.startswith("m="):
            media.append(Section([]))
        (media[-1] if media else session).lines.append(line)
    return session, media
