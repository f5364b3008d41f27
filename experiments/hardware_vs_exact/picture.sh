#!/usr/bin/env bash
# The README's pictures: the top of a report, or what lies below pixel TOP of it.
# Usage: picture.sh runs/<id>/report.html docs/report.png [HEIGHT [TOP]]
# HEIGHT TOP: depth_report.png 1300, noise_study.png 1190, mitigation.png 2410 1110
# Needs chromium; the image is cut to 64 colours to stay small.
set -euo pipefail
report="$(realpath "$1")"
out="$(realpath -m "$2")"
mkdir -p "$(dirname "$out")"
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --virtual-time-budget=3000 \
  --window-size="1180,${3:-1980}" --screenshot="$out" "file://$report" > /dev/null 2>&1
"${PYTHON:-$(dirname "$0")/../../.venv/bin/python}" - "$out" "${4:-0}" <<'PY'
import sys

from PIL import Image

image = Image.open(sys.argv[1]).convert("RGB")
image = image.crop((0, int(sys.argv[2]), *image.size))
image.quantize(64, dither=Image.Dither.NONE).save(sys.argv[1], optimize=True)
PY
