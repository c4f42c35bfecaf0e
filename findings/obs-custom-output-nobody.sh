#!/usr/bin/env bash
# OBS says that it records, and sends nothing: nobody listens at the URL.
#
# Versions: OBS 29.0.2 with obs-websocket 5.1.0 (Debian 12), websockets 17.4,
# Python 3.11.
#
# Expected: with "Custom Output (FFmpeg)" to a URL at which nobody listens,
# StartRecord is refused, or the event RecordStateChanged says soon that the
# recording has not begun, or has stopped.
#
# Seen: StartRecord is answered with 100, success. The only event is STARTING.
# Neither STARTED nor STOPPED ever comes; GetRecordStatus says outputActive
# false, and StopRecord is refused with 501. In OBS's own window a box says "An
# unspecified error occurred while recording." and waits for a click; a program
# that is not before the screen cannot know. The websocket goes on answering.
#
# What it means: have the listener there before OBS starts, and keep it there;
# after StartRecord ask GetRecordStatus, and believe no event. To a udp:// URL
# OBS sends whether somebody listens or not.
#
# It needs obs, Xvfb and dbus-run-session, runs OBS in a home of its own for some
# 20 s and sends nothing beyond this machine.
#
# Exit status: 0 if the behaviour is as described here, otherwise not 0.
set -euo pipefail

work=$(mktemp -d)
group=
trap '[ -z "$group" ] || { kill -KILL -- "-$group"; wait "$group"; } 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check websockets==17.4

read -r port nobody < <(python3 - <<'PY'
import socket
free = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(each.getsockname()[1] for each in free))
PY
)
config=$work/home/.config/obs-studio
mkdir -p "$config/basic/profiles/p" "$config/basic/scenes"
cat > "$config/global.ini" <<INI
[General]
FirstRun=true
LastVersion=486539266
EnableAutoUpdates=false
[OBSWebSocket]
FirstLoad=false
ServerEnabled=true
ServerPort=$port
AuthRequired=false
INI
cat > "$config/basic/profiles/p/basic.ini" <<INI
[General]
Name=p
[Video]
BaseCX=320
BaseCY=180
OutputCX=320
OutputCY=180
FPSType=1
FPSInt=15
[Output]
Mode=Advanced
[AdvOut]
RecType=FFmpeg
FFOutputToFile=false
FFURL=rtmp://127.0.0.1:$nobody/live/x
FFFormat=flv
FFExtension=flv
FFIgnoreCompat=true
FFVEncoder=libx264
FFVEncoderId=27
FFAEncoder=aac
FFAEncoderId=86018
INI
display=:$port
setsid env HOME="$work/home" XDG_RUNTIME_DIR="$work/home" LIBGL_ALWAYS_SOFTWARE=1 QT_QPA_PLATFORM=xcb DISPLAY="$display" \
  bash -c "Xvfb $display -screen 0 800x600x24 -nolisten tcp & exec dbus-run-session -- obs --multi --profile p --disable-updater" \
  > obs.log 2>&1 &
group=$!

cat > show.py <<'PY'
import asyncio
import json
import sys
import time

from websockets.asyncio.client import connect


async def main(port):
    until = time.monotonic() + 40
    while True:
        try:
            socket = await connect(f"ws://127.0.0.1:{port}")
            break
        except OSError:
            assert time.monotonic() < until, "OBS did not start"
            await asyncio.sleep(0.2)
    async with socket:
        events, answers = [], {}

        async def read():
            async for text in socket:
                message = json.loads(text)
                if message["op"] == 5 and message["d"]["eventType"] == "RecordStateChanged":
                    events.append(message["d"]["eventData"]["outputState"].rpartition("_")[2])
                elif message["op"] == 7:
                    answers[message["d"]["requestId"]].set_result(message["d"])

        async def ask(kind):
            answers[kind] = asyncio.get_running_loop().create_future()
            await socket.send(json.dumps({"op": 6, "d": {"requestType": kind, "requestId": kind}}))
            answer = await asyncio.wait_for(answers[kind], 10)
            return answer["requestStatus"]["code"], answer.get("responseData", {})

        hello = json.loads(await socket.recv())
        await socket.send(json.dumps({"op": 1, "d": {"rpcVersion": 1, "eventSubscriptions": 64}}))
        await socket.recv()
        reading = asyncio.create_task(read())
        print("obs-websocket", hello["d"]["obsWebSocketVersion"])
        await asyncio.sleep(2)
        code, _ = await ask("StartRecord")
        print("StartRecord:", code)
        started = code
        await asyncio.sleep(8)
        status, (stopped, _) = (await ask("GetRecordStatus"))[1], await ask("StopRecord")
        print("events in 8 s:", events, "; outputActive:", status["outputActive"], "; StopRecord:", stopped)
        reading.cancel()
        as_told = started == 100 and events == ["STARTING"] and not status["outputActive"] and stopped == 501
    sys.exit(0 if as_told else 1)


asyncio.run(main(sys.argv[1]))
PY
venv/bin/python show.py "$port"
