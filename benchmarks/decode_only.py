"""The floor: a WHIP server on aiortc that decodes every frame and drops it. Its one argument is the port."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

import uvicorn
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from fastapi import FastAPI, Request, Response


def create_app() -> FastAPI:
    """``POST /whip``, ``DELETE /whip/N``; ``GET /api/sessions`` returns the frame count of each, as the server of
    suggestions does."""
    peers: dict[str, RTCPeerConnection] = {}
    frames: dict[str, int] = {}
    tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.gather(*(peer.close() for peer in peers.values()))

    app = FastAPI(lifespan=lifespan)

    async def drain(name: str, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                await track.recv()
                frames[name] += 1

    @app.post("/whip")
    async def publish(request: Request) -> Response:
        name = str(len(frames))
        frames[name] = 0
        peer = peers[name] = RTCPeerConnection(RTCConfiguration(iceServers=[]))

        @peer.on("track")
        def begin(track: MediaStreamTrack) -> None:
            task = asyncio.create_task(drain(name, track))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        await peer.setRemoteDescription(RTCSessionDescription((await request.body()).decode(), "offer"))
        await peer.setLocalDescription()
        return Response(peer.localDescription.sdp, 201, {"location": f"/whip/{name}"}, "application/sdp")

    @app.delete("/whip/{name}")
    async def stop(name: str) -> Response:
        await peers.pop(name).close()
        return Response(status_code=200)

    @app.get("/api/sessions")
    async def sessions() -> dict[str, object]:
        return {"sessions": [{"id": name, "frames": frames[name]} for name in peers]}

    return app


if __name__ == "__main__":
    uvicorn.run(create_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
