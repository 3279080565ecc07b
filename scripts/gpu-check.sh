#!/usr/bin/env bash
# Proves and measures the CUDA core on this machine's card: npm run gpu-check -- [options]
#
#   --quick          the build, instruction vectors, correctness, ten timings
#   --only NAMES     steps (vectors, kernels, ceilings, timing, networks) or parts of kernels' names, commas between
#   --out FOLDER     where gpu-check.json goes; default bench/gpu/<card>/<date>.json
#   --no-torch       without PyTorch's times beside ours
#   --no-sanitizer   without compute-sanitizer's memcheck, racecheck and synccheck of the kernels' cases
#   --strict         exits with 2 where a target is missed
#   --tune           writes the times of all tiles and slices, tune.txt
#
# Needs bash, CMake, a C++20 compiler; nvcc for a card; python3 with PyTorch for the comparison alone. Without a card or
# nvcc it runs what the emulated device can show. Exits with 1 for a wrong result.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

BUILD=${IPA_GPU_CHECK_BUILD:-build-gpu}
OUT=
TORCH=yes
SANITIZER=yes
STRICT=()
GIVEN=()
while [ $# -gt 0 ]; do
  case "$1" in
    --quick) GIVEN+=("$1") && SANITIZER= ;;
    --tune) GIVEN+=("$1") ;;
    --strict) STRICT=(--strict) ;;
    --only) GIVEN+=(--only "${2:?--only wants names}") && SANITIZER= && shift ;;
    --out) OUT=${2:?--out wants a folder} && shift ;;
    --no-torch) TORCH= ;;
    --no-sanitizer) SANITIZER= ;;
    *) echo "gpu-check: there is no option $1; the head of scripts/gpu-check.sh lists them" >&2 && exit 64 ;;
  esac
  shift
done

asked() { nvidia-smi --query-gpu="$1" --format=csv,noheader --id=0 2>/dev/null | head -n 1 || true; }
clocks() { asked clocks.sm,clocks.mem,power.draw,temperature.gpu; }

NVCC=$(PATH="$PATH:${CUDA_HOME:-/usr/local/cuda}/bin:/usr/local/cuda/bin" command -v nvcc || true)
CAPABILITY=$(asked compute_cap | tr -d '. ')
CARD=$(asked name)
[[ $CAPABILITY =~ ^[0-9]+$ ]] || CAPABILITY=
JOBS=$(nproc 2>/dev/null || echo 4)
CUDA=(-DIPA_CUDA=OFF)
if [ -z "$CAPABILITY" ]; then
  echo "gpu-check: no NVIDIA card is found (nvidia-smi names none): the emulated part runs"
elif [ -z "$NVCC" ]; then
  echo "gpu-check: $CARD is here, nvcc is not: install the CUDA toolkit 13.0 or set CUDA_HOME. The emulated part runs"
  CAPABILITY=
else
  echo "gpu-check: $CARD, capability $CAPABILITY, $NVCC"
  CUDA=(-DIPA_CUDA=ON -DIPA_CUDA_ARCHITECTURES="$CAPABILITY" -DIPA_CUDA_PTX= -DIPA_NVCC="$NVCC")
fi

mkdir -p "$BUILD"
STARTED=$SECONDS
LOG=$BUILD/gpu-check.log
if ! { cmake -S . -B "$BUILD" -DCMAKE_BUILD_TYPE=Release "${CUDA[@]}" &&
  cmake --build "$BUILD" -j "$JOBS" --target ipa_gpu_check; } >"$LOG" 2>&1; then
  tail -n 40 "$LOG" >&2
  echo "gpu-check: the build failed, all of it in $LOG" >&2
  exit 1
fi
echo "gpu-check: built in $((SECONDS - STARTED)) s with $JOBS jobs"
PROGRAM=$BUILD/Release/ipa_gpu_check
[ -x "$PROGRAM" ] || PROGRAM=$BUILD/ipa_gpu_check

if [ -z "$CAPABILITY" ]; then
  OUT=${OUT:-$BUILD/out}
  JSON=$OUT/gpu-check.json
  GIVEN+=(--emulated)
elif [ -n "$OUT" ]; then
  JSON=$OUT/gpu-check.json
else
  OUT=$BUILD/out
  FOLDER=bench/gpu/$(echo "$CARD" | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9-')
  mkdir -p "$FOLDER"
  JSON=$FOLDER/$(date -u +%Y-%m-%d).json
fi
mkdir -p "$OUT"
COMMIT=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
CODE=0
"$PROGRAM" "${GIVEN[@]}" --out "$OUT" --json "$JSON" --commit "$COMMIT" --clocks "$(clocks)" --no-table || CODE=$?
[ -f "$JSON" ] || exit 1

if [ -n "$CAPABILITY" ] && [ -n "$SANITIZER" ]; then
  TOOL=$(PATH="$PATH:$(dirname "$NVCC"):/usr/local/cuda/bin" command -v compute-sanitizer || true)
  [ -n "$TOOL" ] || echo "gpu-check: compute-sanitizer is not here: no memcheck, racecheck, synccheck"
  for CHECK in ${TOOL:+memcheck racecheck synccheck}; do
    LOG=$BUILD/$CHECK.log
    "$TOOL" --tool "$CHECK" "$PROGRAM" --only kernels --out "$BUILD/$CHECK" --json "$BUILD/$CHECK.json" --commit "$COMMIT" \
      --no-table >"$LOG" 2>&1 || true
    FOUND=$(grep -E 'ERROR SUMMARY|RACECHECK SUMMARY' "$LOG" | tail -n 1 || true)
    case "$FOUND" in
      *" 0 errors"* | *" 0 hazards"*) echo "gpu-check: $CHECK finds nothing" ;;
      '') echo "gpu-check: $CHECK did not work here: $(tail -n 1 "$LOG")" ;;
      *) echo "gpu-check: $CHECK: $FOUND, all of it in $LOG" && CODE=1 ;;
    esac
  done
fi

if [ -n "$CAPABILITY" ]; then
  sed -i "s|\"clocks_after\": \"\"|\"clocks_after\": \"$(clocks)\"|" "$JSON"
  if [ -n "$TORCH" ]; then
    if python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; then
      python3 bench/gpu/baseline.py "$JSON" || echo "gpu-check: the comparison failed; its times are missing"
    else
      echo "gpu-check: python3 has no PyTorch with CUDA: no comparison"
    fi
  fi
fi
TABLE=0
"$PROGRAM" --table "$JSON" "${STRICT[@]}" || TABLE=$?
[ "$CODE" -ne 0 ] && exit 1
exit "$TABLE"
