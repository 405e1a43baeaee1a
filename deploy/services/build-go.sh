# Sourced by the scripts beside it: a server of the tests, built from its Go module into plume's cache, once a machine and version.
# Go's checksum database verifies the sources; an older go fetches the one that a module asks for.

# build_go NAME VERSION PACKAGE HOW_LONG: NAME ends up as $cache/NAME/current/NAME.
build_go() {
  local name="$1" version="$2" package="$3" how_long="$4" folder work
  folder="${PLUME_CACHE:-$HOME/.cache/plume}/$name"
  if [ ! -x "$folder/$version/$name" ]; then
    command -v go >/dev/null || {
      echo "$name, a server of the tests, cannot be built: install Go 1.21 or newer (Debian 13: apt-get install golang; Debian 12 has an older one)" >&2
      exit 1
    }
    mkdir -p "$folder"
    work="$(mktemp -d "$folder/partial.XXXXXX")"
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$work'" EXIT
    echo "building $name $version ($how_long) ..."
    GOBIN="$work" GOTOOLCHAIN=auto go install -ldflags='-s -w' "$package@$version" 2>"$work/log" || {
      cat "$work/log" >&2
      exit 1
    }
    rm "$work/log"
    rm -rf "${folder:?}/$version"
    mv "$work" "$folder/$version"
  fi
  ln -sfn "$version" "$folder/current"
  echo "$name $version is set up ($folder/current)"
}
