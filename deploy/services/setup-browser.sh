#!/usr/bin/env bash
# Puts a Chromium into plume's cache, for the tests of the live page: Debian's package with the libraries that this machine
# lacks, unpacked and not installed. Once a machine, 125 MB. The version is the archive's newest (Debian keeps no older
# ones of a browser), and apt checks every package by Debian's signature. Needs apt-get and dpkg-deb, and root only where
# apt's lists are missing.
set -euo pipefail
root="${PLUME_CACHE:-$HOME/.cache/plume}/chromium"

if [ ! -x "$root/chromium" ]; then
  for tool in apt-get dpkg-deb; do
    command -v "$tool" >/dev/null || { echo "Chromium comes from Debian packages, and $tool is not here" >&2; exit 1; }
  done
  mkdir -p "$root"
  work="$(mktemp -d "$root/partial.XXXXXX")"
  trap 'rm -rf "$work"' EXIT
  cd "$work"
  # What an installation would bring onto this machine, and the browser itself where it is installed.
  needed() {
    echo chromium chromium-common
    apt-get -s -o Debug::NoLocking=1 install --no-install-recommends chromium 2>/dev/null | sed -n 's/^Inst \([^ ]*\).*/\1/p'
  }
  fetch() { needed | tr ' ' '\n' | sort -u | xargs apt-get download >apt.log 2>&1; }
  echo "fetching Chromium (Debian packages, about 125 MB) ..."
  fetch || { apt-get update >/dev/null 2>&1 && fetch; } || {
    echo "the package chromium cannot be fetched: check apt's sources" >&2
    tail -n 3 apt.log >&2
    exit 1
  }
  mkdir files
  for package in *.deb; do dpkg-deb -x "$package" files; done
  cat >chromium <<'END'
#!/bin/sh
here="$(dirname "$(readlink -f "$0")")"
# Some packages keep private libraries in a folder of their own, as PulseAudio does.
libraries="$(find "$here"/files/usr/lib/*-linux-gnu* -name 'lib*.so*' -printf '%h\n' 2>/dev/null | sort -u | tr '\n' ':')"
LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:-}" exec "$here/files/usr/lib/chromium/chromium" "$@"
END
  chmod +x chromium
  ./chromium --version >/dev/null || { echo "Chromium was unpacked and does not start" >&2; exit 1; }
  rm -rf "$root/files"
  mv files "$root/files"
  mv chromium "$root/chromium"
fi
echo "Chromium is set up ($root/chromium)"
