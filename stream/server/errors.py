"""What the user of the server can mend, beside the errors of a stream."""

from stream.errors import StreamError


class ServeError(StreamError):
    """The server cannot start as asked: a port in use, a catalogue that does not open."""


class BusyError(StreamError):
    """A bound is reached; the request is welcome later."""
