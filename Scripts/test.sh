#!/bin/bash
# Sets up, builds and runs every test, then sums the runners in one last line.
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

Scripts/setup.sh || stop 'set-up failed'
Scripts/build.sh || stop 'the release build failed'

echo 'test: Swift tests (debug build)'
swift build --build-tests >"$results/build.log" 2>&1 || {
    cat "$results/build.log" >&2
    stop 'the test build failed'
}
timeout 600 swift test --skip-build --disable-xctest --xunit-output "$results/swift.xml" \
    >"$results/swift.log" 2>&1
swift_status=$?
[[ $swift_status -eq 0 ]] || grep -vE '^(◇|✔|➜)' "$results/swift.log" >&2

echo 'test: black-box tests (Tests/Conformance, Tests/Live)'
/usr/bin/python3 -m pytest -q -rs --junitxml "$results/pytest.xml" Tests/Conformance Tests/Live
pytest_status=$?

/usr/bin/python3 Scripts/tally.py \
    "Swift:$swift_status:$results/swift-swift-testing.xml,$results/swift.xml" \
    "pytest:$pytest_status:$results/pytest.xml"
