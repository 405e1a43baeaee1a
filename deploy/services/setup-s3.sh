#!/usr/bin/env bash
# Builds the S3 server of the tests into plume's cache: versitygw, a gateway that keeps objects as files. Once a machine,
# some minutes; `npm ci` does not wipe it. Needs go; its checksum database verifies the sources.
set -euo pipefail
versitygw=v1.8.0

cache="${PLUME_CACHE:-$HOME/.cache/plume}/versitygw"
if [ ! -x "$cache/$versitygw/versitygw" ]; then
  command -v go >/dev/null || {
    echo "the S3 server of the tests cannot be built: install Go 1.21 or newer (Debian 13: apt-get install golang; Debian 12 has an older one)" >&2
    exit 1
  }
  mkdir -p "$cache"
  work="$(mktemp -d "$cache/partial.XXXXXX")"
  trap 'rm -rf "$work"' EXIT
  echo "building versitygw $versitygw (100 MB of Go modules, a few minutes of computing) ..."
  # An older go fetches the one that the module asks for.
  GOBIN="$work" GOTOOLCHAIN=auto \
    go install -ldflags='-s -w' "github.com/versity/versitygw/cmd/versitygw@$versitygw" 2>"$work/log" || {
    cat "$work/log" >&2
    exit 1
  }
  rm "$work/log"
  rm -rf "${cache:?}/$versitygw"
  mv "$work" "$cache/$versitygw"
fi
ln -sfn "$versitygw" "$cache/current"
echo "versitygw $versitygw is set up ($cache/current)"
