"""What a caller can mend: pictures, samples or times that no feature can be computed from."""


class FeatureError(ValueError):
    """Input of a wrong kind, shape or value; the text names the input, what is wrong with it and what it must be."""


class AudioError(FeatureError):
    """One file that cannot be used as sound; the text is the reason, to print behind the file's name."""


class ForeignError(AudioError):
    """A file that is no sound at all; to be reported only if its name promised sound."""


class PictureError(FeatureError):
    """A frame that cannot be made a canonical picture."""
