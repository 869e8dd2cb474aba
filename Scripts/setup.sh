#!/bin/bash
# Makes a Debian 12 that has only the Swift toolchain ready to build and test Quell.
#
# Asks nothing and may be run at any time: what is installed is left alone, so a second run needs no
# network and takes a fraction of a second. Without root it prints the one line to run and stops.
# `Scripts/setup.sh bench` installs, besides, the servers that `make bench` measures us against.
# None of them is started, now or at the next boot: the harness runs its own, on ports of its own.
set -euo pipefail

# Libraries that the server links; the versions are Debian 12's (DESIGN section 12).
build=(libuv1-dev liblmdb-dev node-llhttp libssl-dev libidn2-dev libunistring-dev pkg-config)
# What SwiftPM and clang themselves need to fetch and link packages.
toolchain=(git ca-certificates make binutils libc6-dev libstdc++-12-dev zlib1g-dev)
# What the black-box tests drive and inspect with.
tests=(curl redis-tools python3 python3-pytest python3-h11 python3-redis python3-lmdb python3-yaml
    python3-pip e2fsprogs prometheus iproute2 nftables util-linux wrk)
# What `make bench` measures beside Quell.
references=(redis-server nginx postgresql-15 serf)

fail() { printf 'setup: %s\n' "$1" >&2; exit 1; }

command -v swift >/dev/null || fail \
    'no `swift` on PATH; install Swift 6.3 from https://www.swift.org/install/linux/ and retry'
command -v dpkg-query >/dev/null || fail \
    'this is not a Debian system; install the packages named in Scripts/setup.sh your own way'

wanted=("${build[@]}" "${toolchain[@]}" "${tests[@]}")
case ${1-} in
'') ;;
bench) wanted+=("${references[@]}") ;;
*) fail "unknown argument \`$1\`; it is \`bench\` or nothing" ;;
esac

missing=()
installed=" $(dpkg-query -W -f '${Package}=${db:Status-Status} ' "${wanted[@]}" 2>/dev/null ||
    true)"
for package in "${wanted[@]}"; do
    [[ $installed == *" $package=installed "* ]] || missing+=("$package")
done
# What comes from PyPI lies in folders of its own, stamped with the pins that it came from: the
# wasm engine, which the node finds there, and what tests need.
here=$(dirname "$0")/..
wheels=("$here/Runtime/CWasmtime/requirements.txt:$here/.build/wasmtime"
    "$here/Tests/requirements.txt:$here/.build/python")
add_wheels() {
    local wheel pins target
    for wheel in "${wheels[@]}"; do
        pins=${wheel%%:*} target=${wheel##*:}
        if cmp -s "$pins" "$target/pins.txt"; then continue; fi
        rm -rf "$target"
        mkdir -p "$target"
        /usr/bin/python3 -m pip install --quiet --disable-pip-version-check \
            --root-user-action=ignore --no-deps --require-hashes --target "$target" \
            --requirement "$pins" </dev/null || fail "pip could not install $pins; see above"
        cp "$pins" "$target/pins.txt"
    done
}
have_wheels() {
    local wheel
    for wheel in "${wheels[@]}"; do
        cmp -s "${wheel%%:*}" "${wheel##*:}/pins.txt" || return 1
    done
}
if [[ ${#missing[@]} -eq 0 ]]; then
    if have_wheels; then
        echo 'setup: nothing to do'
    else
        add_wheels
        echo 'setup: done'
    fi
    exit 0
fi

# What of it runs as a service; we want the programs only.
services=()
for service in redis-server nginx postgresql prometheus serf; do
    if [[ " ${missing[*]} " == *" $service"[\ -]* ]]; then services+=("$service"); fi
done

become=()
if [[ $(id -u) -ne 0 ]]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        become=(sudo -n)
    else
        echo 'setup: root is needed once; run this line, then repeat:' >&2
        line="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
        # Ours to end, since nobody tells that line not to start them.
        [[ ${#services[@]} -eq 0 ]] || line+=" && systemctl disable --now ${services[*]}"
        echo "$line" >&2
        exit 1
    fi
fi

# Debian starts a service as soon as it is installed, unless this file says no; ours says it for the
# length of the installation only.
policy=/usr/sbin/policy-rc.d
log=$(mktemp)
made_policy=
clean_up() {
    rm -f "$log"
    if [[ -n $made_policy ]]; then "${become[@]}" rm -f "$policy"; fi
}
trap clean_up EXIT
echo "setup: installing ${missing[*]}"
install() {
    if [[ ! -e $policy ]]; then
        made_policy=yes
        printf '#!/bin/sh\nexit 101\n' | "${become[@]}" tee "$policy" >/dev/null
        "${become[@]}" chmod 755 "$policy"
    fi
    "${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
        "${become[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -q --no-install-recommends "${missing[@]}"
}
if ! install </dev/null >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail 'apt failed, see above'
fi
# Only what was installed just now: a service that was here before is somebody's. Without systemd
# there is nothing to disable, and nothing will start it.
if [[ ${#services[@]} -gt 0 ]] && command -v systemctl >/dev/null; then
    "${become[@]}" systemctl --quiet disable "${services[@]}" >/dev/null 2>&1 || true
fi
add_wheels
echo 'setup: done'
