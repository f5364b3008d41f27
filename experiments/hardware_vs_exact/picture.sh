#!/usr/bin/env bash
# The README's pictures: the top of a report.
# Usage: picture.sh runs/<id>/report.html docs/report.png [HEIGHT]
# Needs chromium; the image is cut to 64 colours to stay small.
set -euo pipefail
report="$(realpath "$1")"
out="$(realpath -m "$2")"
mkdir -p "$(dirname "$out")"
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --virtual-time-budget=3000 \
  --window-size="1180,${3:-1980}" --screenshot="$out" "file://$report" > /dev/null 2>&1
"${PYTHON:-$(dirname "$0")/../../.venv/bin/python}" - "$out" <<'PY'
import sys

from PIL import Image

image = Image.open(sys.argv[1]).convert("RGB")
image.quantize(64, dither=Image.Dither.NONE).save(sys.argv[1], optimize=True)
PY
