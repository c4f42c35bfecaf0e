#!/usr/bin/env bash
# All measurements that need a GPU, in one go: builds TensorRT plans and compares them with the CPU, benchmarks every
# engine and the search, and writes a report folder with the environment, versions and clocks.
#
#   benchmarks/gpu.sh [--bundle FOLDER] [--run FOLDER] [--out FOLDER] [--work FOLDER] [--python PROGRAM] [--device N]
#                     [--quick] [--no-install] [--dry-run]
#
# A step that fails is recorded and the rest goes on; the exit code is 1 if any failed. Needs an NVIDIA driver for CUDA
# 13, Python 3.11 or later, and the network for the packages. --dry-run prints the steps and does nothing.
set -euo pipefail

usage() { sed -n '2,9p' "$0" | sed 's/^# \{0,1\}//'; }
fail() {
  printf 'gpu.sh: %s\n' "$1" >&2
  exit 2
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bundle=$root/engines/bundles/default
run=''
out=''
work=${XDG_CACHE_HOME:-$HOME/.cache}/segue/gpu-bench
python=python3
device=0
quick=0
install=1
dry=0
while (($#)); do
  case $1 in
    --bundle | --run | --out | --work | --python | --device)
      (($# > 1)) || fail "$1 needs a value"
      printf -v "${1#--}" '%s' "$2"
      shift
      ;;
    --quick) quick=1 ;;
    --no-install) install=0 ;;
    --dry-run) dry=1 ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) fail "unknown option $1; --help lists them" ;;
  esac
  shift
done
[[ $device =~ ^[0-9]+$ ]] || fail "--device is $device, must be a number"
[[ -f $bundle/manifest.json ]] || fail "$bundle holds no bundle; name one with --bundle"

# The report's folder: the GPU's name as the driver reports it, and the day.
gpu=$(nvidia-smi --id="$device" --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1 || true)
slug=$(printf '%s' "${gpu:-no-gpu}" | tr '[:upper:]' '[:lower:]' | tr -cs 'a-z0-9' '-' | sed 's/^-*//; s/-*$//')
out=${out:-$root/benchmarks/results/$slug-$(date -u +%Y-%m-%d)}
venv=$work/venv
plans=$work/plans
segue=("$venv/bin/python" "$root/segue.py")
if ((!install)); then
  segue=("$python" "$root/segue.py")
fi

failed=0
# step NAME COMMAND...: run it with its output in logs/NAME.log; record its result; never stop.
step() {
  local name=$1 began status=0
  shift
  if ((dry)); then
    printf '%s:' "$name"
    printf ' %q' "$@"
    printf '\n'
    return 0
  fi
  printf '== %s\n' "$name"
  began=$SECONDS
  "$@" >"$out/logs/$name.log" 2>&1 || status=$?
  printf '%s\t%s\t%s\n' "$name" "$status" "$((SECONDS - began))" >>"$out/steps.tsv"
  if ((status)); then
    failed=1
    printf '   failed (%s); the last lines of %s:\n' "$status" "$out/logs/$name.log" >&2
    tail -n 5 "$out/logs/$name.log" | sed 's/^/   /' >&2
  fi
  return 0
}

# Environment, clocks and limits as they are before anything runs.
# shellcheck disable=SC2329  # called by step
environment() {
  date -u
  uname -srm
  cat /etc/os-release 2>/dev/null || true
  lscpu 2>/dev/null || true
  free -h 2>/dev/null || true
  git -C "$root" rev-parse HEAD 2>/dev/null || true
  nvidia-smi
  nvidia-smi --id="$device" -q -d CLOCK,PERFORMANCE,POWER,TEMPERATURE,MEMORY
}

# shellcheck disable=SC2329  # called by step
versions() {
  "${segue[0]}" --version
  "${segue[0]}" -m pip freeze
  "${segue[0]}" - <<'PYTHON'
import importlib
for name in ("tensorrt", "onnxruntime", "cuda.bindings", "numpy", "faiss", "torch"):
    try:
        module = importlib.import_module(name)
        print(name, getattr(module, "__version__", "unknown"))
    except Exception as error:
        print(name, "is not usable:", error)
PYTHON
}

# Clocks, power and load once a second while the benchmarks run: this shows throttling.
watcher=''
watch_start() {
  ((dry)) && return 0
  nvidia-smi --id="$device" -l 1 --format=csv \
    --query-gpu=timestamp,clocks.sm,clocks.mem,power.draw,temperature.gpu,utilization.gpu,memory.used \
    >"$out/clocks.csv" 2>/dev/null &
  watcher=$!
}
watch_stop() {
  if [[ -n $watcher ]]; then
    kill "$watcher" 2>/dev/null || true
    wait "$watcher" 2>/dev/null || true
    watcher=''
  fi
}
trap watch_stop EXIT

# shellcheck disable=SC2016  # the backquotes are Markdown's
report() {
  printf '# %s, %s\n\n' "${gpu:-no GPU}" "$(date -u +%Y-%m-%d)"
  printf 'Made by `benchmarks/gpu.sh` at commit %s.\n\n' "$(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)"
  printf '| step | result | seconds |\n|---|---|---|\n'
  while IFS=$'\t' read -r name status seconds; do
    if [[ $status == 0 ]]; then status='done'; else status="**failed** ($status)"; fi
    printf '| %s | %s | %s |\n' "$name" "$status" "$seconds"
  done <"$out/steps.tsv"
  printf '\n`plans.json`: the plans and how they compare with the CPU. `engines.json`, `search.json`: the benchmarks.\n'
  printf '`clocks.csv`: the GPU once a second meanwhile. `logs/`: the output of every step.\n'
  if [[ -f $out/engines.md ]]; then
    printf '\n'
    cat "$out/engines.md"
  fi
}

if ((!dry)); then
  mkdir -p "$out/logs" "$work"
  : >"$out/steps.tsv"
fi
extras='gpu,tensorrt'
[[ -n $run ]] && extras+=',train'
speed=()
((quick)) && speed=(--quick)

step environment environment
if ((install)); then
  step venv "$python" -m venv "$venv"
  step install "$venv/bin/python" -m pip install --upgrade -e "${root}[$extras]"
fi
step versions versions
step doctor "${segue[@]}" doctor
step plans "${segue[@]}" export --plans "$bundle" --precision all --device "$device" --plan-folder "$plans" \
  --plan-report "$out/plans.json"
step plans-cached "${segue[@]}" export --plans "$bundle" --precision all --device "$device" --plan-folder "$plans" \
  --plan-report "$out/plans-cached.json"
watch_start
step engines "${segue[@]}" bench engines -b "$bundle" --engines all --plans "$plans" --batches 1,8,32,128 \
  ${speed[@]+"${speed[@]}"} ${run:+--run "$run"} --json "$out/engines.json" --markdown "$out/engines.md"
step search "${segue[@]}" bench search ${speed[@]+"${speed[@]}"} --json "$out/search.json"
watch_stop
if ((dry)); then
  printf 'report: %s\n' "$out/REPORT.md"
  exit 0
fi
report >"$out/REPORT.md"
printf 'report: %s\n' "$out/REPORT.md"
exit "$failed"
