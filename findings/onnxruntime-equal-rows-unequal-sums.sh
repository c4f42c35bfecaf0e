#!/usr/bin/env bash
# ONNX Runtime's CPU provider gives equal rows of one batch unequal sums.
#
# Versions: onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6 from the package index, Python 3.11, Linux x86-64, one thread.
#
# Expected: that the last digits of a row depend on the batch's size, since other kernels may be chosen for it; but
# that 32 rows of the same numbers in one batch give 32 times the same.
#
# Seen: `ReduceSum` over rows of seven floats gives equal rows two or more sums, in most batches. Presumably it adds in an
# order that follows from where in memory a row begins: rows of eight, which all begin alike, come out the same.
#
# What it means: a row's result depends on its place in the batch, in any graph that adds over an axis of odd length
# (windows of seven clips). What must be the same each time has to be computed at one place, or once for all.
#
# Exit status: 0 if the behaviour is as described here, otherwise not 0.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export ORT_DISABLE_TELEMETRY=1
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

graph = helper.make_graph(
    [helper.make_node("ReduceSum", ["x", "axis"], ["y"], keepdims=0)],
    "sums",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", "size"])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows"])],
    [numpy_helper.from_array(np.array([1], np.int64), "axis")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
random = np.random.default_rng(0)
unequal = {}
for size in (7, 8):
    batches = (np.repeat(random.normal(size=(1, size)).astype(np.float32), 32, axis=0) for _ in range(200))
    sums = [session.run(None, {"x": batch})[0] for batch in batches]
    unequal[size] = sum(len(set(one.tolist())) > 1 for one in sums)
    print(f"rows of {size}: of {len(sums)} batches of 32 equal rows, {unequal[size]} with unequal sums")
if not unequal[7] or unequal[8]:
    sys.exit("the behaviour has changed")
print("as described: equal rows have unequal sums")
PYTHON
