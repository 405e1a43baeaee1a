#!/usr/bin/env bash
# Builds the NATS server of the tests into plume's cache. Once a machine, a minute or two; `npm ci` does not wipe it. Needs go.
set -euo pipefail
command -v openssl >/dev/null || {
  echo "the tests of NATS make certificates: install openssl (apt-get install openssl)" >&2
  exit 1
}
. "$(dirname "$0")/build-go.sh"
build_go nats-server v2.15.2 github.com/nats-io/nats-server/v2 "20 MB of Go modules, a minute of computing"
