#!/bin/bash
# Prints the commit of this checkout, twelve digits, with `-changed` if tracked files differ from
# it; nothing where there is no git or no checkout.
set -euo pipefail
cd "$(dirname "$0")/.."
commit=$(git rev-parse --short=12 HEAD 2>/dev/null) || exit 0
if [ -n "$(git status --porcelain --untracked-files=no 2>/dev/null)" ]; then
    commit+=-changed
fi
echo "$commit"
