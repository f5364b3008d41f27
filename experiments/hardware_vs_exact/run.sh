#!/usr/bin/env bash
# Runs every line of config.txt; stops at the first that fails.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
qhw="${QHW:-$here/../../.venv/bin/qhw}"
grep -v '^#' "$here/config.txt" | while read -r line; do
  # shellcheck disable=SC2086  # a line is a list of arguments
  "$qhw" compare $line --seed 0 "$@" < /dev/null
done
