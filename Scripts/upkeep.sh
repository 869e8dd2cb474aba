#!/bin/bash
# What digest, sketch and index cost a commit: nanoseconds a mark, pages, one JSON line a size.
#
#   Scripts/upkeep.sh FOLDER [ROUNDS]      FOLDER: an empty one, in memory; default 41 rounds
#
# The modules are compiled a second time, optimised, into .build/upkeep, since what is compared with
# and without lies inside of Storage.
set -euo pipefail
cd "$(dirname "$0")/.."

built=.build/upkeep
mkdir -p "$built"
flags=(-O -wmo -enable-testing -swift-version 6 -I "$built" -I Sources/CLMDB
    -enable-upcoming-feature ExistentialAny -enable-upcoming-feature MemberImportVisibility
    -enable-upcoming-feature InternalImportsByDefault)
for module in Suppression Storage; do
    swiftc "${flags[@]}" -parse-as-library -module-name "$module" -emit-module \
        -emit-module-path "$built/$module.swiftmodule" -c -o "$built/$module.o" \
        "Sources/$module"/*.swift
done
swiftc "${flags[@]}" -module-name upkeep Tests/Benchmarks/Upkeep/main.swift \
    "$built/Suppression.o" "$built/Storage.o" -llmdb -o "$built/upkeep"
exec "$built/upkeep" "$1" "${2-41}"
