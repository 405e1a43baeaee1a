#!/usr/bin/env bash
# Builds the S3 server of the tests into plume's cache: versitygw, a gateway that keeps objects as files. Once a machine,
# some minutes; `npm ci` does not wipe it. Needs go.
set -euo pipefail
. "$(dirname "$0")/build-go.sh"
build_go versitygw v1.8.0 github.com/versity/versitygw/cmd/versitygw "100 MB of Go modules, a few minutes of computing"
