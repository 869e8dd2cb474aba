#!/bin/bash
# Builds the release binary and the functions as wasm, quiet unless something fails.
set -euo pipefail
cd "$(dirname "$0")/.."
# `quell --version` names it.
QUELL_COMMIT=$(Scripts/commit.sh)
export QUELL_COMMIT
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo 'build: swift build -c release --product quell (the first time takes some minutes)'
if ! swift build -c release --product quell >"$log" 2>&1; then
    cat "$log" >&2
    echo 'build: failed, see above' >&2
    exit 1
fi
if ! Scripts/wasm.sh >"$log" 2>&1; then
    cat "$log" >&2
    echo 'build: the functions do not build for wasm, see above' >&2
    exit 1
fi
cat "$log"
echo 'build: .build/release/quell'
