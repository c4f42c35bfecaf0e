#!/usr/bin/env bash
# All measurements that need a GPU, in one go and within eight minutes: plans, every engine that opens, torch, the search.
#
#   benchmarks/gpu.sh [--bundle FOLDER] [--run FOLDER] [--out FOLDER] [--work FOLDER] [--python PROGRAM] [--device N]
#                     [--no-install] [--wheels FOLDER] [--dry-run]
#   benchmarks/gpu.sh --pack FOLDER WHEEL...
#
# Leaves one folder: REPORT.md, report.json, the benchmarks' own JSON, clocks.csv and logs.txt. Each step has its own limit
# of time; one that fails or runs over it is recorded with its reason and the rest goes on; the exit code is 1 if any
# did. Packages come from the network, beyond the eight minutes; --no-install takes --python as it is. --wheels: a
# folder of wheels, whole or in pieces, for a machine without a network; --pack makes it (wheels in pieces of 40 MB, and
# their hashes). Needs an NVIDIA driver for CUDA 13 and Python 3.11 or later; without a GPU the rest is rehearsed.
set -euo pipefail

usage() { sed -n '2,14p' "$0" | sed 's/^# \{0,1\}//'; }
fail() {
  printf 'gpu.sh: %s\n' "$1" >&2
  exit 2
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bundle=$root/engines/bundles/default
run='' out='' wheels=''
work=${XDG_CACHE_HOME:-$HOME/.cache}/segue/gpu-bench
python=python3
device=0 install=1 dry=0
budget=480

pack() { # FOLDER WHEEL...
  (($# > 1)) || fail '--pack needs a folder and wheels'
  local folder=$1 wheel
  shift
  mkdir -p "$folder"
  for wheel in "$@"; do
    [[ -f $wheel ]] || fail "$wheel: there is no such file"
    split --bytes=40000000 --numeric-suffixes "$wheel" "$folder/$(basename "$wheel").part-"
    (cd "$(dirname "$wheel")" && sha256sum "$(basename "$wheel")") >>"$folder/SHA256SUMS"
  done
}

while (($#)); do
  case $1 in
    --bundle | --run | --out | --work | --python | --device | --wheels)
      (($# > 1)) || fail "$1 needs a value"
      printf -v "${1#--}" '%s' "$2"
      shift
      ;;
    --pack)
      shift
      pack "$@"
      exit 0
      ;;
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
for name in work wheels; do # steps go into folders of their own
  [[ -z ${!name} || ${!name} == /* ]] || printf -v "$name" '%s' "$PWD/${!name}"
done
[[ $python != */* || $python == /* ]] || python=$PWD/$python
[[ $device =~ ^[0-9]+$ ]] || fail "--device is $device, must be a number"
[[ -f $bundle/manifest.json ]] || fail "$bundle holds no bundle; name one with --bundle"
[[ -z $wheels || -f $wheels/SHA256SUMS ]] || fail "$wheels holds no SHA256SUMS; make it with --pack"
command -v timeout >/dev/null || fail 'timeout (GNU coreutils) is not on the PATH'

# The report's folder: the GPU's name as the driver reports it, and the day.
gpu=$(timeout 10 nvidia-smi --id="$device" --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1 || true)
slug=$(printf '%s' "${gpu:-no-gpu}" | tr '[:upper:]' '[:lower:]' | tr -cs 'a-z0-9' '-' | sed 's/^-*//; s/-*$//')
out=${out:-$root/benchmarks/results/$slug-$(date -u +%Y-%m-%d)}
plans=$work/plans
((install)) && python_here=$work/venv/bin/python || python_here=$python
segue=("$python_here" "$root/segue.py")
export root device wheels work python_here
export PYTHONPATH=$work/site${PYTHONPATH:+:$PYTHONPATH} ORT_DISABLE_TELEMETRY=1

failed=0 began=0
log() { printf '%s/logs/%s.log' "$work" "$1"; }
# record NAME RESULT SECONDS LIMIT REASON: one line of the report's table.
record() { printf '%s\t%s\t%s\t%s\t%s\n' "$@" >>"$work/steps.tsv"; }
# step LIMIT NAME COMMAND...: run it within LIMIT seconds, with its output in the log; record the result; never stop.
step() {
  local limit=$1 name=$2 started status=0 result reason=''
  shift 2
  if ((dry)); then
    printf '%s: [%s s]' "$name" "$limit"
    printf ' %q' "$@"
    printf '\n'
    return 0
  fi
  printf '== %s\n' "$name"
  if ((limit < 5)); then
    printf '   no time is left\n' >&2
    failed=1
    record "$name" 'no time' 0 "$limit" "the others took the $budget s"
    return 0
  fi
  started=$SECONDS
  timeout --kill-after=10 "$limit" "$@" >"$(log "$name")" 2>&1 </dev/null || status=$?
  case $status in
    0) result='done' ;;
    124 | 137) result="over $limit s" ;;
    *) result="failed ($status)" ;;
  esac
  if ((status)); then
    failed=1
    reason=$({ grep -m 1 -E '[[:space:]]broken[[:space:]]' "$(log "$name")" ||
      grep -v '^[[:space:]]*$' "$(log "$name")" | tail -n 1; } | tr '\t\r\f|' '    ' | cut -c 1-300 || true)
    printf '   %s: %s\n' "$result" "$reason" >&2
  fi
  record "$name" "$result" "$((SECONDS - started))" "$limit" "$reason"
}
# gpu_step: the same, for what cannot be tried without a GPU.
gpu_step() {
  if [[ -z $gpu ]] && ((!dry)); then
    printf '== %s: no GPU\n' "$2"
    failed=1
    record "$2" 'no GPU' 0 "$1" 'nvidia-smi lists none'
  else
    step "$@"
  fi
}

# Environment, clocks and limits as they are before anything runs.
environment() {
  date -u
  uname -srm
  cat /etc/os-release 2>/dev/null || true
  lscpu 2>/dev/null || true
  free -h 2>/dev/null || true
  cat /proc/loadavg 2>/dev/null || true
  nvidia-smi || { printf 'no GPU: nvidia-smi is not there or finds none\n'; return 0; }
  nvidia-smi --id="$device" -q -d CLOCK,PERFORMANCE,POWER,TEMPERATURE,MEMORY
}

versions() {
  "$python_here" --version
  "$python_here" -m pip freeze --path "$work/site" 2>/dev/null || true
  "$python_here" -m pip freeze || true
  "$python_here" - <<'PYTHON'
import importlib
for name in ("tensorrt", "tensorrt_rtx_bindings", "onnxruntime", "cuda.bindings", "numpy", "faiss", "torch"):
    try:
        module = importlib.import_module(name)
        print(name, getattr(module, "__version__", "unknown"))
    except Exception as error:
        print(name, "is not usable:", error)
PYTHON
}

# Join the pieces, check every hash, install what fits this Python beside what is there; a wheel that does not is named.
carried() {
  local name bad=0 whole=$work/wheels
  mkdir -p "$whole" "$work/site"
  while read -r _ name; do
    name=${name#\*}
    if [[ -f $wheels/$name ]]; then
      cp "$wheels/$name" "$whole/$name"
    else
      cat "$wheels/$name".part-* >"$whole/$name"
    fi
  done <"$wheels/SHA256SUMS"
  (cd "$whole" && sha256sum --check --strict "$wheels/SHA256SUMS") || return 1
  while read -r _ name; do
    "$python_here" -m pip install --quiet --no-index --no-deps --no-compile --upgrade --target "$work/site" \
      "$whole/${name#\*}" || { bad=1; printf '%s cannot be installed\n' "${name#\*}"; }
  done <"$wheels/SHA256SUMS"
  # ONNX Runtime looks for CUDA's libraries beside itself: those that came with torch.
  if [[ ! -e $work/site/nvidia ]]; then
    name=$("$python_here" -c 'import importlib.util as u; s = u.find_spec("nvidia"); print(*(s.submodule_search_locations if s else ()))')
    [[ -z $name ]] || ln -s "${name%% *}" "$work/site/nvidia"
  fi
  return "$bad"
}
export -f environment versions carried

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

if ((!dry)); then
  mkdir -p "$out" "$work"
  rm -rf "$work/logs" "$work/results"
  mkdir -p "$work/logs" "$work/results"
  : >"$work/steps.tsv"
fi
results=$work/results
extras='gpu,tensorrt,rtx'
[[ -n $run ]] && extras+=',train'
twins=()
[[ -n $run ]] && twins=(--run "$run")

if ((install)); then
  step 60 venv "$python" -m venv "$work/venv"
  step 900 install "$python_here" -m pip install --upgrade -e "${root}[$extras]"
  step 300 install-plugin "$python_here" -m pip install --upgrade onnxruntime-ep-nv-tensorrt-rtx-cu13
fi
[[ -n $wheels ]] && step 180 wheels bash -c carried
began=$SECONDS # the eight minutes; the limits below add up to 460 s, and the last step has what is left
step 15 environment bash -c environment
step 20 versions bash -c versions
step 45 doctor "${segue[@]}" doctor
step 40 plans-rtx "${segue[@]}" export --plans "$bundle" --rtx --plan-folder "$plans" \
  --plan-report "$results/plans-rtx.json"
gpu_step 90 plans "${segue[@]}" export --plans "$bundle" --precision all --device "$device" --plan-folder "$plans" \
  --plan-report "$results/plans.json"
gpu_step 20 plans-cached "${segue[@]}" export --plans "$bundle" --precision all --device "$device" \
  --plan-folder "$plans" --plan-report "$results/plans-cached.json"
exported=all html=()
if ((!dry)); then # the engines that run a bundle's files, as this version has them; torch has steps of its own
  "${segue[@]}" bench engines --help 2>/dev/null | grep -q -- --html && html=(--html "$out/engines.html")
  exported=$(cd "$root" && "$python_here" -c \
    'from benchmarks.engines.contenders import KINDS; print(",".join(k.name for k in KINDS if not k.torch))' \
    2>/dev/null) || exported=all
fi
common=(bench engines -b "$bundle" --plans "$plans" --batches 1,8,32,128 --threads 1)
watch_start
step 120 engines "${segue[@]}" "${common[@]}" --engines "${exported:-all}" --quick \
  ${html[@]+"${html[@]}"} --json "$results/engines.json" --markdown "$results/engines.md"
step 80 engines-torch "${segue[@]}" "${common[@]}" --engines onnx-cpu,torch-cuda-eager,torch-cuda-graphs --seconds 1.5 \
  ${twins[@]+"${twins[@]}"} --json "$results/engines-torch.json" --markdown "$results/engines-torch.md"
step 30 search "${segue[@]}" bench search --quick --json "$results/search.json"
left=$((budget - (SECONDS - began)))
gpu_step "$left" engines-compile "${segue[@]}" "${common[@]}" --engines onnx-cpu,torch-cuda-compile --seconds 1.5 \
  ${twins[@]+"${twins[@]}"} --json "$results/engines-compile.json" --markdown "$results/engines-compile.md"
watch_stop
if ((dry)); then
  printf 'report: %s\n' "$out/REPORT.md"
  exit 0
fi
tail -n +1 "$work"/logs/*.log | head -c 4000000 >"$out/logs.txt" || true # tail, cut off
commit=$(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)
if ! "$python" "$root/benchmarks/gpu_report.py" "$work" "$out" "${gpu:-no GPU}" "$commit"; then
  failed=1
  { printf '# %s: the report could not be put together; what ran:\n\n```\n' "${gpu:-no GPU}"; cat "$work/steps.tsv"; printf '```\n'; } \
    >"$out/REPORT.md"
fi
printf 'report: %s (%s s)\n' "$out/REPORT.md" "$((SECONDS - began))"
exit "$failed"
