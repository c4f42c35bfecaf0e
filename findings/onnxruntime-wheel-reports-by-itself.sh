#!/usr/bin/env bash
# Importing ONNX Runtime's Linux wheel writes an identifier of the machine and a first report to be sent.
#
# Versions: onnxruntime 1.32.0 from the package index, Python 3.11, Linux x86-64.
#
# Expected: nothing. Reports were known of Windows alone, from its own event tracing, and importing a library of
# arithmetic is not using it: no session is made here and no model is loaded.
#
# Seen: the import alone makes two files in the user's cache. One holds an identifier that stays the same from
# process to process; the other is a database of events that wait to be sent, and holds one already: the kind of
# process, processor, memory, system, whether it is a container. disable_telemetry_events() comes too late for
# either, as it can be called only after the import. ORT_DISABLE_TELEMETRY=1 before the import leaves no file.
# It is also silent where a variable CI is set, so that a test run never shows it.
#
# What it means: a program that says that nothing leaves the machine has to set the variable before it imports.
#
# Exit status: 0 if the behaviour is as described here, otherwise not 0.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check onnxruntime==1.32.0

# No network is needed or used: what waits is looked at, not sent.
quiet=(env -i "PATH=$PATH" "HTTPS_PROXY=http://127.0.0.1:9" "https_proxy=http://127.0.0.1:9")
files() { find "$1" -type f -printf '%f\n' 2>/dev/null | sort | tr '\n' ' '; }

for name in plain again; do
  "${quiet[@]}" HOME="$work/plain" XDG_CACHE_HOME="$work/plain" venv/bin/python -c "import onnxruntime"
  cp "$(find plain -name deviceid)" "id.$name" || { echo "the behaviour has changed: no identifier"; exit 1; }
done
"${quiet[@]}" HOME="$work/late" XDG_CACHE_HOME="$work/late" \
  venv/bin/python -c "import onnxruntime; onnxruntime.disable_telemetry_events()"
"${quiet[@]}" HOME="$work/off" XDG_CACHE_HOME="$work/off" ORT_DISABLE_TELEMETRY=1 venv/bin/python -c "import onnxruntime"
"${quiet[@]}" HOME="$work/ci" XDG_CACHE_HOME="$work/ci" CI=true venv/bin/python -c "import onnxruntime"

waiting=$(venv/bin/python - <<'PY'
import glob, sqlite3
(path,) = glob.glob("plain/**/onnxruntime.db", recursive=True, include_hidden=True)
rows = sqlite3.connect(path).execute("select payload from events").fetchall()
print(len(rows), sum(b"ProcessInfo" in bytes(row[0]) for row in rows))
PY
)
echo "onnxruntime 1.32.0"
echo "  imported:                       $(files plain)"
echo "  same identifier twice:          $(cmp -s id.plain id.again && echo yes || echo no)"
echo "  events waiting, of a process:   $waiting"
echo "  switched off after the import:  $(files late)"
echo "  ORT_DISABLE_TELEMETRY=1:        $(files off)"
echo "  CI=true:                        $(files ci)"
[ "$(files plain)" = "deviceid onnxruntime.db " ] && cmp -s id.plain id.again && [ "${waiting#0 }" = "$waiting" ] &&
  [ "${waiting##* }" -ge 1 ] && [ -n "$(files late)" ] && [ -z "$(files off)$(files ci)" ] ||
  { echo "the behaviour has changed"; exit 1; }
echo "as described: the import reports unless it is told not to before"
