"""What the user of a stream can mend. Each text names the input, the cause and the cure."""


class StreamError(ValueError):
    """Base class of the folder's errors."""


class SourceError(StreamError):
    """The input cannot be opened, is no video, or stops being one."""


class MessageError(StreamError):
    """A message on the wire that is not one of the protocol's, or is too large."""
