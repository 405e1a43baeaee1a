#!/usr/bin/env bash
# Builds the NATS server of the tests into plume's cache. Once a machine, a minute; `npm ci` does not wipe it. Needs go; its
# checksum database verifies the sources.
set -euo pipefail
nats=v2.15.2

cache="${PLUME_CACHE:-$HOME/.cache/plume}/nats-server"
if [ ! -x "$cache/$nats/nats-server" ]; then
  command -v go >/dev/null || {
    echo "the NATS server of the tests cannot be built: install Go 1.21 or newer (Debian 13: apt-get install golang; Debian 12 has an older one)" >&2
    exit 1
  }
  mkdir -p "$cache"
  work="$(mktemp -d "$cache/partial.XXXXXX")"
  trap 'rm -rf "$work"' EXIT
  echo "building nats-server $nats (20 MB of Go modules, a minute of computing) ..."
  # An older go fetches the one that the module asks for.
  GOBIN="$work" GOTOOLCHAIN=auto \
    go install -ldflags='-s -w' "github.com/nats-io/nats-server/v2@$nats" 2>"$work/log" || {
    cat "$work/log" >&2
    exit 1
  }
  rm "$work/log"
  rm -rf "${cache:?}/$nats"
  mv "$work" "$cache/$nats"
fi
ln -sfn "$nats" "$cache/current"
echo "nats-server $nats is set up ($cache/current)"
