#!/usr/bin/env bash
# Puts the custom resources that plume's components and examples are checked against into plume's cache: the definitions alone, out
# of the Go modules of the projects that own them. Once a machine and version, seconds. Needs go, whose checksum database verifies
# the modules; the sums below say that they are the ones that were read here.
set -euo pipefail

# module@version  its sum  the folder that has them  the definitions that are kept
crds=(
  "github.com/prometheus-operator/prometheus-operator@v0.85.0 h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s= example/prometheus-operator-crd monitoring.coreos.com_podmonitors monitoring.coreos.com_prometheusrules"
  "github.com/cert-manager/cert-manager@v1.21.2 h1:UWgoYM+KLNtRlqmoWOKjKBOBUPVHeepQ6/ac3ERJW68= deploy/crds cert-manager.io_certificates cert-manager.io_issuers"
  "github.com/kedacore/keda/v2@v2.21.0 h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps= config/crd/bases keda.sh_scaledobjects"
  "sigs.k8s.io/kueue@v0.17.0 h1:7hzb38M4eKGzYW+CFv2s1L+swzzacUCHOCXxZmAV90I= config/components/crd/bases kueue.x-k8s.io_clusterqueues kueue.x-k8s.io_localqueues kueue.x-k8s.io_resourceflavors"
  "sigs.k8s.io/jobset@v0.11.1 h1:WgLEBnXTeX+4MxfVkIbfm4jIVgjvIY6Jfaei2okxKNk= config/components/crd/bases jobset.x-k8s.io_jobsets"
  "github.com/kubeflow/trainer/v2@v2.0.0 h1:mnQSR9iPKItxyUR8mq66XsmxqKNVHwr9YYOB7BTU9dU= manifests/base/crds trainer.kubeflow.org_clustertrainingruntimes trainer.kubeflow.org_trainjobs"
)

cache="${PLUME_CACHE:-$HOME/.cache/plume}/kubernetes-crds"
# Another list is another folder.
version="$(printf '%s\n' "${crds[@]}" | cksum | cut -d' ' -f1)"
if [ ! -d "$cache/$version" ]; then
  command -v go >/dev/null || {
    echo "the custom resources of the tests cannot be fetched: install Go 1.21 or newer" >&2
    exit 1
  }
  mkdir -p "$cache"
  work="$(mktemp -d "$cache/partial.XXXXXX")"
  trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
  echo "fetching custom resource definitions (26 MB of Go modules, of which 3 MB are kept) ..."
  mkdir "$work/crds"
  cd "$work"
  for line in "${crds[@]}"; do
    read -r module sum folder names <<<"$line"
    # A module cache of its own, which goes with the folder.
    said="$(GOMODCACHE="$work/modules" GOFLAGS=-modcacherw GOTOOLCHAIN=local go mod download -json "$module")" || {
      echo "$said" >&2
      exit 1
    }
    grep -q "\"Sum\": \"$sum\"" <<<"$said" || {
      echo "$module is not what it was: $said" >&2
      exit 1
    }
    sources="$(sed -n 's/^\t"Dir": "\(.*\)",$/\1/p' <<<"$said")"
    for name in $names; do cp "$sources/$folder/$name.yaml" "$work/crds/"; done
  done
  chmod 644 "$work"/crds/*
  mv "$work/crds" "$cache/$version"
fi
ln -sfn "$version" "$cache/current"
echo "$(find "$cache/current/" -name '*.yaml' | wc -l) custom resource definitions are set up ($cache/current)"
