# Sourced by build.sh: functions that install what the machine lacks, and say in one sentence what they could not.

fail() { echo "error: $1" >&2; exit 1; }

# The Debian packages, by apt; as root, or through sudo.
apt_install() {
  echo "installing $* (apt) ..."
  command -v apt-get >/dev/null || fail "$* is missing and this machine has no apt-get; install it and start again"
  local root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "$* is missing, and neither root nor sudo is at hand; as root: apt-get install $*"
    root=(sudo)
  fi
  local log
  log=$(mktemp)
  # A fresh machine has no package lists, or old ones, with old versions. Without a network, what it has must do.
  "${root[@]}" apt-get update -q >"$log" 2>&1 || true
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q "$@" >>"$log" 2>&1 ||
    { tail -n 15 "$log" >&2; fail "apt-get could not install $*, as said above"; }
  rm -f "$log"
}

need() { command -v "$1" >/dev/null || apt_install "$2"; }

need_node() {
  need node nodejs
  need npm npm
  local found
  found=$(node --version)
  found=${found#v}
  [ "${found%%.*}" -ge 18 ] || fail "node is $found, but Pyodide needs 18 or newer; install a newer one"
}

# At least 156: the software GPU of 150 writes four textures at once, and tests ask for eight.
need_chromium() {
  local found
  found=$(command -v chromedriver >/dev/null && chromium --version 2>/dev/null | sed 's/^[^0-9]*\([0-9]*\).*/\1/') || true
  [ "${found:-0}" -ge 156 ] || apt_install chromium chromium-driver
}

# Firefox, and what gives it WebGL2 where there is no screen and no GPU.
need_firefox() {
  command -v firefox-esr >/dev/null && command -v Xvfb >/dev/null && [ -e /usr/lib/*/libEGL_mesa.so.0 ] ||
    apt_install firefox-esr xvfb libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri
}

# The host's C compiler: the tests run the kernels under its sanitizers, which zig's does not bring.
need_compiler() { command -v cc >/dev/null || apt_install gcc libc6-dev; }

# .venv with exactly tools/requirements.txt; afterwards its commands come first in PATH.
need_python() {
  local stamp=.venv/.requirements python=
  if ! cmp -s tools/requirements.txt "$stamp" || ! .venv/bin/python -c '' 2>/dev/null; then
    local candidate
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
      if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
      fi
    done
    [ -n "$python" ] || fail "no Python 3.11 or newer is in PATH; install python3"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
    echo "installing tools/requirements.txt into .venv ..."
    rm -rf .venv
    "$python" -m venv .venv || fail "$python could not make .venv, as said above"
    .venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps -r tools/requirements.txt ||
      fail "pip could not install tools/requirements.txt, as said above; check pip's index and network"
    cp tools/requirements.txt "$stamp"
  fi
  PATH=$PWD/.venv/bin:$PATH
  export PATH PIP_DISABLE_PIP_VERSION_CHECK=1
}
