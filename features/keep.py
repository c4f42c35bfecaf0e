"""What a ``FrameMeter`` keeps of each picture beside its numbers and its thumbnail."""

from enum import Flag


class Keep(Flag):
    """``SMALL``: a (32, 32, 3) colour picture each; ``SCENE``: the whole picture where a second or a shot begins;
    ``WHOLE``: every whole picture, 43 kB each."""

    NOTHING = 0
    SMALL = 1
    SCENE = 2
    WHOLE = 4
    ALL = SMALL | SCENE | WHOLE
