#!/usr/bin/env bash
# Puts Prometheus and promtool of the tests into plume's cache. Once a machine, seconds; `npm ci` does not wipe it. On Debian
# and its kin: their package, verified by apt, unpacked without being installed; nobody has to be root. Elsewhere: built from
# its sources by Go, some minutes, verified by Go's checksum database.
set -euo pipefail
oldest=2.42   # of Debian 12
built=v0.305.0 # Prometheus 3.5.0, of which support is long

cache="${PLUME_CACHE:-$HOME/.cache/plume}/prometheus"
[ -x "$cache/current/prometheus" ] && [ -x "$cache/current/promtool" ] && {
  echo "$("$cache/current/prometheus" --version 2>&1 | head -1) is set up ($cache/current)"
  exit 0
}
mkdir -p "$cache"
work="$(mktemp -d "$cache/partial.XXXXXX")"
trap 'rm -rf "$work"' EXIT

from_apt() {
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
  # A fresh machine has no lists; its own user may keep some of their own.
  local lists=(-o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/apt")
  mkdir -p "$work/lists/partial" "$work/apt/archives/partial"
  (cd "$work" && apt-get download prometheus) >"$work/log" 2>&1 ||
    { apt-get "${lists[@]}" update && cd "$work" && apt-get "${lists[@]}" download prometheus; } >>"$work/log" 2>&1 ||
    return 1
  dpkg-deb -x "$work"/prometheus_*.deb "$work/unpacked"
  mv "$work/unpacked/usr/bin/prometheus" "$work/unpacked/usr/bin/promtool" "$work/"
  rm -rf "$work"/unpacked "$work"/*.deb "$work/lists" "$work/apt"
}

# Its go.mod excludes versions, so that `go install` refuses it: a module that only requires it is built instead. Without the
# service discoveries of clouds, which need four times as long.
from_go() {
  command -v go >/dev/null || return 1
  echo "building Prometheus ${built} (some minutes) ..."
  mkdir "$work/module"
  (
    cd "$work/module"
    export GOTOOLCHAIN=auto GOFLAGS=-mod=mod
    go mod init plume/prometheus
    go get "github.com/prometheus/prometheus@$built"
    go build -tags remove_all_sd -ldflags='-s -w' -o "$work/" \
      github.com/prometheus/prometheus/cmd/prometheus github.com/prometheus/prometheus/cmd/promtool
  ) >>"$work/log" 2>&1 || {
    cat "$work/log" >&2
    return 1
  }
  rm -rf "$work/module"
}

from_apt || from_go || {
  echo "Prometheus of the tests cannot be set up: neither apt-get nor Go (1.24 or newer) can bring it" >&2
  exit 1
}
version="$("$work/prometheus" --version 2>&1 | sed -n 's/^prometheus, version \([0-9.]*\).*/\1/p')"
[ -z "$version" ] || [ "$(printf '%s\n' "$oldest" "$version" | sort -V | head -1)" = "$oldest" ] || {
  echo "Prometheus $version is older than $oldest, for which the rules are written" >&2
  exit 1
}
rm -f "$work/log"
name="${version:-$built}"
rm -rf "${cache:?}/$name"
mv "$work" "$cache/$name"
ln -sfn "$name" "$cache/current"
echo "Prometheus $name is set up ($cache/current)"
