"""What a caller can mend: pictures, samples or times that no feature can be computed from."""


class FeatureError(ValueError):
    """Input of a wrong kind, shape or value; the text names the input, what is wrong with it and what is wanted."""


class AudioError(FeatureError):
    """One file that cannot be used as sound; the text is the reason, to stand behind the file's name."""


class ForeignError(AudioError):
    """A file that is no sound at all; worth a word only if its name promised some."""


class PictureError(FeatureError):
    """A frame that cannot be made a canonical picture."""
