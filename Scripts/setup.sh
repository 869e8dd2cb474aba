#!/bin/bash
# Makes a Debian 12 that has only the Swift toolchain ready to build and test Quell.
#
# Asks nothing and may be run at any time: what is installed is left alone, so a second run needs no
# network and takes a fraction of a second. Without root it prints the one line to run and stops.
set -euo pipefail

# Libraries that the server links; the versions are Debian 12's (DESIGN section 12).
build=(libuv1-dev liblmdb-dev node-llhttp libssl-dev libidn2-dev libunistring-dev pkg-config)
# What SwiftPM and clang themselves need to fetch and link packages.
toolchain=(git ca-certificates make binutils libc6-dev libstdc++-12-dev zlib1g-dev)
# What the black-box tests drive and inspect with.
tests=(curl redis-tools python3 python3-pytest python3-h11 python3-redis python3-lmdb e2fsprogs)

fail() { printf 'setup: %s\n' "$1" >&2; exit 1; }

command -v swift >/dev/null || fail \
    'no `swift` on PATH; install Swift 6.3 from https://www.swift.org/install/linux/ and retry'
command -v dpkg-query >/dev/null || fail \
    'this is not a Debian system; install the packages named in Scripts/setup.sh your own way'

missing=()
installed=" $(dpkg-query -W -f '${Package}=${db:Status-Status} ' 2>/dev/null \
    "${build[@]}" "${toolchain[@]}" "${tests[@]}" || true)"
for package in "${build[@]}" "${toolchain[@]}" "${tests[@]}"; do
    [[ $installed == *" $package=installed "* ]] || missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 ]]; then
    echo 'setup: nothing to do'
    exit 0
fi

become=()
if [[ $(id -u) -ne 0 ]]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        become=(sudo -n)
    else
        echo 'setup: root is needed once; run this line, then repeat:' >&2
        echo "apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "setup: installing ${missing[*]}"
install() {
    "${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
        "${become[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -q --no-install-recommends "${missing[@]}"
}
if ! install </dev/null >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail 'apt failed, see above'
fi
echo 'setup: done'
