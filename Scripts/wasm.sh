#!/bin/sh
# Builds every function of Functions/ as a core wasm module with the toolchain's own Embedded Swift.
#
#     Scripts/wasm.sh [NAME...]        default: all folders with a function.yaml
#
# Writes .build/functions/NAME.wasm, prints its size, and fails when it is larger than the
# manifest's artifact_bytes or misses one of the four exports. Same tree, same bytes: paths are
# mapped away, inputs sorted, everything stripped. No network, no SDK.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd)
bin=$(dirname "$(readlink -f "$(command -v swiftc)")")
out=.build/functions
mkdir -p "$out"

target=wasm32-unknown-none-wasm
flags="-target $target -enable-experimental-feature Embedded -enable-experimental-feature Extern
    -wmo -Osize -parse-as-library -swift-version 6 -strict-memory-safety -warnings-as-errors
    -enable-upcoming-feature ExistentialAny -enable-upcoming-feature MemberImportVisibility
    -enable-upcoming-feature InternalImportsByDefault -Xfrontend -disable-stack-protector
    -Xfrontend -disable-incremental-llvm-codegen
    -file-prefix-map $root=. -I $out"

# module NAME SOURCE...: compiles one module for the guests.
module() {
    module_name=$1
    shift
    # shellcheck disable=SC2086 — the flags are words on purpose
    "$bin/swiftc" $flags -module-name "$module_name" \
        -emit-module -emit-module-path "$out/$module_name.swiftmodule" \
        -c "$@" -o "$out/$module_name.o"
}

module Suppression $(printf '%s\n' Sources/Suppression/*.swift | LC_ALL=C sort)
module FunctionKit $(printf '%s\n' Sources/FunctionKit/*.swift | LC_ALL=C sort)
# -fno-builtin, or memcpy's loop would be compiled into a call of memcpy.
"$bin/clang" --target=wasm32-unknown-unknown -Os -fno-builtin -ffreestanding -Wall -Werror \
    -c Functions/shim.c -o "$out/shim.o"

if [ $# -eq 0 ]; then
    for manifest in Functions/*/function.yaml; do
        set -- "$@" "$(basename "$(dirname "$manifest")")"
    done
fi

for name in "$@"; do
    module "Guest_$name" $(printf '%s\n' Functions/"$name"/Sources/*.swift | LC_ALL=C sort)
    pages=$(sed -n 's/^ *memory_pages: *\([0-9]*\).*/\1/p' "Functions/$name/function.yaml")
    memory=$((65536 * ${pages:?function.yaml names no memory_pages}))
    "$bin/wasm-ld" --no-entry --gc-sections --strip-all --stack-first -z stack-size=8192 \
        --initial-memory=$memory --max-memory=$memory --export-memory \
        "$out/Guest_$name.o" "$out/FunctionKit.o" "$out/Suppression.o" "$out/shim.o" \
        -o "$out/$name.wasm"
    bytes=$(wc -c <"$out/$name.wasm")
    limit=$(sed -n 's/^ *artifact_bytes: *\([0-9]*\).*/\1/p' "Functions/$name/function.yaml")
    echo "$name.wasm $bytes bytes (limit ${limit:?function.yaml names no artifact_bytes})"
    [ "$bytes" -le "$limit" ] || { echo "$name.wasm is too large" >&2; exit 1; }
    for export in memory quell_abi quell_io quell_handle; do
        grep -aq "$export" "$out/$name.wasm" ||
            { echo "$name.wasm: no export $export" >&2; exit 1; }
    done
    # The toolchain's own interpreter instantiates the module and asks for its ABI: 1.0.
    if [ -x "$bin/wasmkit" ]; then
        "$bin/wasmkit" run "$out/$name.wasm" quell_abi | grep -q 'i32(65536)' ||
            { echo "$name.wasm does not run" >&2; exit 1; }
    fi
done
