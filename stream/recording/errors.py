"""What the user of a recording can mend."""

from stream.errors import StreamError


class RecordingError(StreamError):
    """A file that is no recording, or one that cannot be written or replayed here."""
