#!/usr/bin/env bash
# Milvus: what a session has deleted is still found by its next query at level "Session".
#
# Versions: the server Milvus 2.3.5 (as the package "milvus" brings it), pymilvus 3.0.2, Python 3.11.
#
# Expected: at consistency level "Session" a client sees what it wrote itself. An insert
# is seen by the next query, which waits for it; a deletion likewise.
#
# Seen: inserts are seen at once, 10 of 10. After delete() the rows are found again
# by the next query at "Session", 10 of 10; a second later they are gone. At "Strong"
# none is found. The server answers an insertion with its time, which the
# client waits for, and a deletion with time 0, so that it waits for nothing.
#
# What it means: a track that was just removed is suggested once more. After deleting,
# query once at "Strong", which waits until the deletion is seen (up to 200 ms).
#
# Exit status: 0 if the behaviour is as described here, otherwise not 0.
set -euo pipefail

work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; sleep 2; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pymilvus==3.0.2 milvus==2.3.5

cat > serve.py <<'PY'
import signal
import sys

from milvus import MilvusServer, MilvusServerConfig

server = MilvusServer(MilvusServerConfig(data_dir="data"))
signal.signal(signal.SIGTERM, lambda *_: (server.stop(), sys.exit()))
server.start()
with open("port", "w") as file:
    file.write(str(server.listen_port))
server.wait()
PY
venv/bin/python serve.py > server.log 2>&1 &
server=$!
for _ in $(seq 900); do [ -s port ] && break; kill -0 "$server"; sleep 0.1; done

cat > show.py <<'PY'
import time

from pymilvus import DataType, MilvusClient

with open("port") as file:
    client = MilvusClient("http://127.0.0.1:" + file.read())
schema = MilvusClient.create_schema()
schema.add_field("id", DataType.INT64, is_primary=True)
schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
index = client.prepare_index_params()
index.add_index("vector", index_type="FLAT", metric_type="IP")
client.create_collection("c", schema=schema, index_params=index, consistency_level="Session")


def found(level):
    return len(client.query("c", filter="id >= 0", output_fields=["id"], consistency_level=level))


def tries(level):
    """How many of 10 insertions were seen by the next query, how many of 10 deletions were not."""
    inserted = lingered = later = 0
    for _ in range(10):
        client.insert("c", [{"id": number, "vector": [0.0, 1.0]} for number in range(5)])
        inserted += found(level) == 5
        client.delete("c", filter="id in [0, 1, 2, 3, 4]")
        lingered += found(level) == 5
        time.sleep(1)
        later += found(level) > 0
    return inserted, lingered, later


session, strong = tries("Session"), tries("Strong")
text = "%s: %d of 10 insertions seen at once, %d of 10 deletions not seen at once, %d not after a second"
print(text % ("Session", *session))
print(text % ("Strong", *strong))
if not (session[0] == 10 and session[1] >= 8 and session[2] == 0 and strong == (10, 0, 0)):
    raise SystemExit("not as described")
PY
venv/bin/python show.py
