#!/usr/bin/env bash
# Builds a Kubernetes control plane of the tests into plume's cache: etcd, kube-apiserver, kube-controller-manager, kubectl.
# Once a machine and version, a quarter of an hour of computing; `npm ci` does not wipe it. Needs go, whose checksum database
# verifies the sources.
set -euo pipefail
kubernetes=1.34.3
etcd=3.6.5

cache="${PLUME_CACHE:-$HOME/.cache/plume}/kubernetes"
version="$kubernetes-etcd-$etcd"
for tool in openssl ip tc unshare setpriv; do
  command -v "$tool" >/dev/null || {
    echo "the tests of Kubernetes need $tool: apt-get install openssl iproute2 util-linux" >&2
    exit 1
  }
done
binaries=(etcd kube-apiserver kube-controller-manager kubectl)
whole=yes
for binary in "${binaries[@]}"; do [ -x "$cache/$version/$binary" ] || whole=no; done

if [ "$whole" = no ]; then
  command -v go >/dev/null || {
    echo "the control plane of the tests cannot be built: install Go 1.21 or newer" >&2
    exit 1
  }
  mkdir -p "$cache"
  work="$(mktemp -d "$cache/partial.XXXXXX")"
  trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
  echo "building Kubernetes $kubernetes and etcd $etcd (8 to 20 minutes, once) ..."
  export GOTOOLCHAIN=auto GOFLAGS=-mod=mod CGO_ENABLED=0
  # Packages compiled for one binary serve the next, and nobody afterwards: 1 GB that goes with the folder.
  export GOCACHE="$work/go-build"
  {
    mkdir "$work/kubernetes" "$work/etcd" "$work/bin"
    cd "$work/kubernetes"
    go mod init kube
    go mod edit -go=1.24.0
    # Kubernetes lists its own libraries as v0.0.0, which nobody published: each is replaced by the release of that name.
    manifest="$(go mod download -json "k8s.io/kubernetes@v$kubernetes" | sed -n 's/^\t"GoMod": "\(.*\)",$/\1/p')"
    for library in $(awk '$2 == "v0.0.0" { print $1 }' "$manifest" | sort -u); do
      go mod edit -replace="$library=$library@v0.${kubernetes#1.}"
    done
    base=k8s.io/component-base/version
    flags="-s -w -X $base.gitVersion=v$kubernetes -X $base.gitMajor=1 -X $base.gitMinor=34"
    for binary in kube-apiserver kube-controller-manager kubectl; do
      go get -tool "k8s.io/kubernetes/cmd/$binary@v$kubernetes"
      go build -trimpath -o "$work/bin/$binary" -ldflags "$flags" "k8s.io/kubernetes/cmd/$binary"
    done
    cd "$work/etcd"
    go mod init etcd
    go get -tool "go.etcd.io/etcd/server/v3@v$etcd"
    go build -trimpath -o "$work/bin/etcd" -ldflags '-s -w' go.etcd.io/etcd/server/v3
    cd "$cache"
  } >"$cache/log" 2>&1 || {
    tail -n 50 "$cache/log" >&2
    exit 1
  }
  rm -rf "${cache:?}/$version"
  mv "$work/bin" "$cache/$version"
fi
ln -sfn "$version" "$cache/current"
echo "Kubernetes $kubernetes and etcd $etcd are set up ($cache/current)"
