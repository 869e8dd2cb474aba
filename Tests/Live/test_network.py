"""The rigs themselves: a cut that does not cut would prove nothing about a cluster.

Each kind of network carries TCP and UDP between small servers, and is then broken.
"""

import socket
import threading

import pytest

import dial
from cluster import eventually, free_block
from namespaces import FOLDER

SHORT = 0.4


class Echo:
    """Answers whatever it hears, TCP and UDP, at one node of a network."""

    def __init__(self, host, port):
        namespace = dial.NAMESPACES.get(host)
        if namespace:
            with dial.inside(namespace):
                self.open()
        else:
            self.open()
        for door in (self.stream, self.datagram):
            door.settimeout(30)
            door.bind((host, port))
        self.stream.listen(8)
        for work in (self.accept, self.datagrams):
            threading.Thread(target=work, daemon=True).start()

    def open(self):
        self.stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def accept(self):
        while True:
            try:
                link, _ = self.stream.accept()
            except OSError:
                return
            threading.Thread(target=self.echo, args=(link,), daemon=True).start()

    def echo(self, link):
        with link:
            link.settimeout(30)
            try:
                while piece := link.recv(4_096):
                    link.sendall(piece)
            except OSError:
                return  # broken by the test, or over

    def datagrams(self):
        while True:
            try:
                piece, sender = self.datagram.recvfrom(4_096)
                self.datagram.sendto(piece, sender)
            except OSError:
                return  # closed by the test

    def close(self):
        """Ends both."""
        self.stream.close()
        self.datagram.close()


class Ends:
    """A client at node 0 and an echo at node 1."""

    def __init__(self, network):
        port = free_block()
        self.echo = Echo(network.host(1), port)
        host, door = network.reach(0, 1, port).split(":")
        self.door = (host, int(door))
        namespace = dial.NAMESPACES.get(network.host(0))
        if namespace:
            with dial.inside(namespace):
                self.open()
        else:
            self.open()
        for end in (self.link, self.datagram):
            end.settimeout(10)
            end.connect(self.door)

    def open(self):
        self.link = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def heard(self, end, seconds=SHORT):
        """Whether a word comes back in time."""
        end.settimeout(seconds)
        try:
            end.send(b"word")
            return end.recv(4) == b"word"
        except TimeoutError:
            return False

    def close(self):
        """Ends all."""
        self.echo.close()
        self.link.close()
        self.datagram.close()


@pytest.fixture(params=["namespaces", "proxies"])
def ends(request, networks):
    """Two ends on each kind of network."""
    network = networks(2, request.param)
    made = Ends(network)
    yield network, made
    made.close()


@pytest.mark.parametrize("way", ["both", "there", "back"])
def test_cut(ends, way):
    """A cut in either direction silences TCP and UDP; healed, TCP brings what was held back."""
    network, made = ends
    assert made.heard(made.link, 10) and made.heard(made.datagram, 10)
    source, target = (1, 0) if way == "back" else (0, 1)
    network.cut(source, target, both=way == "both")
    assert not made.heard(made.link) and not made.heard(made.datagram)
    network.heal()
    made.link.settimeout(20)
    assert made.link.recv(4) == b"word"
    assert made.heard(made.datagram, 10)


def test_loss(ends):
    """Of 300 datagrams at 20 % loss some are lost and most arrive."""
    network, made = ends
    assert made.heard(made.datagram, 10)
    network.lose(0, 1, 20)
    made.datagram.settimeout(SHORT)
    for _ in range(300):
        made.datagram.send(b"word")
    heard = 0
    try:
        while made.datagram.recv(4):
            heard += 1
    except TimeoutError:
        pass  # nothing more comes
    assert 150 < heard < 299, heard


def test_delay(networks):
    """What is delayed comes, and not before its time."""
    network = networks(2, "proxies")
    made = Ends(network)
    try:
        network.delay(0, 1, 500)
        for end in (made.link, made.datagram):
            assert not made.heard(end)
            end.settimeout(10)
            assert end.recv(4) == b"word"
    finally:
        made.close()


def test_proxies_break_links(networks):
    """A TCP piece that is drawn breaks its connection; the next one is whole again."""
    network = networks(2, "proxies")
    made = Ends(network)
    try:
        assert made.heard(made.link, 10)
        network.lose(0, 1, 100)
        made.link.sendall(b"word")
        assert made.link.recv(4) == b""
        network.heal()
        with dial.connect(*made.door, 10) as again:
            assert made.heard(again, 10)
    finally:
        made.close()


def test_nothing_is_left(networks):
    """A closed network leaves no namespace behind."""
    network = networks(2, "namespaces")
    names = [network.name(0), network.name(1), f"{network.base}-hub"]
    assert all((FOLDER / name).exists() for name in names)
    network.close()
    assert not any((FOLDER / name).exists() for name in names)
    assert network.host(0) not in dial.NAMESPACES
    eventually(lambda: not network.made, "nothing more to remove")
