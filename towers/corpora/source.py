"""One source of a corpus: a video, its music, and their labels."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Source:
    """``music``: a file of its own, None for the video's own sound. ``music_id``: equal for sources that share their
    music, empty where unknown. ``*_from_s`` and ``*_to_s``: the stretch that counts, to the end where None. ``split``:
    from the list, or None. The rest as in ``Pair``."""

    id: str
    video: Path
    music: Path | None = None
    music_id: str = ""
    video_from_s: float = 0.0
    video_to_s: float | None = None
    music_from_s: float = 0.0
    music_to_s: float | None = None
    split: str | None = None
    tags: tuple[str, ...] = ()
    mood: tuple[float, float, float] | None = None
    emotion: str | None = None
    polarity: float | None = None
    match: bool = True

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.video,) if self.music is None else (self.video, self.music)
