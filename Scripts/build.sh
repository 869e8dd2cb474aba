#!/bin/bash
# Builds the release binary, quiet unless it fails.
set -euo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo 'build: swift build -c release --product quell (the first time takes some minutes)'
if ! swift build -c release --product quell >"$log" 2>&1; then
    cat "$log" >&2
    echo 'build: failed, see above' >&2
    exit 1
fi
echo 'build: .build/release/quell'
