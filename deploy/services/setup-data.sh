#!/usr/bin/env bash
# Installs Fashion-MNIST from Debian's package where apt and root are there. Never fails: without it plume downloads the
# images, or trains on its procedural shapes, and says so.
set -u
folder=/usr/share/datasets/fashion-mnist
if [ -e "$folder/train-images-idx3-ubyte.gz" ]; then
  echo "Fashion-MNIST is installed ($folder)"
  exit 0
fi
cache="${PLUME_CACHE:-$HOME/.cache/plume}/fashion-mnist"
if [ -e "$cache/train-images-idx3-ubyte.gz" ]; then
  echo "Fashion-MNIST is in the cache ($cache)"
  exit 0
fi
as_root=""
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root="sudo -n"; else as_root="none"; fi
fi
if ! command -v apt-get >/dev/null || [ "$as_root" = none ]; then
  echo "Fashion-MNIST is not installed, and apt with root is not here: plume will download it when it is needed"
  exit 0
fi
echo "installing Fashion-MNIST (Debian package dataset-fashion-mnist, 30 MB) ..."
export DEBIAN_FRONTEND=noninteractive
install() { $as_root apt-get install -y --no-install-recommends dataset-fashion-mnist >/dev/null 2>&1; }
if install || { $as_root apt-get update >/dev/null 2>&1 && install; }; then
  echo "Fashion-MNIST is installed ($folder)"
else
  echo "the package dataset-fashion-mnist cannot be installed here: plume will download the images when they are needed"
fi
exit 0
