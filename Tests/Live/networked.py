"""A cluster whose nodes reach each other over a network that the test can break.

`quell dev` founds it on loopback, as for anybody; then its nodes are stopped and their commands run
again, inside their namespaces or with `--join` leading through the proxies. Ids, keys, data stay.
"""

import os
import subprocess

import dial
from cluster import BINARY, Cluster, eventually, quell, replaced, split
from namespaces import Namespaces, Unavailable


def namespaces(count):
    """Namespaces, or None and the reason why not."""
    if os.environ.get("QUELL_NETWORK") == "proxies":
        return None, "QUELL_NETWORK asks for proxies"
    try:
        return Namespaces(count), ""
    except Unavailable as error:
        return None, str(error)


class Networked(Cluster):
    """Three nodes, or more, on a breakable network."""

    def __init__(self, directory, network, *flags, nodes=3):
        super().__init__(directory, *flags, nodes=nodes)
        self.network = network

    def start(self):
        """Founds on loopback, moves, and waits until all are linked and ready."""
        super().start()
        done = quell("dev", "stop", "--dir", self.dir)
        assert done.returncode == 0, done
        for index, node in enumerate(self.nodes):
            self.move(index, node)
        for node in self.nodes:
            node.run(wait=False)
        for node in self.nodes:
            node.wait_ready()
        self.wait_linked()
        return self

    def move(self, index, node):
        """Gives a node its place on the network."""
        host = self.network.host(index)
        for door in ("http", "admin", "resp", "peer"):
            _, port = split(node.entry[door])
            node.entry[door] = f"{host}:{port}"
        node.http, node.admin, node.resp = (node.entry[d] for d in ("http", "admin", "resp"))
        joined = [
            self.network.reach(index, other, split(peer.entry["peer"])[1])
            for other, peer in enumerate(self.nodes) if other != index]
        command = replaced(node.command, "--join", ",".join(joined))
        if not host.startswith("127."):
            command = replaced(command, "--listen", host) + ["--insecure-listen"]
        node.command = command

    def wait_linked(self):
        """Every node sees every other."""
        def linked(node):
            peers = node.status()["peers"]
            return len(peers) == len(self.nodes) - 1 and all(
                peer["state"] == "alive" for peer in peers)
        eventually(lambda: all(linked(node) for node in self.nodes), "all linked", every=0.1)

    def cli(self, node, *arguments):
        """A verb of the client, run where that node lives; answers the completed process."""
        env = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": "/nonexistent",
            "QUELL_URL": f"http://{node.http}", "QUELL_API_KEY": self.api_key,
            "QUELL_ADMIN_URL": f"http://{node.admin}", "QUELL_ADMIN_KEY": self.admin_key}
        command = [*dial.prefix(split(node.http)[0]), str(BINARY), *map(str, arguments)]
        return subprocess.run(
            command, env=env, cwd="/", capture_output=True, text=True, timeout=60, check=False)
