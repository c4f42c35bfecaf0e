"""What the user of a benchmark can mend."""


class BenchError(ValueError):
    """A benchmark cannot be run as asked; the text names the input, the cause and the cure."""
