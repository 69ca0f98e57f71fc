#!/usr/bin/env bash
# Build the native core's own tests under AddressSanitizer and UBSan, and run them. Quiet unless something fails.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
PATH=$PWD/.venv/bin:$PATH
build=build/native-tests
log=$build.log
mkdir -p build

quietly() {
    "$@" >"$log" 2>&1 || {
        tail -n 60 "$log" >&2
        echo "native tests: failed: $*" >&2
        exit 1
    }
}

quietly cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=None -DHEADRACE_NATIVE_TESTS=ON \
    -DPython_EXECUTABLE="$PWD/.venv/bin/python" --no-warn-unused-cli
quietly cmake --build "$build"
quietly ctest --test-dir "$build" --parallel 2 --output-on-failure --no-tests=error --timeout 120
grep -E '^[0-9]+% tests passed|^Total Test time' "$log" | paste -sd' ' | sed 's/^/native tests: /'
