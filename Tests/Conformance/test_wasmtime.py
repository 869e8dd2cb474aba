"""Our declarations of wasmtime's C interface are those of the release that we load.

The wheel has no header, but Python bindings that are generated from the matching headers. Each
function of cwasmtime.h is looked up there and its types are compared one by one; sizes too.
"""

import ctypes
import hashlib
import importlib
import re
import subprocess
import sys

import pytest

from cluster import ROOT

WHEEL = ROOT / ".build" / "wasmtime"
HEADER = ROOT / "Runtime" / "CWasmtime" / "include" / "cwasmtime.h"

PLAIN = {
    "void": None, "bool": ctypes.c_bool, "size_t": ctypes.c_size_t, "char": ctypes.c_char,
    "uint8_t": ctypes.c_uint8, "uint32_t": ctypes.c_uint32, "uint64_t": ctypes.c_uint64,
    "int64_t": ctypes.c_int64, "quell_finalizer_t": ctypes.CFUNCTYPE(None, ctypes.c_void_p)}


@pytest.fixture(scope="module")
def bindings():
    """The bindings inside the wheel, as a module."""
    assert WHEEL.is_dir(), "no engine; run Scripts/setup.sh"
    sys.path.insert(0, str(WHEEL))
    try:
        yield importlib.import_module("wasmtime._bindings")
    finally:
        sys.path.remove(str(WHEEL))


def declarations():
    """Name -> result and parameter types, as the header has them."""
    text = HEADER.read_text().partition("#define QUELL_WASMTIME(F)")[2].partition("#ifdef")[0]
    text = text.replace("\\\n", " ")
    found = {}
    for name in re.findall(r"QUELL_WASMTIME_FLAG\(F, (\w+)\)", text):
        found[name] = ("void", ["wasm_config_t *", "bool"])
    for name, kind in re.findall(r"QUELL_WASMTIME_POOL\(F, (\w+),\s*(\w+)\)", text):
        found[name] = ("void", ["wasmtime_pooling_allocation_config_t *", kind])
    for result, name, parameters in re.findall(
            r"\bF\(([\w ]+?\*?), (w\w+),\s*\(([^()]*)\),", text):
        types = [re.sub(r"\w+$", "", part.strip()) for part in parameters.split(",")]
        found[name] = (result, [] if parameters == "void" else types)
    return found


def as_ctypes(bindings, text):
    """What a C type is in the bindings."""
    stars = text.count("*")
    word = re.sub(r"\bconst\b|\*", "", text).strip()
    if word == "quell_deadline_callback_t":
        return ctypes.CFUNCTYPE(
            ctypes.c_size_t, ctypes.POINTER(bindings.wasmtime_context_t), ctypes.c_void_p,
            ctypes.POINTER(ctypes.c_uint64),
            ctypes.POINTER(bindings.wasmtime_update_deadline_kind_t))
    if word == "void" and stars:
        kind, stars = ctypes.c_void_p, stars - 1
    elif word in PLAIN:
        kind = PLAIN[word]
    else:
        kind = getattr(bindings, word)
    for _ in range(stars):
        kind = ctypes.POINTER(kind)
    return kind


def test_every_function(bindings):
    """Hand-written declarations, machine-checked against the bindings file inside the wheel."""
    declared = declarations()
    # The compiler declares what the list expands to; no line of it may escape this test.
    expanded = subprocess.run(
        ["clang", "-E", "-P", HEADER], capture_output=True, text=True, check=True, timeout=60)
    names = re.findall(r"\b(wasm(?:time)?_\w+) \([^()]*\);", expanded.stdout)
    assert set(names) == set(declared) and len(names) == len(declared) > 60
    for name, (result, parameters) in declared.items():
        theirs = getattr(bindings, "_" + name)
        assert theirs.restype == as_ctypes(bindings, result), name
        wanted = [as_ctypes(bindings, parameter) for parameter in parameters]
        assert list(theirs.argtypes) == wanted, name


def test_every_layout(bindings):
    """Each static_assert of the header, said of the bindings' structures."""
    asserted = re.findall(
        r"static_assert\((sizeof|offsetof)\((\w+)(?:, (\w+))?\) == (\d+)", HEADER.read_text())
    assert len(asserted) >= 7
    for how, name, field, number in asserted:
        kind = getattr(bindings, name)
        found = ctypes.sizeof(kind) if how == "sizeof" else getattr(kind, field).offset
        assert found == int(number), name
    fields = {"wasmtime_func_t": 2, "wasmtime_instance_t": 2, "wasmtime_memory_t": 2}
    for name, count in fields.items():
        assert len(getattr(bindings, name)._fields_) == count, name
    assert bindings.wasmtime_extern_union.func.offset == 0


def test_the_library_is_pinned():
    """SHA-256 checked before use: the node's constant is that of the installed library."""
    library = WHEEL / "wasmtime" / "linux-x86_64" / "_libwasmtime.so"
    source = (ROOT / "Runtime" / "FunctionHost" / "EngineLibrary.swift").read_text()
    assert hashlib.sha256(library.read_bytes()).hexdigest() in source
    assert 'static let version = "50.0.1"' in source
    assert "wasmtime==50.0.1 " in (ROOT / "Runtime" / "CWasmtime" / "requirements.txt").read_text()
