"""Row w: a call of a wasm function through the host, beside the same module driven from C."""

from cluster import BINARY, ROOT
from processes import Failed, run, tool
from rounds import alternate
from session import paired

LIBRARY = ROOT / ".build" / "wasmtime" / "wasmtime" / "linux-x86_64" / "_libwasmtime.so"

CALLED = [
    ("check", 2, "two.req", "strict", "fresh"), ("check", 2, "two.req", "warm", "warm"),
    ("unsubscribe", 1, "page.req", "strict", "fresh"),
    ("unsubscribe", 1, "page.req", "warm", "warm")]
"""Function, kind, fixture, our isolation, and the mode of callcost.c that is the same."""


def build(session):
    """callcost.c as a program."""
    program = session.dir / "callcost"
    wrapper = ROOT / "Runtime" / "CWasmtime"
    run([tool("clang"), "-O2", "-I", wrapper / "include", ROOT / "Tests/Benchmarks/callcost.c",
         wrapper / "cwasmtime.c", "-ldl", "-o", program], 120)
    return program


def call_rows(session):
    """w: a fresh-instance and a warm call of the shipped modules, beside the same from C."""
    if not LIBRARY.exists():
        raise Failed("no wasm engine; run Scripts/setup.sh")
    run([ROOT / "Scripts" / "wasm.sh"], 600)
    program = build(session)
    millis = session.seconds * 1_000
    rows = []
    for name, kind, fixture, isolation, mode in CALLED:
        module = ROOT / ".build" / "functions" / f"{name}.wasm"
        request = ROOT / "Functions" / name / "fixtures" / fixture

        def reference():
            return float(run([program, LIBRARY, module, kind, request, mode, millis], 60))

        def ours():
            return float(run([
                BINARY, "function-child", "cost", LIBRARY, "wide", module, request, isolation,
                millis], 60))
        session.say(f"{name}, {mode}; either side ends when one call fails")
        measured = alternate(reference, ours, session.rounds, session.say)
        rows.append(paired(
            "w", f"a {mode} call of {name}.wasm ({module.stat().st_size:,} B), beside C",
            measured, "us", "<= 1.1", lambda ratio: ratio <= 1.1, 1e-3))
    return rows
