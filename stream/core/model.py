"""What a session must know of a bundle."""

from dataclasses import dataclass

from .window import Window


@dataclass(frozen=True, slots=True)
class Model:
    """What a session must know of the bundle: the width of its vectors, which optional graphs it has, and which
    features they take: ``clip`` the clip tower, ``sequence`` the sequence tower, ``matched`` the matcher of the
    video, ``heard`` the matcher of the music."""

    clip_dim: int
    embedding_dim: int
    matcher: bool
    mood: bool
    clip: tuple[str, ...] = ("clip_image",)
    sequence: tuple[str, ...] = ("displacement",)
    matched: tuple[str, ...] = ("displacement",)
    heard: tuple[str, ...] = ("rhythm",)

    def window(self) -> Window:
        """An empty window that measures what the graphs take."""
        return Window(self.clip_dim, self.clip, tuple(dict.fromkeys((*self.sequence, *self.matched))))
