#!/bin/bash
# Fuzzes every reader of strangers' bytes with libFuzzer, and HTTP against an independent parser.
#
#   Scripts/fuzz.sh SECONDS            every target for that long, one after the other
#   Scripts/fuzz.sh SECONDS TARGET     one target (resp http token form csv ndjson qfn address h11)
#   Scripts/fuzz.sh 0 TARGET FILE      one input again
#
# The modules are built a second time, optimised and instrumented, into .build-fuzz; the harness
# (Tests/Fuzz) is linked against their objects by hand, as SwiftPM cannot link an executable for
# libFuzzer. Inputs that reached something new stay in .build-fuzz/corpus and are where the next run
# begins. A finding is kept in .build-fuzz/findings with the line that repeats it, and ends in exit
# code 1; minimise it, add it to Tests/Fuzz/Seeds, and `make test` guards it from then on.
set -uo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-60}
targets=(resp http token form csv ndjson qfn address h11)
[[ $# -ge 2 ]] && targets=("$2")
scratch=.build-fuzz
built=$scratch/release
program=$scratch/quell-fuzz
mkdir -p "$scratch"

fail() { printf 'fuzz: %s\n' "$1" >&2; exit 1; }

build() {
    local log=$scratch/build.log module
    echo 'fuzz: building the instrumented modules (the first time takes some minutes)'
    : >"$log"
    for module in Address FunctionHost FunctionKit Servers Token; do
        swift build -c release --sanitize fuzzer --scratch-path "$scratch" \
            -Xswiftc -enable-testing --target "$module" >>"$log" 2>&1 ||
            { cat "$log" >&2; fail 'the build failed, see above'; }
    done
    local objects=() parts=(Suppression Wire Address FunctionKit FunctionHost CWasmtime Token
        EventLoop Servers CLLHTTP Crypto CryptoBoringWrapper CCryptoBoringSSL
        CCryptoBoringSSLShims CXKCP CXKCPShims)
    for module in "${parts[@]}"; do
        [[ -d $built/$module.build ]] || continue
        mapfile -t -O "${#objects[@]}" objects < <(find "$built/$module.build" -name '*.o')
    done
    local maps=() map
    for map in Sources/*/module.modulemap Runtime/*/module.modulemap \
        "$built/CLLHTTP.build/module.modulemap" "$built/CWasmtime.build/module.modulemap"; do
        [[ -f $map ]] && maps+=(-Xcc "-fmodule-map-file=$map")
    done
    swiftc -O -swift-version 6 -parse-as-library -sanitize=fuzzer -I "$built/Modules" \
        -I Runtime/CLLHTTP/include -I Runtime/CWasmtime/include "${maps[@]}" \
        -enable-upcoming-feature MemberImportVisibility \
        Tests/Fuzz/Targets/*.swift Tests/Fuzz/Entry/*.swift "${objects[@]}" \
        -luv -lidn2 -lunistring -lcrypto -lstdc++ -o "$program" >"$log" 2>&1 ||
        { cat "$log" >&2; fail 'the harness does not link, see above'; }
}

# One target under libFuzzer; prints what it did.
explore() {
    local target=$1 corpus=$scratch/corpus/$1 findings=$scratch/findings/$1 log=$scratch/$1.log
    mkdir -p "$corpus" "$findings"
    local length=1024
    [[ $target == token ]] && length=256
    [[ $target == address ]] && length=400
    local started=$SECONDS
    QUELL_FUZZ_TARGET=$target SWIFT_BACKTRACE=enable=no "$program" -max_total_time="$seconds" \
        -max_len=$length -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=1 \
        -artifact_prefix="$findings/" "$corpus" "Tests/Fuzz/Seeds/$target" >"$log" 2>&1
    local status=$? runs
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    printf 'fuzz: %-8s %11s executions  %5s s  %6s inputs kept  %s findings\n' "$target" \
        "${runs:-?}" $((SECONDS - started)) "$(find "$corpus" -type f | wc -l)" $((status != 0))
    if [[ $status -ne 0 ]]; then
        local input
        input=$(sed -n "s/.*Test unit written to //p" "$log" | tail -n 1)
        grep -a -E 'finding:|Fatal error|ERROR: libFuzzer' "$log" | head -n 3
        echo "fuzz: found ${input:-nothing, see $log}"
        echo "fuzz: repeat with  Scripts/fuzz.sh 0 $target ${input:-FILE}"
    fi
    return $((status != 0))
}

build
if [[ $# -ge 3 ]]; then
    if [[ $2 == h11 ]]; then
        exec /usr/bin/python3 Scripts/fuzz_h11.py "$program" 0 "$3"
    fi
    QUELL_FUZZ_TARGET=$2 SWIFT_BACKTRACE=enable=no exec "$program" "$3"
fi

found=0
for target in "${targets[@]}"; do
    if [[ $target == h11 ]]; then
        /usr/bin/python3 Scripts/fuzz_h11.py "$program" "$seconds" \
            Tests/Fuzz/Seeds/http "$scratch/corpus/http" || found=1
    else
        explore "$target" || found=1
    fi
done
exit $found
