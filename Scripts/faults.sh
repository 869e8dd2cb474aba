#!/bin/bash
# A node that kills itself at each stage of a deploy, and what becomes of it (Tests/Live/
# deploy_faults.py).
#
# The places are compiled in with -DFAULTS alone, into .build-faults: what is shipped has no trace
# of them, which Tests/Live/test_functions_apart.py looks for.
set -euo pipefail
cd "$(dirname "$0")/.."

flags=(-c debug --product quell --scratch-path .build-faults -Xswiftc -DFAULTS)
swift build "${flags[@]}" 2>&1 | tail -3
# The engine is looked for beside the program.
ln -sfn "$PWD/.build/wasmtime" .build-faults/wasmtime
binary=$(swift build "${flags[@]}" --show-bin-path)/quell
QUELL_TEST_BINARY=$binary QUELL_LIVE=full \
    /usr/bin/python3 -m pytest Tests/Live/deploy_faults.py -v -s
