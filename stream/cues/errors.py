"""What the user of cues can mend."""

from stream.errors import StreamError


class CueError(StreamError):
    """No such session, a form that cannot be made of it, or a file that cannot be written."""
