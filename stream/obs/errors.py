"""What can go wrong with OBS. Each text names the address or the request, the cause and the cure."""

from stream.errors import StreamError


class ObsError(StreamError):
    """OBS cannot be used as things stand (wrong password, old protocol, bad address): trying again alone is no cure."""


class ObsGoneError(ObsError):
    """The connection to OBS is lost, or was not there when a request was made."""


class ObsSlowError(ObsGoneError):
    """OBS did not answer a request in its time, or too many wait; the connection may still be there."""


class ObsRequestError(ObsError):
    """OBS answered that it does not carry out a request; ``code`` is obs-websocket's RequestStatus."""

    def __init__(self, kind: str, code: int, comment: str) -> None:
        super().__init__(f"OBS refuses {kind} with {code}{f': {comment}' if comment else ''}")
        self.kind, self.code, self.comment = kind, code, comment
