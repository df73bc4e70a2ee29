#!/usr/bin/env bash
# numpy's wheel for Pyodide, from its source release:   bash tools/numpy_build.sh VERSION ABI CORE WORK OUT
# CORE is npm's pyodide package, unpacked; WORK is built in and kept, so that a second build is quicker; OUT gets the wheel.
#
# Pyodide's recipe needs files from Pyodide's server, and this is for machines that cannot reach it. Three things stand in:
# a Debian root folder has the same Python and a close Emscripten; CORE's standard library tells how Pyodide's Python was
# configured; and numpy's own build knows how to cross-compile, once the two are named to it.
set -euo pipefail
version=$1 abi=$2 core=$(realpath "$3") work=$(realpath -m "$4") out=$(realpath -m "$5")
here=$(dirname "$(realpath "$0")")
root=$work/root release=forky   # the Debian release with Python 3.14
. "$here/setup.sh"

if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || fail "building numpy needs root (a root folder is made with debootstrap), and there is no sudo; start as root"
  exec sudo -E bash "$0" "$@"
fi

make_root() {
  need debootstrap debootstrap
  local mirror scripts=/usr/share/debootstrap/scripts
  mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -v '^ *#' |
    grep -oE '(https?|file)://[^] ]+' | grep debian | grep -v security | head -n 1) || true
  [ -n "$mirror" ] || fail "apt's sources name no Debian mirror, which building numpy needs; build on Debian"
  [ -e "$scripts/$release" ] || ln -s sid "$scripts/$release"   # an older debootstrap has not heard of the release
  rm -rf "$root"
  echo "    1/3 a Debian $release root folder in $root"
  quietly debootstrap --variant=minbase --include=ca-certificates,emscripten,git,ninja-build,patch,pkgconf,python3-dev,python3-venv \
    "$release" "$root" "$mirror"
  # The network as this machine has it: certificates, names, pip's settings.
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
  local settings
  for settings in /etc/pip.conf /etc/xdg/pip "$HOME/.config/pip" "$HOME/.pip"; do
    [ ! -e "$settings" ] || { mkdir -p "$root$(dirname "$settings")" && cp -rT "$settings" "$root$settings"; }
  done
  quietly chroot "$root" python3 -m venv /venv
  quietly chroot "$root" /venv/bin/pip install --no-cache-dir cython meson-python
  touch "$root/.complete"
}

quietly() { "$@" >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; fail "numpy's build: $1 failed, as said above"; }; }

# Ninja's [n/m] lines, thinned to one for each tenth.
progress() {
  awk 'match($0, /\[[0-9]+\/[0-9]+\]/) { split(substr($0, RSTART + 1, RLENGTH - 2), n, "/"); tenth = int(10 * n[1] / n[2])
         if (tenth > last) { printf "    3/3 compiling: %d%%\n", 10 * tenth; fflush(); last = tenth } }'
}

mkdir -p "$work" "$out"
[ -e "$root/.complete" ] || make_root

echo "    2/3 the configuration of Pyodide's Python"
mkdir -p "$root/target"
python3 "$here/numpy_target.py" "$core/python_stdlib.zip" "$root"
# Pyodide's Emscripten is older than this one: has_function_backtrace must be denied, the runtime has no such function.
flags="'-O2', '-g0', '-fwasm-exceptions', '-sSUPPORT_LONGJMP=wasm'"
cat >"$root/target/cross.ini" <<INI
[binaries]
c = 'emcc'
cpp = 'em++'
ar = 'emar'
strip = 'emstrip'
exe_wrapper = 'node'
[host_machine]
system = 'emscripten'
cpu_family = 'wasm32'
cpu = 'wasm'
endian = 'little'
[properties]
needs_exe_wrapper = true
skip_sanity_check = true
longdouble_format = 'IEEE_QUAD_LE'
has_function_backtrace = false
[built-in options]
c_args = [$flags, '-fPIC', '-Wno-return-type']
cpp_args = [$flags, '-fPIC', '-Wno-return-type']
c_link_args = [$flags, '-sSIDE_MODULE=1', '-sWASM_BIGINT']
cpp_link_args = [$flags, '-sSIDE_MODULE=1', '-sWASM_BIGINT']
INI

mounted=()
trap 'for m in "${mounted[@]}"; do umount "$m" || true; done' EXIT
for folder in proc dev; do
  mount --bind "/$folder" "$root/$folder"
  mounted+=("$root/$folder")
done
echo "    3/3 numpy itself: Emscripten makes its libraries first, then numpy configures and compiles"
rm -rf "$root/target/out"
chroot "$root" env PATH=/venv/bin:/usr/bin:/bin PYTHONPATH=/target EM_CACHE=/target/em_cache \
  _PYTHON_SYSCONFIGDATA_NAME=_sysconfigdata__emscripten_wasm32-emscripten "_PYTHON_HOST_PLATFORM=pyemscripten-$abi-wasm32" \
  pip wheel -v "numpy==$version" --no-binary numpy --no-deps --no-build-isolation --no-cache-dir -w /target/out \
  -Csetup-args=--cross-file=/target/cross.ini -Csetup-args=-Dallow-noblas=true \
  -Cinstall-args=--tags=runtime,python-runtime,devel 2>&1 | tee "$work/log" | progress ||
  { tail -n 30 "$work/log" >&2; fail "numpy $version did not compile; the whole log is $work/log"; }
chown --reference="$out" "$root"/target/out/numpy-*.whl
mv "$root"/target/out/numpy-*.whl "$out/"
