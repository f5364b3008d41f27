#!/usr/bin/env bash
# Runs every line of config.txt; stops at the first that fails.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
bin="${BIN:-$here/../../.venv/bin}"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
"$bin/python" "$here/untrained_faithful.py" "$scratch/qvae-untrained.safetensors"
grep -v '^#' "$here/config.txt" | while read -r line; do
  eval "arguments=(${line//@faithful/$scratch/qvae-untrained.json})"
  "$bin/qhw" depth-report "${arguments[@]}" "$@" < /dev/null
done
