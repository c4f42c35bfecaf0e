#!/usr/bin/env bash
# TensorRT for RTX, asked whether a plan is valid on a machine without a driver, says "invalid" and gives no reason.
#
# Versions: tensorrt-rtx-cu13-libs and -bindings 1.7.1.116 from the package index, Python 3.11, Linux x86-64, no NVIDIA
# driver.
#
# Expected: Runtime.get_engine_validity(plan) returns a verdict and diagnostics, bits that say why. One of them is
# CUDA_ERROR, "Incorrect installation of CUDA driver or runtime", another OLD_CUDA_DRIVER: one of the two for a whole
# plan, MALFORMED_ENGINE for a plan that was cut to half.
#
# Seen: (INVALID, 0) for both: no bit at all. The reason goes to the logger alone (cudaError 35). A plan with its middle
# gone is told from a whole one by nothing; only bytes without a plan's header are MALFORMED_ENGINE. The same machine
# builds plans without complaint.
#
# What it means: "invalid" with diagnostics of 0 is not a fault of the plan. Who asks before loading must look for a
# driver first, and must find damage by a hash of his own.
#
# Exit status: 0 if the behaviour is as described here, otherwise not 0.
set -euo pipefail

if [ -e /proc/driver/nvidia/version ]; then
  echo "there is an NVIDIA driver here; this is about machines without one"
  exit 2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-deps \
  tensorrt-rtx-cu13-libs==1.7.1.116 tensorrt-rtx-cu13-bindings==1.7.1.116

venv/bin/python - <<'PY'
import sys

import tensorrt_rtx_bindings as trt


class Logger(trt.ILogger):
    def __init__(self):
        trt.ILogger.__init__(self)
        self.errors = []

    def log(self, severity, msg):
        if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
            self.errors.append(msg)


logger = Logger()
builder = trt.Builder(logger)
network = builder.create_network()
tensor = network.add_input("x", trt.float32, (4, 8))
layer = network.add_activation(tensor, trt.ActivationType.TANH)
network.mark_output(layer.get_output(0))
config = builder.create_builder_config()
config.num_compute_capabilities = 1
config.set_compute_capability(trt.ComputeCapability.SM89, 0)
plan = bytes(builder.build_serialized_network(network, config))

runtime = trt.Runtime(logger)
kinds = trt.EngineInvalidityDiagnostics
found = {}
for name, data in (("whole", plan), ("cut to half", plan[: len(plan) // 2]), ("no plan", b"x" * len(plan))):
    logger.errors.clear()
    verdict, bits = runtime.get_engine_validity(data)
    found[name] = (verdict.name, int(bits))
    told = [kind for kind, value in kinds.__members__.items() if int(bits) & int(value)]
    driver = any("cudaError 35" in text for text in logger.errors)
    print(f"  {name:<12} {verdict.name}, diagnostics {int(bits)} {told}, the driver is named in the log: {driver}")
print(f"TensorRT for RTX {trt.__version__}, a plan of {len(plan)} bytes")
expected = {
    "whole": ("INVALID", 0),
    "cut to half": ("INVALID", 0),
    "no plan": ("INVALID", int(kinds.MALFORMED_ENGINE)),
}
sys.exit(found != expected)
PY
echo "as described: invalid, and no reason"
