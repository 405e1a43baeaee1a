#!/usr/bin/env bash
# Puts a Python with torch, diffusers and transformers into plume's cache, for the tests that hold plume against them. Once a machine,
# about a minute; `npm ci` does not wipe it. Torch is Debian's own (PyPI's would bring 5 GB of CUDA), so this needs
# Debian or one of its kin, with root where its packages are not installed yet.
set -euo pipefail
diffusers=0.27.2
packages=(
  "diffusers==$diffusers" safetensors==0.8.0 huggingface_hub==0.25.2 filelock==4.3.1 importlib_metadata==10.2.0
  zipp==4.1.2 regex==2026.11.19 tqdm==4.70.1 fsspec==2026.9.0 packaging==26.4 pillow==13.0.0
  # Debian has these already.
  requests==2.28.1 pyyaml==6.0 typing_extensions==4.4.0 urllib3==1.26.12 certifi==2022.9.24 idna==3.3 charset_normalizer==3.0.1
)
# In a folder of their own, which a test puts on its path: diffusers loads all of transformers wherever it finds it.
transformers=4.41.2
beside=(
  "transformers==$transformers" tokenizers==0.19.1 sentencepiece==0.2.0 protobuf==4.25.3 safetensors==0.8.0 huggingface_hub==0.25.2
)
debian=(python3-torch libopenblas0-pthread python3-venv)
system=/usr/bin/python3 # the interpreter that Debian's torch is for, whatever comes first on the PATH

cache="${PLUME_CACHE:-$HOME/.cache/plume}/python"
variant="diffusers-$diffusers"
finish() {
  ln -sfn "$variant" "$cache/current"
  local folder="transformers-$transformers"
  if [ ! -e "$cache/$folder/complete" ]; then
    echo "installing transformers $transformers ..."
    rm -rf "${cache:?}/$folder"
    "$cache/current/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir --no-deps --only-binary=:all: \
      --target "$cache/$folder" "${beside[@]}"
    PYTHONPATH="$cache/$folder" "$cache/current/bin/python" -c "from transformers import T5EncoderModel, T5TokenizerFast"
    touch "$cache/$folder/complete"
  fi
  ln -sfn "$folder" "$cache/transformers"
  echo "Python with diffusers $diffusers and transformers $transformers is set up ($cache/current)"
}
if [ -e "$cache/$variant/complete" ] && "$cache/$variant/bin/python" -c "" 2>/dev/null; then
  finish
  exit 0
fi

has_debian() { dpkg-query -W -f '${db:Status-Status}\n' "${debian[@]}" 2>/dev/null | grep -c '^installed$' | grep -qx "${#debian[@]}"; }
if ! has_debian; then
  as_root=""
  if [ "$(id -u)" -ne 0 ]; then as_root="sudo -n"; fi
  if ! command -v apt-get >/dev/null || { [ -n "$as_root" ] && ! $as_root true 2>/dev/null; }; then
    echo "Python with torch cannot be set up: it wants Debian's ${debian[*]}, and apt with root is not here" >&2
    exit 1
  fi
  echo "installing Debian's ${debian[*]} ..."
  export DEBIAN_FRONTEND=noninteractive
  install() { $as_root apt-get install -y --no-install-recommends "${debian[@]}" >/dev/null 2>&1; }
  install || { $as_root apt-get update >/dev/null 2>&1 && install; } || {
    echo "apt cannot install ${debian[*]}: check its sources" >&2
    exit 1
  }
fi

# A venv knows its own path: it is built in place, and is there once it is marked complete.
echo "installing diffusers $diffusers ..."
rm -rf "${cache:?}/$variant"
mkdir -p "$cache"
"$system" -m venv --system-site-packages "$cache/$variant"
"$cache/$variant/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir --no-deps --only-binary=:all: "${packages[@]}"
"$cache/$variant/bin/python" -c "import torch, safetensors.torch, diffusers"
touch "$cache/$variant/complete"
finish
