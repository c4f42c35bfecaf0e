#!/usr/bin/env bash
# A screenshot of OBS's scene on air is not what is on air.
#
# Versions: OBS 29.0.2 with obs-websocket 5.1.0 (Debian 12), websockets 17.4, Python 3.11.
#
# Expected: a program that asks for the scene on air (GetCurrentProgramScene) and
# for its picture (GetSourceScreenshot) sees what the audience sees, and the event
# CurrentProgramSceneChanged says when that is another scene.
#
# Seen: OBS has screenshots of scenes, not of its output. During a fade of 2 s from
# a red scene to a green one, GetCurrentProgramScene names the green one at once and
# its screenshot is pure green, never the blend; CurrentProgramSceneChanged comes
# when the fade is over, 2 s after SceneTransitionStarted, which names no scene. In
# studio mode, an item that is hidden in the preview of the scene on air is gone
# from the screenshot at once, though the audience goes on seeing it until the
# transition.
#
# What it means: to follow scenes, ask GetCurrentProgramScene at
# SceneTransitionStarted. In studio mode no screenshot shows what is on air: warn
# (StudioModeStateChanged), or take the picture from an output.
#
# Needs obs, Xvfb, dbus-run-session (Debian: obs-studio, xvfb, dbus-daemon), and a
# Python with websockets.
# Exit status: 0 if the behaviour is as described here, otherwise not 0.
set -euo pipefail

for program in obs Xvfb dbus-run-session python3; do
  command -v "$program" >/dev/null || { echo "no $program here" >&2; exit 2; }
done
work=$(mktemp -d)
group=
trap '[ -z "$group" ] || kill -9 -- "-$group" 2>/dev/null || true; rm -rf "$work" "/tmp/.X${port:-none}-lock" "/tmp/.X11-unix/X${port:-none}"' EXIT

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
config=$work/.config/obs-studio
mkdir -p "$config/basic/scenes" "$config/basic/profiles/p"
cat > "$config/global.ini" <<INI
[General]
FirstRun=true
[OBSWebSocket]
FirstLoad=false
ServerEnabled=true
ServerPort=$port
AlertsEnabled=false
AuthRequired=false
INI
cat > "$config/basic/profiles/p/basic.ini" <<INI
[General]
Name=p
[Video]
BaseCX=640
BaseCY=360
OutputCX=640
OutputCY=360
FPSType=1
FPSInt=20
INI

setsid env -i PATH="$PATH" HOME="$work" XDG_RUNTIME_DIR="$work" LANG=C.UTF-8 LIBGL_ALWAYS_SOFTWARE=1 \
  QT_QPA_PLATFORM=xcb DISPLAY=":$port" bash -c \
  "Xvfb :$port -screen 0 1024x768x24 -nolisten tcp & exec dbus-run-session -- obs --multi --collection s --profile p --minimize-to-tray" \
  >"$work/obs.log" 2>&1 &
group=$!
disown "$group"

cat > "$work/show.py" <<'PY'
import asyncio
import base64
import json
import sys

from websockets.asyncio.client import connect

RED, GREEN = 0xFF0000FF, 0xFF00FF00  # 0xAABBGGRR


class Obs:
    def __init__(self, line):
        self.line, self.number, self.waiting, self.events = line, 0, {}, []

    async def read(self):
        async for text in self.line:
            message = json.loads(text)
            if message["op"] == 5:
                self.events.append((message["d"]["eventType"], asyncio.get_running_loop().time()))
            elif message["op"] == 7:
                self.waiting.pop(message["d"]["requestId"]).set_result(message["d"])

    async def ask(self, kind, **data):
        self.number += 1
        answer = self.waiting[str(self.number)] = asyncio.get_running_loop().create_future()
        body = {"requestType": kind, "requestId": str(self.number), "requestData": data}
        await self.line.send(json.dumps({"op": 6, "d": body}))
        status = (result := await asyncio.wait_for(answer, 10))["requestStatus"]
        assert status["result"], (kind, status)
        return result.get("responseData") or {}

    async def colour(self, scene):
        answer = await self.ask(
            "GetSourceScreenshot", sourceName=scene, imageFormat="ppm", imageWidth=16, imageHeight=16
        )
        return tuple(base64.b64decode(answer["imageData"].partition(",")[2])[-3:])

    def when(self, kind):
        return next((at_s for name, at_s in self.events if name == kind), None)


async def come(port):
    for _ in range(400):
        try:
            return await connect("ws://127.0.0.1:%s" % port, compression=None, max_size=None)
        except OSError:
            await asyncio.sleep(0.1)
    raise SystemExit("OBS did not come")


async def main():
    line = await come(sys.argv[1])
    await line.recv()
    await line.send(json.dumps({"op": 1, "d": {"rpcVersion": 1}}))
    await line.recv()
    obs = Obs(line)
    reading = asyncio.create_task(obs.read())
    for scene, colour in (("Red", RED), ("Green", GREEN)):
        await obs.ask("CreateScene", sceneName=scene)
        settings = {"color": colour, "width": 640, "height": 360}
        await obs.ask(
            "CreateInput", sceneName=scene, inputName=scene + " colour", inputKind="color_source_v3",
            inputSettings=settings,
        )
    await obs.ask("SetCurrentSceneTransition", transitionName="Cut")
    await obs.ask("SetCurrentProgramScene", sceneName="Red")
    await asyncio.sleep(1)

    await obs.ask("SetCurrentSceneTransition", transitionName="Fade")
    await obs.ask("SetCurrentSceneTransitionDuration", transitionDuration=2000)
    obs.events.clear()
    await obs.ask("SetCurrentProgramScene", sceneName="Green")
    named, colours = set(), set()
    while obs.when("CurrentProgramSceneChanged") is None:
        scene = (await obs.ask("GetCurrentProgramScene"))["currentProgramSceneName"]
        named.add(scene)
        colours.add(await obs.colour(scene))
        await asyncio.sleep(0.1)
    took = obs.when("CurrentProgramSceneChanged") - obs.when("SceneTransitionStarted")
    print("during the fade: named %s, colours %s; told after %.2f s" % (named, colours, took))
    assert named == {"Green"} and colours == {(0, 255, 0)} and 1.5 < took < 4

    await obs.ask("SetStudioModeEnabled", studioModeEnabled=True)
    await obs.ask("SetCurrentPreviewScene", sceneName="Green")
    before = await obs.colour("Green")
    obs.events.clear()
    (item,) = (await obs.ask("GetSceneItemList", sceneName="Green"))["sceneItems"]
    await obs.ask("SetSceneItemEnabled", sceneName="Green", sceneItemId=item["sceneItemId"], sceneItemEnabled=False)
    await asyncio.sleep(0.5)
    after = await obs.colour("Green")
    print("in studio mode, hidden in the preview: %s, before %s" % (after, before))
    assert before == (0, 255, 0) and after == (0, 0, 0)
    assert obs.when("SceneTransitionStarted") is None, "something went on air"
    reading.cancel()
    await line.close()


asyncio.run(main())
PY
python3 "$work/show.py" "$port"
echo "as described"
