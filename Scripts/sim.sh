#!/bin/bash
# A simulation campaign: whole clusters in simulated time, one seed after the other.
#
#   Scripts/sim.sh [SECONDS [FIRST_SEED]]      default 600 seconds, from seed 1000000
#
# Ends with a summary. Fails when a seed breaks a promise, or when a named rare state was never
# reached: a campaign that reached less proves less than it says. QUELL_SEED=n with
# `swift test --filter SimulatorTests` runs one seed again.
set -euo pipefail
cd "$(dirname "$0")/.."

swift build --build-tests 2>&1 | tail -1
seconds=${1:-600}
QUELL_SIM_SECONDS=$seconds QUELL_SIM_FIRST=${2:-1000000} timeout $((seconds + 120)) \
    swift test --skip-build --disable-xctest --filter SimulatorTests/campaign 2>&1 |
    grep -vE '^(◇|✔ (Suite|Test ")|↳ T)'
