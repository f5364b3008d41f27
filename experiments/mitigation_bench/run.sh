#!/usr/bin/env bash
# Runs every line of config.txt; stops at the first that fails.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
bin="${BIN:-$here/../../.venv/bin}"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
"$bin/python" "$here/ion.py" "$scratch/ion.json"
grep -v '^#' "$here/config.txt" | while read -r line; do
  eval "arguments=(${line//@ion/$scratch/ion.json})"
  "$bin/qhw" mitigate bench "${arguments[@]}" "$@" < /dev/null
done
