#!/usr/bin/env bash
# Training on a machine with a GPU, against PyTorch there.
#
#   cuda.sh pack    here: what was built (cargo xtask build [--debug]), stripped, into target/cuda-bundle
#   cuda.sh run     there, with that folder: needs Python with torch 2.11 (its libtorch is used) and cv2 for the comparison
#
# Prints lines that begin with `ours` and `theirs`; how busy the GPU was comes from nvidia-smi.
set -euo pipefail
cd "$(dirname "$0")/../.."
bundle=target/cuda-bundle

pack() {
    local from=target/${1:-debug}
    rm -rf "$bundle" && mkdir -p "$bundle/plugins"
    strip -o "$bundle/ferrule" "$from/ferrule"
    for plugin in "$from"/plugins/*.so; do strip -o "$bundle/plugins/$(basename "$plugin")" "$plugin"; done
    chmod -R go-w "$bundle"
    du -sh "$bundle"
}

busy() { # command... : runs it and says how busy the GPU was meanwhile
    local log watch
    log=$(mktemp)
    nvidia-smi --query-gpu=utilization.gpu --format=csv,noheader,nounits -lms 200 >"$log" 2>/dev/null &
    watch=$!
    "$@"
    kill "$watch" 2>/dev/null || true
    # The first and last fifth are start and end.
    sort -n "$log" | awk '{v[NR]=$1} END {if (NR) print "gpu busy: median " v[int((NR+1)/2)] " %, 80th percentile " v[int(NR*0.8)] " %"}'
    rm -f "$log"
}

ours() { # label task arch batch precision epochs
    echo "== ours $1"
    busy "$ferrule" train --root "$work/dataset" --truth "$work/truth.json" --task "$2" --arch "$3" --batch "$4" \
        --epochs "$6" --set device=cuda --set "precision=$5" --levels relief --model "$1"
}

run() {
    chmod -R go-w "$bundle" # what came over a line may be writable by others, and such plug-ins are refused
    ferrule=$PWD/$bundle/ferrule
    work=$(mktemp -d)
    LIBTORCH=$(python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))')
    export LIBTORCH XDG_CACHE_HOME=$work/cache
    python3 -c 'import torch; print("torch", torch.__version__, "cuda", torch.cuda.is_available(), torch.cuda.get_device_name(0) if torch.cuda.is_available() else "")'
    "$ferrule" plugin list 2>&1 | grep -i torch || true
    "$ferrule" simulate --preset train-v1 --count "${COUNT:-3000}" --seed 1 --out "$work/raw" --truth "$work/truth.json" >/dev/null 2>&1
    "$ferrule" build "$work/raw" --out "$work/dataset" 2>&1 | tail -3
    cd "$work"
    ours simple-f32 classify simple 256 full 6
    ours simple-bf16 classify simple 256 bf16 4
    ours unet-bf16 defects unet 64 bf16 6
    ours unet-f32 defects unet 64 full 3
    cd - >/dev/null
    if python3 -c 'import cv2' 2>/dev/null; then
        echo "== theirs simple"
        busy python3 tests/peers/train_baseline.py "$work/dataset" --network simple --batch 256 --epochs 3
        echo "== theirs unet"
        busy python3 tests/peers/train_baseline.py "$work/dataset" --network unet --batch 64 --epochs 2
    else
        echo "theirs: SKIPPED, no cv2"
    fi
    rm -rf "$work"
}

"${1:-run}" "${@:2}"
