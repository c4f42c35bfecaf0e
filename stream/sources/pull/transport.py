"""Where the streams in a transport stream change (ISO/IEC 13818-1): its tables name other streams than before.

PyAV does not see streams that begin in the middle, so a transport stream is cut where its tables change, and each part
is opened by itself.
"""

from typing import Final

import numpy as np

SIZES: Final = (188, 192, 204)  # of a packet: plain, with a time stamp before it, with a checksum behind
SYNC: Final = 0x47
IN_A_ROW: Final = 4  # packets that make a transport stream
PAT, PMT = 0, 2  # table identifiers: the programs, the streams of one
PAT_DISTANCE: Final = 64  # packets: the table of programs stands this close before a program's own
SECTION_BYTES: Final = 1024
# video and sound by stream type; the rest (subtitles, data) may come and go
MEDIA: Final = frozenset(
    {0x01, 0x02, 0x03, 0x04, 0x0F, 0x10, 0x11, 0x1B, 0x1C, 0x20, 0x21, 0x24, 0x33, 0x42, 0x81, 0x82, 0x87, 0xD1, 0xEA}
)

Streams = tuple[tuple[int, int], ...]  # (stream type, packet identifier), in their order


def find_packets(data: bytes) -> tuple[int, int] | None:
    """``(offset of the first packet, size of a packet)`` of a transport stream, else None."""
    for size in SIZES:
        mark = 4 if size == 192 else 0
        for begin in range(min(size, len(data) - (IN_A_ROW - 1) * size - mark)):
            if all(data[begin + mark + row * size] == SYNC for row in range(IN_A_ROW)):
                return begin, size
    return None


class Layout:
    """Reads the tables of a transport stream that comes in pieces.

    ``names``: each program's number and where its table is; ``programs``: the video and sound of each, by its first
    table.
    """

    def __init__(self) -> None:
        self.names: dict[int, int] = {}
        self.programs: dict[int, Streams] = {}
        self._watched = np.arange(1 << 13) == 0  # by packet identifier: whether a table comes there
        self._tail = b""
        self._size = 0
        self._sections: dict[int, bytearray] = {}
        self._tables: dict[int, bytes] = {}  # the newest good table of each place
        self._pat_at = -1
        self._packets = 0  # since the newest table of programs

    def restart(self) -> None:
        """The next bytes do not follow on the last ones: the reader seeked."""
        self._tail, self._size, self._pat_at = b"", 0, -1
        self._sections.clear()

    def push(self, data: bytes, at: int) -> int | None:
        """Take the bytes at position ``at``. Returns the position where other streams begin, if they do here."""
        at -= len(self._tail)
        data = self._tail + data
        begin = 0
        if not self._size:
            packets = find_packets(data)
            if packets is None:
                self._tail = data[-IN_A_ROW * SIZES[-1] :]
                return None
            begin, self._size = packets
        count = (len(data) - begin) // self._size
        rows = np.frombuffer(data, np.uint8, count * self._size, begin).reshape(count, self._size)
        rows = rows[:, 4:192] if self._size == 192 else rows[:, :188]
        if not (rows[:, 0] == SYNC).all():
            self.restart()
            return None
        self._tail = data[begin + count * self._size :]
        places = (rows[:, 1].astype(np.uint16) & 0x1F) << 8 | rows[:, 2]
        row = 0
        while (hits := np.flatnonzero(self._watched[places[row:]])).size:
            self._packets += int(hits[0])
            row += int(hits[0])
            where = at + begin + row * self._size
            if places[row] == 0:
                self._pat_at, self._packets = where, 0
            if self._take_packet(int(places[row]), bytes(rows[row])):
                return self._pat_at if self._pat_at >= 0 and self._packets <= PAT_DISTANCE else where
            self._packets += 1
            row += 1
        self._packets += count - row
        return None

    @property
    def cut_short(self) -> bool:
        """Whether the bytes so far end within a packet."""
        return bool(self._size and self._tail)

    def _take_packet(self, place: int, packet: bytes) -> bool:
        """Take a packet of a table. Returns whether the table differs from the first of its kind."""
        payload = packet[4 + (1 + packet[4] if packet[3] & 0x20 else 0) :]
        if packet[1] & 0x80 or not packet[3] & 0x10 or not payload:  # damaged, or without content
            return False
        section = self._sections.setdefault(place, bytearray())
        if packet[1] & 0x40:
            del section[:]
            payload = payload[1 + payload[0] :]
        elif not section:
            return False  # its beginning is missing
        section += payload
        size = 3 + ((section[1] & 0x0F) << 8 | section[2]) if len(section) >= 3 else SECTION_BYTES
        if len(section) < size or size > SECTION_BYTES:
            return False
        table = bytes(section[:size])
        del section[:]
        if table == self._tables.get(place) or len(table) < 12 or not table[5] & 1 or _crc(table):
            return False
        self._tables[place] = table
        return self._programs_changed(table) if place == 0 else self._streams_changed(table)

    def _programs_changed(self, table: bytes) -> bool:
        if table[0] != PAT or table[7]:  # one in several sections is ignored
            return False
        entries = [table[at : at + 4] for at in range(8, len(table) - 4, 4)]
        names = {e[0] << 8 | e[1]: (e[2] & 0x1F) << 8 | e[3] for e in entries if e[0] or e[1]}
        before, self.names = self.names, self.names or names
        self._watched[list(self.names.values())] = True
        return bool(before) and before != names

    def _streams_changed(self, table: bytes) -> bool:
        if table[0] != PMT:
            return False
        at = 12 + ((table[10] & 0x0F) << 8 | table[11])
        streams: list[tuple[int, int]] = []
        while at + 5 <= len(table) - 4:
            if table[at] in MEDIA:
                streams.append((table[at], (table[at + 1] & 0x1F) << 8 | table[at + 2]))
            at += 5 + ((table[at + 3] & 0x0F) << 8 | table[at + 4])
        return self.programs.setdefault(table[3] << 8 | table[4], tuple(streams)) != tuple(streams)


def _crc(table: bytes) -> int:
    """The checksum over a table with its own checksum: 0 if it is intact (annex A)."""
    rest = 0xFFFFFFFF
    for byte in table:
        rest ^= byte << 24
        for _ in range(8):
            rest = (rest << 1) ^ (0x04C11DB7 if rest & 0x80000000 else 0)
            rest &= 0xFFFFFFFF
    return rest
