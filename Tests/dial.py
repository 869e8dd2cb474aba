"""Connections into network namespaces, for tests whose nodes each live in one of their own.

A socket belongs for ever to the namespace in which it was made. So a thread steps into a node's
namespace for the length of `socket()` alone, steps back, and from then on uses that socket like any
other: clients reach their node over its own loopback, whatever is cut between the nodes.
"""

import contextlib
import ctypes
import os
import socket

# Host -> file of its namespace, such as /run/netns/NAME; a host not named here is on this machine.
NAMESPACES = {}

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _enter(descriptor):
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(namespace):
    """This thread, and no other, is in the namespace meanwhile."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        there = os.open(namespace, os.O_RDONLY)
        try:
            _enter(there)
            try:
                yield
            finally:
                _enter(here)
        finally:
            os.close(there)
    finally:
        os.close(here)


def connect(host, port, timeout=None):
    """A connected TCP socket, from wherever the host is reached."""
    namespace = NAMESPACES.get(host)
    if namespace is None:
        return socket.create_connection((host, port), timeout=timeout)
    with inside(namespace):
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.settimeout(timeout)
        made.connect((host, port))
    except BaseException:
        made.close()
        raise
    return made


def prefix(host):
    """What to put before a command so that it runs where the host is reached."""
    namespace = NAMESPACES.get(host)
    return [] if namespace is None else ["nsenter", f"--net={namespace}", "--"]
