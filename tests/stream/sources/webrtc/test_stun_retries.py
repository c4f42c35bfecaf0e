"""How long a publisher may take to answer, and what is said of one that is gone."""

import asyncio
from collections.abc import Callable
from typing import Any

import av
import pytest
from aioice import ice, stun
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription

from stream.sources.ended import Ended
from stream.sources.webrtc.peer import PeerOptions, WebRtcPeer
from stream.sources.webrtc.stun_retries import AGAIN, WAIT_S, wait_for_consent


def test_only_checks_of_consent_become_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    async def request(
        self: Any, message: Any, address: Any, integrity_key: Any = None, retransmissions: Any = None
    ) -> str:
        asked.append((message, address, integrity_key, retransmissions))
        return "answer"

    monkeypatch.setattr(ice.StunProtocol, "request", request)
    wait_for_consent()
    patient = ice.StunProtocol.request
    wait_for_consent()
    assert ice.StunProtocol.request is patient  # more calls change nothing
    protocol: Any = object()
    for retransmissions in (0, None, 4):
        calling: Any = patient(protocol, "m", ("a", 1), integrity_key=b"k", retransmissions=retransmissions)  # type: ignore[arg-type]
        assert asyncio.run(calling) == "answer"
    assert asked == [("m", ("a", 1), b"k", tries) for tries in (AGAIN, None, 4)]


def test_one_check_waits_as_long_as_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """By aioice's own arithmetic, with a clock that is counted instead of waited for."""
    waited: list[float] = []

    async def scene() -> None:
        loop = asyncio.get_running_loop()

        def at_once(delay_s: float, act: Callable[..., Any], *told: Any) -> asyncio.TimerHandle:
            waited.append(delay_s)
            return loop.call_at(loop.time(), act, *told)

        monkeypatch.setattr(loop, "call_later", at_once)
        sender: Any = type("Sender", (), {"send_stun": lambda *_: None})()
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        with pytest.raises(stun.TransactionTimeout):
            await stun.Transaction(message, ("127.0.0.1", 1), sender, retransmissions=AGAIN).run()

    asyncio.run(scene())
    assert sum(waited) == pytest.approx(WAIT_S)


class Silent(MediaStreamTrack):
    kind = "video"

    async def recv(self) -> av.VideoFrame:
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize(
    ("how", "said"), [("goodbye", "the publisher stopped"), ("consent expires", "the connection failed")]
)
def test_a_publisher_that_is_lost_is_told_from_one_that_stops(how: str, said: str) -> None:
    """Who is lost may come back to its session, who stopped has ended it."""

    async def scene() -> str:
        peer, publisher = WebRtcPeer(PeerOptions()), RTCPeerConnection()
        reason: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        try:
            publisher.addTransceiver(Silent(), direction="sendonly")
            await publisher.setLocalDescription()
            answer = await peer.answer(publisher.localDescription.sdp)
            peer.feed(lambda frame: None, lambda frame: None, reason.set_result)
            await publisher.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            async with asyncio.timeout(30):
                while not peer.connected:  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(0.05)
                if how == "goodbye":
                    await publisher.close()
                else:  # what aioice does then
                    transport: Any = peer._connection.getTransceivers()[0].receiver.transport.transport
                    await transport._connection.close()
                return (await reason).text
        finally:
            await peer.close()
            await publisher.close()

    assert asyncio.run(scene()) == said
