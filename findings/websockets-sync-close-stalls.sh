#!/usr/bin/env bash
# Closing a synchronous WebSocket takes ten seconds if messages are left unread.
#
# Versions: websockets 16.1.1, and 17.4 alike, Python 3.11.
#
# Expected: close() of the synchronous client takes as long as the server needs to
# answer it, whether or not the program has read all that has arrived. Here the
# server is on loopback and answers at once.
#
# Seen: with 16 unread messages it takes no time. With 17, one more than the
# client's queue holds by default (max_queue=16), it takes the full ten seconds
# of its close_timeout, and the connection ends with code 1006 instead of 1000:
# the client has stopped reading, so the answer waits behind the messages. With
# max_queue=None, 40 unread messages do no harm.
#
# What it means: a program that leaves a busy connection (on an error, on Ctrl-C)
# hangs for ten seconds, and its close then counts as a broken line.
# Read until nothing is left before closing, set a short close_timeout, or give
# the queue more room.
#
# Exit status: 0 if the behaviour is as described here, otherwise not 0.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat > show.py <<'PY'
import threading
import time
from importlib.metadata import version

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import serve


def closing(unread, **how):
    """Seconds that leaving the connection takes, and its code."""
    sent = threading.Event()

    def handler(connection):
        for number in range(unread):
            connection.send("message %d" % number)
        sent.set()
        try:
            connection.recv()
        except ConnectionClosed:
            pass

    with serve(handler, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.socket.getsockname()[1]
        with connect("ws://127.0.0.1:%d" % port, proxy=None, **how) as client:
            if not sent.wait(10):
                raise SystemExit("the server did not send: nothing was tried")
            time.sleep(0.5)
            begin = time.monotonic()
            client.close()
            took = time.monotonic() - begin
        server.shutdown()
    print("  %2d unread %s: %4.1f s, code %s" % (unread, how or "", took, client.close_code))
    return took, client.close_code


print("websockets", version("websockets"))
few, most = closing(3), closing(16)
over = closing(17)
room = closing(40, max_queue=None)
for took, code in (few, most, room):
    if took > 2 or code != 1000:
        raise SystemExit("the behaviour has changed")
if over[0] < 5 or over[1] != 1006:
    raise SystemExit("the behaviour has changed")
print("as described: one message too many, and close() waits for its timeout")
PY

for version in 16.1.1 17.4; do
    python3 -m venv "venv-$version"
    "venv-$version/bin/pip" install --quiet --disable-pip-version-check "websockets==$version"
    timeout 50 "venv-$version/bin/python" show.py
done
