"""One connection to OBS for several parts: the picture, the clock, what plays in OBS."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from .address import ObsAddress
from .client import USUAL, ObsClient
from .errors import ObsError, ObsGoneError

log = logging.getLogger(__name__)


class ObsPart(Protocol):
    """Something that uses the connection. ``event`` and ``lost`` must not block; ``lost`` is called only after
    ``connected``."""

    def event(self, kind: str, data: Mapping[str, Any]) -> None: ...
    async def connected(self, client: ObsClient) -> None: ...
    def lost(self, reason: str) -> None: ...


class ObsLink:
    """Hands events and connections on to ``parts``, in their order; one that fails does not stop the others.

    ``subscriptions``: what the parts need beside the usual events, see `client.Subscription`. ``on_absent`` is told
    each time that OBS cannot be reached. ``state``: for people, in
    words. ``failure``: why the client has given up, else None.
    """

    def __init__(
        self,
        address: ObsAddress,
        parts: Sequence[ObsPart] = (),
        subscriptions: int = 0,
        on_absent: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._parts = list(parts)
        self._on_absent = on_absent
        self._logged = ""
        self.failure: ObsError | None = None
        self.client = ObsClient(
            address,
            on_event=self._event,
            on_connected=self._connected,
            on_lost=self._lost,
            on_absent=self._absent,
            subscriptions=USUAL | subscriptions,
        )

    def add(self, part: ObsPart, subscriptions: int = 0) -> None:
        """Add a part, and what it needs beside the usual events, before ``run``."""
        self._parts.append(part)
        self.client.subscribe(subscriptions)

    @property
    def state(self) -> str:
        return str(self.failure or "") or self.client.trouble or self.client.version

    async def run(self) -> None:
        """Serve the parts until cancelled. Raises ObsError where no second try would help."""
        self.failure = None
        try:
            await self.client.run()
        except ObsError as error:
            self.failure = error
            raise

    def _event(self, kind: str, data: Mapping[str, Any]) -> None:
        for part in self._parts:
            try:
                part.event(kind, data)
            except Exception:
                log.exception("OBS's event %s was not dealt with", kind)

    async def _connected(self, client: ObsClient) -> None:
        self._logged = ""
        for part in self._parts:
            try:
                await part.connected(client)
            except ObsGoneError:
                raise
            except ObsError as error:
                log.warning("%s", error)
            except Exception:
                log.exception("a part of OBS's connection did not start")

    def _lost(self, reason: str) -> None:
        self._note(reason)
        for part in self._parts:
            try:
                part.lost(reason)
            except Exception:
                log.exception("a part of OBS's connection did not stop")

    def _absent(self, reason: str) -> None:
        self._note(reason)
        self._on_absent(reason)

    def _note(self, reason: str) -> None:
        """Log why OBS is not there, once for each cause."""
        if reason != self._logged:
            log.warning("%s; trying again", reason)
        self._logged = reason
