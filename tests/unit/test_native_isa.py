"""The choice of the compiled copy."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from headrace import _native


def isa_in_a_fresh_process(value):
    code = "from headrace import _native; print(_native.isa())"
    environment = {
        **os.environ,
        "HEADRACE_ISA": value,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_the_portable_copy_is_always_available():
    assert _native.available_isas()[0] == "portable"
    assert _native.isa() in _native.available_isas()


def test_set_isa_is_what_isa_then_says():
    before = _native.isa()
    try:
        for name in _native.available_isas():
            _native.set_isa(name)
            assert _native.isa() == name
    finally:
        _native.set_isa(before)


def test_an_unknown_isa_is_refused_with_the_ones_on_offer():
    with pytest.raises(ValueError, match="this machine offers: portable"):
        _native.set_isa("sse9")


@pytest.mark.parametrize("name", _native.available_isas())
def test_the_environment_variable_chooses_at_first_use(name):
    assert isa_in_a_fresh_process(name).stdout.strip() == name


def test_an_environment_variable_that_names_no_copy_is_an_error():
    done = isa_in_a_fresh_process("quantum")
    assert done.returncode != 0
    assert "HEADRACE_ISA" in done.stderr
    assert "ValueError" in done.stderr


def test_cpu_features_are_booleans_by_name():
    features = _native.cpu_features()
    assert all(isinstance(name, str) and isinstance(present, bool) for name, present in features.items())
    if "avx2" in _native.available_isas():
        assert features["avx2"]
