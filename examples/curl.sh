#!/bin/sh
# The job routes with curl: `sh examples/curl.sh "a lighthouse by the sea" lighthouse.png`
set -eu
url=${EASEL_URL:-http://127.0.0.1:8000}
curl --fail-with-body --silent --show-error "$url/generate" \
  --header 'Content-Type: application/json' \
  --data "{\"prompt\": \"$1\", \"seed\": 42}" \
  | python3 -c 'import base64, json, sys; reply = json.load(sys.stdin); sys.stdout.buffer.write(base64.b64decode(reply["image_base64"]))' > "$2"
echo "$2"
