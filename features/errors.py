"""What a caller can mend: pictures, samples or times that no feature can be computed from."""


class FeatureError(ValueError):
    """Input of a wrong kind, shape or value; the text names the input, what is wrong with it and what is wanted."""
