"""Stops one thread of a process and lets the others run: what SIGSTOP cannot do (ptrace(2))."""

import contextlib
import ctypes
import os
import pathlib
import queue
import threading

from cluster import eventually

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000


def thread_of(pid, name):
    """The id of the thread of this name, or None; a list that changes under us may lack one."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            if (task / "comm").read_text().strip() == name:
                return int(task.name)
        except OSError:
            continue  # ended meanwhile
    return None


def may_trace():
    """Whether this machine lets us."""
    if os.geteuid() == 0:
        return True
    scope = pathlib.Path("/proc/sys/kernel/yama/ptrace_scope")
    return not scope.exists() or scope.read_text().strip() == "0"


def _ptrace(request, thread):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(request, thread, None, None) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x} of thread {thread}")


@contextlib.contextmanager
def stalled(pid, name):
    """One thread stands still inside this block. A tracer is a thread: so it is one of its own."""
    thread = eventually(lambda: thread_of(pid, name), f"thread {name} of process {pid}")
    done, told = threading.Event(), queue.Queue()

    def trace():
        try:
            _ptrace(SEIZE, thread)
            _ptrace(INTERRUPT, thread)
            os.waitpid(thread, WALL)
            told.put(None)
            done.wait(120)
            _ptrace(DETACH, thread)
        except OSError as error:
            told.put(error)

    tracer = threading.Thread(target=trace, daemon=True)
    tracer.start()
    error = told.get(timeout=10)
    if error:
        raise error
    try:
        yield
    finally:
        done.set()
        tracer.join(10)
