#!/usr/bin/env bash
# Builds the tfjs-node backend into plume's cache: TensorFlow's library from its Python wheel, and tfjs-node's binding
# compiled against it. Once a machine, about a minute; `npm ci` does not wipe it. Needs python3 with pip, g++ and npm.
# With --gpu the library that computes on NVIDIA's GPUs, and the CUDA libraries that it wants (4 GB): the backend
# tfjs-node-gpu. The driver is the machine's affair.
set -euo pipefail
tensorflow=2.21.0
tfjs=4.22.0
napi=1.9.0
protobuf=3.21.4

cache="${PLUME_CACHE:-$HOME/.cache/plume}/tensorflow"
case "${1:-}" in
  "") device=cpu wheel=tensorflow_cpu size="270 MB" ;;
  --gpu) device=gpu wheel=tensorflow size="570 MB, and 2 GB of CUDA" ;;
  *) echo "$0 takes --gpu or nothing, not $1" >&2; exit 2 ;;
esac
variant="$device-$tensorflow-$tfjs"
if [ -e "$cache/$variant/binding.node" ]; then
  ln -sfn "$variant" "$cache/$device"
  echo "TensorFlow $tensorflow is set up ($cache/$device)"
  exit 0
fi

missing=""
for tool in g++ npm python3; do command -v "$tool" >/dev/null || missing="$missing $tool"; done
python3 -m pip --version >/dev/null 2>&1 || missing="$missing python3-pip"
if [ -n "$missing" ]; then
  echo "the tfjs-node backend cannot be built: missing$missing (Debian: apt-get install g++ npm python3-pip)" >&2
  exit 1
fi

mkdir -p "$cache"
work="$(mktemp -d "$cache/partial.XXXXXX")"
trap 'rm -rf "$work"' EXIT
cd "$work"

echo "fetching TensorFlow $tensorflow (about $size) and tfjs-node $tfjs ..."
download() {
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --no-cache-dir --only-binary=:all: "$@"
}
# The library is the same in the wheels of all Python versions: any of them will do.
download --implementation cp --python-version 3.11 --abi cp311 --platform "manylinux_2_27_$(uname -m)" --dest wheel "$wheel==$tensorflow"
npm pack --silent "@tensorflow/tfjs-node@$tfjs" "node-api-headers@$napi" "google-protobuf@$protobuf" >/dev/null
python3 - <<'PYTHON'
import glob, tarfile, zipfile
wanted = ("tensorflow/include/tensorflow/c/", "tensorflow/include/tensorflow/core/platform/", "tensorflow/include/xla/tsl/", "tensorflow/include/tsl/", "tensorflow/libtensorflow_")
with zipfile.ZipFile(glob.glob("wheel/*.whl")[0]) as wheel:
    for member in wheel.namelist():
        if member.startswith(wanted):
            wheel.extract(member)
for archive in glob.glob("*.tgz"):
    with tarfile.open(archive) as packed:
        packed.extractall(archive[: -len(".tgz")])
PYTHON
mkdir -p built
if [ "$device" = gpu ]; then
  # What its wheel names under the extra "and-cuda". The library looks for these beside its own folder.
  python3 - >cuda.txt <<'PYTHON'
import glob, re, zipfile
with zipfile.ZipFile(glob.glob("wheel/*.whl")[0]) as wheel:
    metadata = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    print("\n".join(re.findall(r'^Requires-Dist: (nvidia[^;]*);.*"and-cuda"', wheel.read(metadata).decode(), re.M)))
PYTHON
  platforms=()
  for name in manylinux1 manylinux2014 manylinux_2_17 manylinux_2_27; do platforms+=(--platform "${name}_$(uname -m)"); done
  download "${platforms[@]}" --dest cuda -r cuda.txt
  python3 - <<'PYTHON'
import glob, zipfile
for file in glob.glob("cuda/*.whl"):
    with zipfile.ZipFile(file) as wheel:
        for member in wheel.namelist():
            if member.startswith("nvidia/") and "/lib/" in member and ".so" in member:
                wheel.extract(member, "built")
PYTHON
  rm -r cuda
fi
rm -r wheel

echo "compiling the binding ..."
mkdir -p built/lib built/node_modules/google-protobuf
mv tensorflow/libtensorflow_cc.so.2 tensorflow/libtensorflow_framework.so.2 built/lib/
source="tensorflow-tfjs-node-$tfjs/package"
g++ -O2 -std=c++17 -fPIC -shared -w -DNAPI_VERSION=8 -DBUILDING_NODE_EXTENSION \
  -I"node-api-headers-$napi/package/include" -Itensorflow/include "$source"/binding/*.cc \
  -Lbuilt/lib -l:libtensorflow_cc.so.2 -l:libtensorflow_framework.so.2 -Wl,-rpath,'$ORIGIN/lib' -o built/binding.node
cp -r "$source/dist" "$source/package.json" built/
cp -r "google-protobuf-$protobuf/package/." built/node_modules/google-protobuf/
# One core for all: the adapter puts plume's own where these find it.
for name in tfjs tfjs-core; do
  mkdir -p "built/node_modules/@tensorflow/$name"
  echo 'module.exports = globalThis[Symbol.for("plume.tfjs-core")];' >"built/node_modules/@tensorflow/$name/index.js"
done
rm -rf "${cache:?}/$variant"
mv built "$cache/$variant"
ln -sfn "$variant" "$cache/$device"
echo "TensorFlow $tensorflow is set up ($cache/$device)"
