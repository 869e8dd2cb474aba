#!/bin/bash
# Membership at scale: crowds of 100 and 1,000 simulated nodes, memberlist's rules beside Quell's.
#
#   Scripts/crowd.sh [NODES [SECONDS [SEED]]] [PART...]      default: both sizes, 600 s, seed 1
#
# Prints the tables of Docs/membership.md; parts (Tests/Crowd/Entry) limit which. The modules are
# compiled a second time, optimised, into .build/crowd: the tests' debug build is twenty times
# slower, and needs another target than a test.
set -euo pipefail
cd "$(dirname "$0")/.."

built=.build/crowd
mkdir -p "$built"
flags=(-O -wmo -enable-testing -swift-version 6 -I "$built"
    -enable-upcoming-feature ExistentialAny -enable-upcoming-feature MemberImportVisibility
    -enable-upcoming-feature InternalImportsByDefault)
for module in Suppression Cluster; do
    swiftc "${flags[@]}" -parse-as-library -module-name "$module" -emit-module \
        -emit-module-path "$built/$module.swiftmodule" -c -o "$built/$module.o" \
        "Sources/$module"/*.swift
done
mapfile -t sources < <(find Tests/Crowd -name '*.swift' ! -name '*Tests.swift' | sort)
swiftc "${flags[@]}" -module-name crowd "${sources[@]}" "$built/Suppression.o" \
    "$built/Cluster.o" -lm -o "$built/crowd"
exec stdbuf -oL "$built/crowd" "$@"
