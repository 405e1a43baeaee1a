#!/usr/bin/env bash
# Puts the webgpu backend into plume's cache: Dawn for Node, and TensorFlow.js's kernels for it. Once a machine, seconds;
# `npm ci` does not wipe it. A GPU needs its Vulkan driver. With --swiftshader also a Vulkan that computes on the
# processor (Debian's package chromium-common): slow, for tests. Needs npm.
set -euo pipefail
dawn=0.6.2
tfjs=4.22.0
root="${PLUME_CACHE:-$HOME/.cache/plume}"
case "$(uname -m)" in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) arch="$(uname -m)" ;; esac
case "$(uname -s)" in Darwin) platform=darwin-universal ;; *) platform="linux-$arch" ;; esac

work=""
trap '[ -z "$work" ] || rm -rf "$work"' EXIT
begin() {
  mkdir -p "$root/$1"
  work="$(mktemp -d "$root/$1/partial.XXXXXX")"
  cd "$work"
}

variant="$dawn-$tfjs"
if [ ! -e "$root/webgpu/$variant/dawn/index.js" ]; then
  command -v npm >/dev/null || { echo "the webgpu backend cannot be set up: npm is missing" >&2; exit 1; }
  begin webgpu
  echo "fetching Dawn $dawn (about 40 MB) and TensorFlow.js's webgpu backend $tfjs ..."
  npm pack --silent "webgpu@$dawn" "@tensorflow/tfjs-backend-webgpu@$tfjs" >/dev/null
  mkdir -p built/dawn built/tfjs built/node_modules/@tensorflow/tfjs-core
  tar -xzf "webgpu-$dawn.tgz" -C built/dawn --strip-components 1 package/index.js package/package.json "package/dist/$platform"
  tar -xzf "tensorflow-tfjs-backend-webgpu-$tfjs.tgz" -C built/tfjs --strip-components 2 package/dist/tf-backend-webgpu.node.js
  echo '{ "private": true }' >built/package.json
  # One core for all: the adapter puts plume's own where this finds it.
  echo 'module.exports = globalThis[Symbol.for("plume.tfjs-core")];' >built/node_modules/@tensorflow/tfjs-core/index.js
  rm -rf "${root:?}/webgpu/$variant"
  mv built "$root/webgpu/$variant"
  rm -rf "$work"
fi
ln -sfn "$variant" "$root/webgpu/current"
echo "the webgpu backend is set up ($root/webgpu/current)"

if [ "${1:-}" = --swiftshader ]; then
  if [ ! -e "$root/swiftshader/libvk_swiftshader.so" ]; then
    for tool in apt-get dpkg-deb; do
      command -v "$tool" >/dev/null || { echo "SwiftShader comes from a Debian package, and $tool is not here" >&2; exit 1; }
    done
    begin swiftshader
    echo "fetching SwiftShader (Debian package chromium-common, 32 MB) ..."
    fetch() { apt-get download chromium-common >/dev/null 2>&1; }
    fetch || { apt-get update >/dev/null 2>&1 && fetch; } || {
      echo "the package chromium-common cannot be fetched: check apt's sources" >&2
      exit 1
    }
    dpkg-deb --fsys-tarfile chromium-common_*.deb |
      tar -x --strip-components 4 --wildcards './usr/lib/chromium/*swiftshader*' './usr/lib/chromium/libvulkan.so.1'
    mv libvulkan.so.1 vk_swiftshader_icd.json "$root/swiftshader/"
    mv libvk_swiftshader.so "$root/swiftshader/"
    rm -rf "$work"
  fi
  echo "SwiftShader is set up ($root/swiftshader)"
fi
