"""What the user of the server can correct, beside the errors of a stream."""

from typing import Final

from stream.errors import StreamError

RETRY_AFTER_S: Final = 5  # in answers to requests refused for lack of room (RFC 9110, section 10.2.3)


class ServeError(StreamError):
    """The server cannot start with these settings: a port in use, a catalogue that does not open."""


class BusyError(StreamError):
    """A bound is reached; the request may succeed later."""
