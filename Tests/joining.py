"""Nodes that join a running cluster: their command, their directory, what they tell of it."""

from cluster import Node, call, free_block, replaced


def joiner(cluster, name, zone, *peers, flags=(), run=True):
    """A node with its own directory that knows nothing but the peer addresses given."""
    base = free_block()
    command = [part for part in cluster.node.command if part != "--bootstrap"]
    if "--voters" in command:
        at = command.index("--voters")
        del command[at:at + 2]
    data = cluster.dir / name
    for flag, value in (
            ("--name", name), ("--data", data), ("--base-port", base), ("--zone", zone),
            ("--public-url", f"http://127.0.0.1:{base}"), ("--join", ",".join(peers)), *flags):
        command = replaced(command, flag, value)
    entry = {
        "name": name, "pid": 0, "http": f"127.0.0.1:{base}", "admin": f"127.0.0.1:{base + 1}",
        "resp": f"127.0.0.1:{base + 2}", "peer": f"127.0.0.1:{base + 3}", "data": str(data),
        "command": command}
    node = Node(cluster, entry)
    if run:
        node.run()
        cluster.node_pids.add(node.pid)
    return node


def asked(node):
    """Its status; None while it has no admin key yet, or does not run."""
    try:
        answer = call(
            node.admin, "GET", "/v1/status", timeout=2,
            headers={"Authorization": f"Bearer {node.cluster.admin_key}"})
    except OSError:
        return None
    return answer.json() if answer.status == 200 else None
