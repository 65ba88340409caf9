# shellcheck shell=bash
# The Debian packages that bitpilot needs, and how quickstart and check install them. Sourced by both.
#
# CONTRIBUTING.md says what each package is for.
BITPILOT_PACKAGES=(
  g++ cmake ninja-build pkg-config
  libtorch-dev libopenblas0-pthread
  libzmq3-dev cppzmq-dev libboost-dev
  libprotobuf-dev protobuf-compiler
  libsqlite3-dev coinor-libcbc-dev liblzma-dev xz-utils
  libcli11-dev nlohmann-json3-dev libtomlplusplus-dev
  libgtest-dev libgmock-dev
)
# A bare Debian 12 takes 1.7 GB for them; a build folder takes up to 3 GB (precompiled LibTorch headers).
BITPILOT_NEEDED_GB=6

# More flags for a configure step: build() passes them to CMake.
CONFIGURE_FLAGS=()

# Messages go to standard error: standard output belongs to the program that the script runs.
say() { printf '%s\n' "$*" >&2; }

# stop_by_hand REASON: says what a person has to install, and ends the script.
stop_by_hand() {
  say "$1"
  say ""
  say "Please install by hand what these Debian 12 packages hold, then run this script again:"
  say ""
  say "  apt-get install --no-install-recommends ${missing_packages[*]:-${BITPILOT_PACKAGES[*]}}"
  say ""
  say "On another system: GCC 12 or newer, CMake 3.25, Ninja, LibTorch 1.13 with OpenBLAS, ZeroMQ and cppzmq 4.9,"
  say "Protobuf 3.21, Boost 1.74, SQLite 3.37, CBC 2.10, liblzma, CLI11, nlohmann-json, toml++, GoogleTest."
  say "Set BITPILOT_SKIP_PACKAGES=1 once they are there: this script then does not look for packages."
  exit 1
}

free_gb() { df --output=avail --block-size=1G "$1" | tail -n 1 | tr -d ' '; }

# require_disk FOLDER...: stops where one of them has too little space.
require_disk() {
  local folder
  for folder in "$@"; do
    if (($(free_gb "$folder") < BITPILOT_NEEDED_GB)); then
      stop_by_hand "$folder has $(free_gb "$folder") GB free; packages and build need $BITPILOT_NEEDED_GB GB."
    fi
  done
}

find_missing_packages() {
  local package
  missing_packages=()
  for package in "${BITPILOT_PACKAGES[@]}"; do
    if [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) != installed ]]; then
      missing_packages+=("$package")
    fi
  done
}

# Installs the packages that are missing; does nothing, without root and offline, if none is.
ensure_packages() {
  local become_root=()
  missing_packages=()
  [[ ${BITPILOT_SKIP_PACKAGES:-} == 1 ]] && return
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    stop_by_hand "This system has no apt: packages cannot be installed automatically."
  fi
  find_missing_packages
  if ((${#missing_packages[@]} == 0)); then
    say "Packages: all ${#BITPILOT_PACKAGES[@]} are installed."
    return
  fi
  if ! grep -qx 'ID=debian' /etc/os-release || ! grep -qx 'VERSION_ID="12"' /etc/os-release; then
    stop_by_hand "This is not Debian 12, whose packages bitpilot is built with."
  fi
  require_disk / .
  say "Will install with apt (on a bare system about 380 MB to download, 1.7 GB on disk):"
  say "  ${missing_packages[*]}"
  if ((EUID != 0)); then
    command -v sudo >/dev/null || stop_by_hand "Installing packages needs root, and there is no sudo."
    become_root=(sudo)
    # Without a terminal nobody could type a password: fail instead of waiting.
    [[ -t 0 ]] || become_root=(sudo -n)
    "${become_root[@]}" true || stop_by_hand "Installing packages needs root, and sudo refused."
  fi
  # A failed update is no reason to stop: the lists that are there may do.
  "${become_root[@]}" apt-get -q -o Acquire::Retries=1 -o Acquire::http::Timeout=20 update >&2 ||
    say "apt-get update failed; trying with the package lists that are there."
  "${become_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
    -o Acquire::Retries=1 -o Acquire::http::Timeout=20 install "${missing_packages[@]}" >&2 ||
    stop_by_hand "apt-get could not install the packages (its messages are above; is this machine offline?)."
}

# As many compiler processes as there are processors, each with 2 GB of memory (LibTorch's headers need it).
build_jobs() {
  local processors memory_gb
  processors=$(nproc)
  memory_gb=$(awk '/^MemAvailable:/ { print int($2 / 2097152) }' /proc/meminfo)
  ((memory_gb < 1)) && memory_gb=1
  echo $((processors < memory_gb ? processors : memory_gb))
}

# build PRESET [TARGET...]: configures and builds in build/PRESET; ninja shows its progress and rebuilds only what changed.
build() {
  local preset=$1 log
  local targets=("${@:2}")
  # A first build compiles the sources of each target together, which takes a third of the time. A folder that is there keeps its
  # ways: `cmake --preset dev` makes one in which a change compiles one file.
  if [[ ! -e build/$preset/CMakeCache.txt ]]; then
    CONFIGURE_FLAGS+=(-DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=0)
  fi
  [[ -e build/$preset/build.ninja ]] || require_disk .
  mkdir -p "build/$preset"
  log=build/$preset/configure.log
  say "Configuring build/$preset ..."
  if ! cmake --preset "$preset" "${CONFIGURE_FLAGS[@]}" >"$log" 2>&1; then
    cat "$log" >&2
    say "Configuring failed; the messages above are also in $log."
    exit 1
  fi
  say "Building build/$preset (the first build takes several minutes) ..."
  cmake --build --preset "$preset" --parallel "$(build_jobs)" ${targets[0]:+--target "${targets[@]}"} >&2
}
