"""Errors that the user of a benchmark can fix."""


class BenchError(ValueError):
    """A benchmark cannot run with this input; the text names the input, the cause and the cure."""
