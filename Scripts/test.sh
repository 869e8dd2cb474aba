#!/bin/bash
# Sets up, builds and runs every test, then sums the runners in one last line.
#
# Most black-box tests wait: for a lease to end, for a node to be missed. Compilers never do. So the
# Swift tests are built and run beside two runs of pytest; whatever measures or loads the machine
# (marked `alone`) comes after them, by itself.
#
# The runners write their results as JUnit XML, because exit codes and printed totals have holes: a
# runner that crashed, or ran nothing, must count as a failure (Scripts/tally.py does that sum).
set -uo pipefail
cd "$(dirname "$0")/.."

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
stop() {
    echo "test: $1" >&2
    echo '0 passed, 1 failed, 0 skipped'
    exit 1
}

swift_tests() {
    # Whoever waits for an answer goes first.
    renice -n 5 $BASHPID >/dev/null
    swift build --build-tests >"$results/build.log" 2>&1 || {
        cat "$results/build.log"
        return 1
    }
    timeout --foreground --signal INT --kill-after 20 900 \
        swift test --skip-build --disable-xctest --xunit-output "$results/swift.xml" \
        >"$results/swift.log" 2>&1
    local status=$?
    [[ $status -eq 0 ]] || grep -vE '^(◇|✔|➜)' "$results/swift.log"
    return $status
}

# black_box NAME ARGUMENT...
black_box() {
    /usr/bin/python3 -m pytest -q -rs --junitxml "$results/$1.xml" "${@:2}"
}

Scripts/setup.sh || stop 'set-up failed'
Scripts/build.sh || stop 'the release build failed'

# Each part is a process group of its own, and an end by Ctrl-C reaches each as if it were alone:
# pytest then stops its nodes.
set -m
end_parts() {
    for part in $(jobs -p); do kill -INT -- "-$part" 2>/dev/null; done
    wait
    exit 130
}
trap end_parts INT TERM

echo 'test: Swift tests (debug build), Tests/Conformance and Tests/Live side by side'
swift_tests >"$results/swift.out" 2>&1 &
swift=$!
black_box live -m 'not alone' Tests/Live >"$results/live.out" 2>&1 &
live=$!
black_box conformance Tests/Conformance &
wait $!
conformance_status=$?
wait $live
live_status=$?
cat "$results/live.out"
wait $swift
swift_status=$?
cat "$results/swift.out" >&2

echo 'test: what measures or loads this machine, alone'
black_box alone -m alone Tests/Live &
wait $!
alone_status=$?

/usr/bin/python3 Scripts/tally.py \
    "Swift:$swift_status:$results/swift-swift-testing.xml,$results/swift.xml" \
    "Conformance:$conformance_status:$results/conformance.xml" \
    "Live:$live_status:$results/live.xml" \
    "alone:$alone_status:$results/alone.xml"
