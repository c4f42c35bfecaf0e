"""An SDP's session part and its media sections, as lines (RFC 8866)."""

from dataclasses import dataclass
from typing import Final

DIRECTIONS: Final = ("sendrecv", "sendonly", "recvonly", "inactive")


@dataclass
class Section:
    """The lines of a media section, its m= line first; or of the part before them all."""

    lines: list[str]

    @property
    def words(self) -> list[str]:
        """Of the m= line: kind, port, protocol, formats."""
        return self.lines[0][2:].split()

    def value(self, name: str) -> str | None:
        """Of the first attribute of that name; empty for a flag, None where there is none."""
        for line in self.lines:
            found, _, value = line.partition(":")
            if found == f"a={name}":
                return value.strip()
        return None

    def by_format(self, name: str) -> dict[str, str]:
        """Of the attributes of that name that begin with a payload type: what is behind it."""
        start = f"a={name}:"
        told = (line.removeprefix(start).partition(" ") for line in self.lines if line.startswith(start))
        return {number: rest.strip() for number, _, rest in told}

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
