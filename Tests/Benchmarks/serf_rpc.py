"""A client of serf's RPC port, as small as the row needs: send user events, hear them.

The protocol is MessagePack over TCP: a header map {Command, Seq}, then the command's body; answers
carry {Seq, Error} and, for a stream, a body each time something happens. One connection that stays
spares serf the start of a `serf event` process for each event.
"""

import socket

import dial


def packed(value):
    """MessagePack of text, bytes, small numbers, booleans and maps of them."""
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return b"\xce" + value.to_bytes(4, "big")
    if isinstance(value, dict):
        assert len(value) < 16
        return bytes([0x80 | len(value)]) + b"".join(
            packed(key) + packed(each) for key, each in value.items())
    value = value.encode() if isinstance(value, str) else value
    assert len(value) < 65_536
    return b"\xda" + len(value).to_bytes(2, "big") + value


def unpacked(bytes_in, at=0):
    """One value and where the next begins; IndexError when it is not all there yet."""
    kind = bytes_in[at]
    at += 1
    if kind < 0x80 or kind >= 0xE0:
        return kind, at
    if kind < 0x90 or kind in (0xDE, 0xDF):
        size, at = (kind & 15, at) if kind < 0x90 else number(bytes_in, at, 2 << (kind - 0xDE))
        found = {}
        for _ in range(size):
            key, at = unpacked(bytes_in, at)
            found[key], at = unpacked(bytes_in, at)
        return found, at
    if kind < 0xC0 or 0xC4 <= kind <= 0xC6 or 0xD9 <= kind <= 0xDB:
        if kind < 0xA0:
            raise ValueError("an array, which no answer of ours holds")
        width = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
        size, at = (kind & 31, at) if kind < 0xC0 else number(bytes_in, at, width[kind])
        if at + size > len(bytes_in):
            raise IndexError
        return bytes_in[at:at + size], at + size
    if kind in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[kind], at
    if 0xCC <= kind <= 0xCF or 0xD0 <= kind <= 0xD3:
        return number(bytes_in, at, 1 << (kind & 3))
    raise ValueError(f"MessagePack type {kind:#x}")


def number(bytes_in, at, width):
    """A big-endian number of so many bytes; IndexError when it is not all there yet."""
    if at + width > len(bytes_in):
        raise IndexError
    return int.from_bytes(bytes_in[at:at + width], "big"), at + width


class Agent:
    """One connection to an agent."""

    def __init__(self, host, port):
        self.link = dial.connect(host, port, timeout=20)
        self.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.bytes_in, self.sequence = b"", 0
        self.call("handshake", {"Version": 1})

    def send(self, command, body):
        """Sends a command and does not wait; returns its number."""
        self.sequence += 1
        header = {"Command": command, "Seq": self.sequence}
        self.link.sendall(packed(header) + packed(body))
        return self.sequence

    def call(self, command, body):
        """Sends a command without an answer's body and waits for its header."""
        sequence = self.send(command, body)
        while True:
            for said in self.read():
                if said.get(b"Seq") == sequence:
                    assert not said[b"Error"], said
                    return

    def read(self):
        """The values that are whole after one read of the socket, headers and bodies alike."""
        part = self.link.recv(65_536)
        assert part, "serf ended the connection"
        self.bytes_in += part
        found, at = [], 0
        while at < len(self.bytes_in):
            try:
                value, at = unpacked(self.bytes_in, at)
            except IndexError:
                break
            found.append(value)
        self.bytes_in = self.bytes_in[at:]
        return found

    def close(self):
        """Ends the connection."""
        self.link.close()
