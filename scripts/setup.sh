#!/usr/bin/env bash
# Set up everything in .venv: system packages where they are missing, pinned Python packages, the native core, headrace.
#
#   scripts/setup.sh run    what `make demo` needs
#   scripts/setup.sh dev    what `make test`, `check`, `docs` and `bench` need (the default)
#
# PYTHON=/path/to/python3 chooses the interpreter. A step is skipped when a stamp in .venv or build/ says that nothing
# it depends on has changed. The log is build/setup.log.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

level=${1:-dev}
root=$(pwd -P)
venv=$root/.venv
stamps=$venv/.stamps
log=$root/build/setup.log
case $level in run | dev) ;; *) echo "usage: scripts/setup.sh [run|dev]" >&2; exit 2 ;; esac

fail() {
    echo "setup: $*" >&2
    exit 1
}

# step "words" command...: one line on the terminal, everything else into the log; the log's end if it fails
step() {
    local words=$1 started=$SECONDS
    shift
    printf '  %-58s' "$words ..."
    printf '\n== %s: %s\n' "$words" "$*" >>"$log"
    if "$@" >>"$log" 2>&1 </dev/null; then
        printf ' done (%d s)\n' $((SECONDS - started))
    else
        printf ' failed\n'
        echo "--- the end of ${log#"$root"/}:" >&2
        tail -n 25 "$log" >&2
        exit 1
    fi
}

hash_of() { cat "$@" 2>/dev/null | cksum | tr ' ' '-'; }
fresh() { [ "$(cat "$stamps/$1" 2>/dev/null)" = "$2" ]; } # fresh STAMP KEY
stamp() { mkdir -p "$stamps" && printf '%s\n' "$2" >"$stamps/$1"; }

# --- what is here

usable() { command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        usable "$PYTHON" && echo "$PYTHON"
        return
    fi
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        usable "$name" && echo "$name" && return
    done
}

# Debian splits Python: python3.X-venv carries ensurepip, python3.X-dev the headers.
python_package() { "$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])'; }
has_venv() { "$python" -c 'import venv, ensurepip' 2>/dev/null; }
has_headers() {
    "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))'
}
has_compiler() {
    local name
    for name in ${CXX:+"$CXX"} c++ g++ clang++; do
        # shellcheck disable=SC2086 # CXX may hold a launcher and the compiler ("ccache g++")
        if printf '#include <concepts>\n#include <span>\nint main() { return std::span<int>().size(); }\n' |
            $name -std=c++20 -x c++ -fsyntax-only - 2>/dev/null; then
            return 0
        fi
    done
    return 1
}

install_system_packages() { # PACKAGE...
    local as_root=() command="apt-get install -y --no-install-recommends $*"
    if [ "$(id -u)" -ne 0 ]; then
        as_root=(sudo -n)
        command="sudo $command"
    fi
    if ! command -v apt-get >/dev/null 2>&1; then
        fail "missing: $* (Debian's names). Install them with this system's package manager and run this again."
    fi
    if [ "$(id -u)" -ne 0 ] && ! sudo -n true 2>/dev/null; then
        fail "system packages are missing. Run this, then the same command again:

    $command
"
    fi
    local quiet=(env DEBIAN_FRONTEND=noninteractive apt-get)
    step "reading the list of system packages" "${as_root[@]}" "${quiet[@]}" update
    step "installing $*" "${as_root[@]}" "${quiet[@]}" install -y --no-install-recommends "$@"
}

check_system() {
    local wanted=()
    python=$(find_python)
    if [ -z "$python" ]; then
        [ -z "${PYTHON:-}" ] || fail "PYTHON=$PYTHON is not Python 3.11 or newer"
        command -v python3 >/dev/null 2>&1 &&
            fail "headrace needs Python 3.11 or newer; python3 is $(python3 -V 2>&1). Install one, or set PYTHON=..."
        install_system_packages python3 python3-venv python3-dev g++
        python=$(find_python)
        [ -n "$python" ] || fail "headrace needs Python 3.11 or newer; this system's package brought $(python3 -V 2>&1)"
    fi
    has_venv || wanted+=("$(python_package)-venv")
    has_headers || wanted+=("$(python_package)-dev")
    has_compiler || wanted+=(g++)
    [ ${#wanted[@]} -eq 0 ] || install_system_packages "${wanted[@]}"
    has_venv && has_headers || fail "$("$python" -V) at $(command -v "$python") lacks venv or its headers (Python.h)"
    has_compiler || fail "no C++20 compiler: g++ 10 or clang 13 is the least; set CXX=... to choose one"
}

# --- the steps

make_venv() { # anew where there is none, where its Python is gone, and where the folder has been moved
    if usable "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1 &&
        head -n 2 "$venv/bin/pip" | grep -qF "$venv/"; then
        return
    fi
    rm -rf "$venv"
    step "creating .venv with $("$python" -V)" "$python" -m venv "$venv"
}

install_packages() {
    "$venv/bin/python" scripts/requirements.py "$level" >build/requirements.txt &&
        "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --prefer-binary \
            -c constraints.txt -r build/requirements.txt
}

# The metadata and the `headrace` command come from pip. The sources are put on the path by a plain .pth line in place
# of scikit-build-core's import hook, which every start of Python would have to load; the core is built by CMake below.
install_headrace() {
    SKBUILD_WHEEL_CMAKE=false SKBUILD_EDITABLE_MODE=inplace "$venv/bin/python" -m pip install \
        --disable-pip-version-check --no-input --no-build-isolation --no-deps -e . || return
    local site
    site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))') || return
    printf '%s\n' "$root/src" >"$site/_editable_skbc_headrace.pth"
}

configure_native() {
    PATH=$venv/bin:$PATH cmake -S . -B build/native -G Ninja -DCMAKE_BUILD_TYPE=Release -DHEADRACE_INPLACE=ON \
        -DPython_EXECUTABLE="$venv/bin/python" --no-warn-unused-cli
}
build_native() {
    if ! configure_native; then # a cache of another compiler, CMake or folder
        rm -rf build/native
        configure_native || return
    fi
    PATH=$venv/bin:$PATH cmake --build build/native
}
native_built() { "$venv/bin/python" -c 'import glob, sys; sys.exit(not glob.glob("src/headrace/_native*.so"))'; }

main() {
    mkdir -p build
    if command -v flock >/dev/null 2>&1; then # two `make` in one folder take turns
        exec 9>build/setup.lock
        flock 9
    fi
    local packages_key project_key native_key
    packages_key=$(hash_of constraints.txt pyproject.toml scripts/requirements.py)
    project_key=$(hash_of pyproject.toml scripts/setup.sh)-$root
    # shellcheck disable=SC2046 # no file of ours has a space in its name
    native_key=$(hash_of pyproject.toml CMakeLists.txt $(find native -type f ! -path 'native/tests/*' | LC_ALL=C sort))-$root

    local packages=packages-$level
    fresh packages-dev "$packages_key" && packages=packages-dev # has everything that `run` has
    if usable "$venv/bin/python" && fresh "$packages" "$packages_key" && fresh headrace "$project_key" &&
        fresh native "$native_key" && native_built; then
        return 0
    fi

    : >"$log"
    echo "Setting up headrace in .venv (log: build/setup.log)"
    check_system
    make_venv
    if ! fresh "$packages" "$packages_key"; then
        step "installing pinned Python packages ($level)" install_packages
        stamp "$packages" "$packages_key"
    fi
    if ! fresh headrace "$project_key"; then
        step "installing headrace" install_headrace
        stamp headrace "$project_key"
    fi
    if ! fresh native "$native_key" || ! native_built; then
        step "building the native core" build_native
        stamp native "$native_key"
    fi
}

main
[ ! -t 1 ] || [ "${1:-}" != dev ] || echo "Ready: . .venv/bin/activate, then headrace doctor"
