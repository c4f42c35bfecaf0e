#!/usr/bin/env bash
# ONNX Runtime's plugin for TensorRT for RTX brings the CUDA runtime along, under a name that nothing looks for.
#
# Versions: onnxruntime-ep-nv-tensorrt-rtx-cu13 0.5.0, onnxruntime 1.32.0 from the package index, Python 3.11, Linux
# x86-64 (146 MB are fetched). No GPU is needed.
#
# Expected: importing the package is enough to give ONNX Runtime its library; a machine needs the driver and nothing
# else. The wheel holds TensorRT and the CUDA runtime as versioned files without the short names that the loader looks
# for, and its import makes these names as links and loads what is behind them.
#
# Seen: it does so for TensorRT's two libraries and not for the third file, libcudart.so.13.4.36. So where CUDA 13 is not
# installed beside the driver, registering fails with "libcudart.so.13: cannot open shared object file", while that very
# library lies in the package's folder. Loading it by its full name first (ctypes, RTLD_GLOBAL) mends it: what is missing
# then is libcuda.so.1, the driver's own. Where the CUDA toolkit is installed nobody notices, so its cache of libraries
# is left out here (the loader's --inhibit-cache).
#
# What it means: a program that uses the plugin on a streamer's machine loads that file itself before it registers.
#
# Exit status: 0 if the behaviour is as described here, otherwise not 0.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnxruntime-ep-nv-tensorrt-rtx-cu13==0.5.0

cat >try.py <<'PY'
import ctypes, pathlib, sys

sys.path.insert(0, sys.argv[1])
import onnxruntime as ort
import onnxruntime_ep_nv_tensorrt_rtx as plugin

folder = pathlib.Path(plugin.__file__).parent
if sys.argv[2] == "links":
    print(" ".join(sorted(file.name for file in folder.iterdir() if file.is_symlink())))
    print(" ".join(sorted(file.name for file in folder.glob("libcudart*"))))
    sys.exit()
if sys.argv[2] == "loaded":
    ctypes.CDLL(str(next(folder.glob("libcudart.so.*"))), mode=ctypes.RTLD_GLOBAL)
try:
    ort.register_execution_provider_library(plugin.get_ep_name(), plugin.get_library_path())
    print("registered")
except Exception as error:
    print(str(error).rpartition("with error: ")[2].partition(":")[0])
PY

# The machine's own libraries, but for what its cache of libraries adds (a CUDA toolkit).
python=$(readlink -f venv/bin/python)
loader=$(ls /lib64/ld-linux-x86-64.so.2)
site=$(venv/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")
try() {
  ORT_DISABLE_TELEMETRY=1 "$loader" --inhibit-cache --library-path /lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:/lib64:/usr/lib64 \
    "$python" try.py "$site" "$1"
}

links=$(try links)
plain=$(try plain)
loaded=$(try loaded)
echo "onnxruntime-ep-nv-tensorrt-rtx-cu13 0.5.0"
echo "  links that the import made:        $(head -n 1 <<<"$links")"
echo "  the CUDA runtime in its folder:    $(tail -n 1 <<<"$links")"
echo "  registering lacks:                 $plain"
echo "  and with that file loaded before:  $loaded"
[ "$(tail -n 1 <<<"$links")" = "libcudart.so.13.4.36" ] && [ "$plain" = "libcudart.so.13" ] &&
  { [ "$loaded" = "libcuda.so.1" ] || [ "$loaded" = "registered" ]; } || { echo "the behaviour has changed"; exit 1; }
echo "as described: the runtime that it brings is not found"
