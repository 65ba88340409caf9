# shellcheck shell=bash
# What daemons for other machines are linked with, from Debian 12's archive by a private state of apt: neither root's rights
# nor this machine's packages are touched. Sourced by cmake/package, after cmake/packages.sh.
#
# Folders below $work, each whole once its file `complete` is there:
#   root-arm64          a root of Debian 12 on arm64: libraries, and the headers that come with no library
#   root-static-ARCH    those headers, and ZeroMQ and Protobuf (lite) as static libraries, built from Debian's sources

# Headers without a library: the same on every machine.
header_packages=(cppzmq-dev libboost1.74-dev libcli11-dev nlohmann-json3-dev)
# The archive that this machine itself has Debian 12 from.
# shellcheck disable=SC2016
debian_mirror=${BITPILOT_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(SITE) $(RELEASE)' | awk '$2 == "bookworm" { print $1; exit }')}

# private_apt ARCH COMMAND...: apt-get for that architecture, from Debian 12's archive alone, with all of its state below $work.
private_apt() {
  local arch=$1 state=$work/apt-$1
  shift
  if [[ -z $debian_mirror ]]; then
    say "apt lists no archive of Debian 12 (bookworm): name one in BITPILOT_DEBIAN_MIRROR"
    return 1
  fi
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
  touch "$state/status"
  printf '%s\n' "deb $debian_mirror bookworm main" "deb-src $debian_mirror bookworm main" >"$state/sources"
  apt-get -q -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o Dir::State="$state" -o Dir::State::Lists="$state/lists" \
    -o Dir::State::Status="$state/status" -o Dir::Cache="$state/cache" -o Dir::Etc::SourceList="$state/sources" \
    -o Dir::Etc::SourceParts=- -o APT::Install-Recommends=false -o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" \
    -o Acquire::Retries=1 -o Acquire::http::Timeout=20 "$@"
}

# unpack_packages ARCH FOLDER [--all] PACKAGE...: those packages, and with --all all that they need, into FOLDER.
unpack_packages() {
  local arch=$1 folder=$2 file link target
  shift 2
  private_apt "$arch" update >&2
  rm -f "$work/apt-$arch/cache/archives"/*.deb
  if [[ $1 == --all ]]; then
    shift
    private_apt "$arch" install -y --download-only "$@" >&2
  else
    (cd "$work/apt-$arch/cache/archives" && private_apt "$arch" download "$@" >&2)
  fi
  mkdir -p "$folder/usr/lib"
  # Where /lib is a folder of its own, the linker's scripts name what lies in another one.
  [[ -e $folder/lib ]] || ln -s usr/lib "$folder/lib"
  for file in "$work/apt-$arch/cache/archives"/*.deb; do
    dpkg-deb --fsys-tarfile "$file" | tar -x --keep-directory-symlink -C "$folder"
  done
  # A link that begins with / is meant to begin at the root.
  while IFS= read -r link; do
    target=$folder$(readlink "$link")
    [[ ! -e $target ]] || ln -sfn "$(realpath -s --relative-to="$(dirname "$link")" "$target")" "$link"
  done < <(find "$folder" -type l -lname '/*')
}

# make_arm64_root: $work/root-arm64
make_arm64_root() {
  local folder=$work/root-arm64
  [[ ! -e $folder/complete ]] || return 0
  say "Fetching Debian's libraries for arm64 into $folder ..."
  rm -rf "$folder"
  unpack_packages arm64 "$folder" --all libc6-dev libstdc++-12-dev libzmq3-dev libprotobuf-dev "${header_packages[@]}"
  touch "$folder/complete"
}

# debian_source PACKAGE: fetches and unpacks the sources of a package, patched as Debian does, into $work/source-PACKAGE.
debian_source() {
  local folder=$work/source-$1
  [[ ! -e $folder/complete ]] || return 0
  say "Fetching the sources of $1 ..."
  rm -rf "$folder" "$work/download-$1"
  mkdir -p "$work/download-$1"
  (cd "$work/download-$1" && private_apt amd64 update >&2 && private_apt amd64 source --download-only "$1" >&2)
  dpkg-source --no-check --no-copy -x "$work/download-$1"/*.dsc "$folder" >&2
  touch "$folder/complete"
}

# make_static_root ARCH PROCESSOR: $work/root-static-ARCH, by the compiler for PROCESSOR.
make_static_root() {
  local arch=$1 processor=$2 folder=$work/root-static-$1 build flags library
  [[ ! -e $folder/complete ]] || return 0
  rm -rf "$folder"
  debian_source zeromq3
  debian_source protobuf
  unpack_packages amd64 "$folder" "${header_packages[@]}"
  for library in zeromq3 protobuf; do
    say "Building $library for $arch ..."
    build=$work/build-$library-$arch
    # No path of this machine gets into the programs.
    flags="-ffile-prefix-map=$work/source-$library=$library -ffile-prefix-map=$build=$library -ffunction-sections -fdata-sections"
    local options=()
    if [[ $library == zeromq3 ]]; then
      options=(-DBUILD_SHARED=OFF -DBUILD_TESTS=OFF -DENABLE_CURVE=ON -DWITH_LIBSODIUM=OFF -DWITH_TLS=OFF -DENABLE_WS=OFF
        -DWITH_LIBBSD=OFF -DWITH_DOCS=OFF -DWITH_PERF_TOOL=OFF -DENABLE_CPACK=OFF)
    else
      options=(-Dprotobuf_BUILD_PROTOC_BINARIES=OFF -Dprotobuf_BUILD_TESTS=OFF -Dprotobuf_WITH_ZLIB=OFF)
    fi
    cmake -S "$work/source-$library" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=MinSizeRel -DCMAKE_INSTALL_PREFIX=/usr \
      -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_TOOLCHAIN_FILE="$PWD/cmake/$processor-linux-gnu.cmake" \
      -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags" "${options[@]}" >"$work/$library-$arch.log" 2>&1 ||
      stop_with_log "$work/$library-$arch.log"
    if [[ $library == zeromq3 ]]; then
      cmake --build "$build" --parallel "$(build_jobs)" >"$work/$library-$arch.log" 2>&1 &&
        DESTDIR=$folder cmake --install "$build" >>"$work/$library-$arch.log" 2>&1
    else
      cmake --build "$build" --parallel "$(build_jobs)" --target libprotobuf-lite >"$work/$library-$arch.log" 2>&1 &&
        cp "$build/libprotobuf-lite.a" "$folder/usr/lib/" && copy_protobuf_headers "$folder"
    fi || stop_with_log "$work/$library-$arch.log"
  done
  touch "$folder/complete"
}

# copy_protobuf_headers ROOT: those of the lite library, in their folders.
copy_protobuf_headers() {
  mkdir -p "$1/usr/include"
  (cd "$work/source-protobuf/src" && find google/protobuf -name '*.h' -o -name '*.inc') |
    tar -C "$work/source-protobuf/src" -c -T - | tar -x -C "$1/usr/include"
}

stop_with_log() {
  tail -n 40 "$1" >&2
  say "FAILED; all of it is in $1."
  exit 1
}
