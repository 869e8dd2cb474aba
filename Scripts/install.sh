#!/bin/sh
# Copies what `make build` made, and what it looks for beside itself, below PREFIX.
#
#     Scripts/install.sh PREFIX       default: /usr/local
#
#     PREFIX/bin/quell
#     PREFIX/lib/quell/functions/*.wasm       the shipped functions
#     PREFIX/lib/quell/wasmtime/              the engine, when Scripts/setup.sh has fetched it
#     PREFIX/share/quell/kit/                 FunctionKit, for `quell fn build` from any folder
set -eu
cd "$(dirname "$0")/.."
prefix=${1:-/usr/local}
if [ ! -x .build/release/quell ]; then
    echo 'install: .build/release/quell is not there; run `make build` first' >&2
    exit 1
fi
mkdir -p "$prefix/bin" "$prefix/lib/quell/functions" "$prefix/lib/quell/wasmtime" \
    "$prefix/share/quell/kit"
# Beside its place and renamed: a running quell keeps the file that it was started from.
cp .build/release/quell "$prefix/bin/quell.$$"
mv "$prefix/bin/quell.$$" "$prefix/bin/quell"
for manifest in Functions/*/function.yaml; do
    name=$(basename "$(dirname "$manifest")")
    cp ".build/functions/$name.wasm" "$prefix/lib/quell/functions/"
done
if [ -d .build/wasmtime/wasmtime ]; then
    cp .build/wasmtime/wasmtime/linux-*/_libwasmtime.so "$prefix/lib/quell/wasmtime/"
else
    echo 'install: no engine in .build/wasmtime; nodes will run built-ins alone' >&2
fi
rm -rf "$prefix/share/quell/kit/Suppression" "$prefix/share/quell/kit/FunctionKit"
cp -R Sources/Suppression Sources/FunctionKit Functions/shim.c "$prefix/share/quell/kit/"
echo "install: $prefix/bin/quell"
