"""The references of Debian: Redis, nginx, PostgreSQL, serf, each with private folder and port.

They run with Debian's binaries and, but for the settings named here, their defaults. PostgreSQL
refuses root, so as root it runs as `nobody` on a folder that belongs to `nobody`.
"""

import os
import pwd
import signal

import dial
from cluster import eventually
from processes import Failed, Server, run, tool

POSTGRES_BIN = "/usr/lib/postgresql/15/bin"
STANDBY = "standby"
"""What the standby calls itself to its primary, which waits for that name."""


class Redis(Server):
    """Redis without persistence: its best case."""

    def __init__(self, folder, port):
        folder.mkdir()
        super().__init__("redis-server", [
            tool("redis-server"), "--port", port, "--bind", "127.0.0.1", "--dir", folder,
            "--save", "", "--appendonly", "no"], port, folder / "log")


class Nginx(Server):
    """One worker that answers every request with the same body and logs nothing."""

    def __init__(self, folder, port, body):
        folder.mkdir()
        folder.chmod(0o755)
        assert "'" not in body and "$" not in body
        (folder / "nginx.conf").write_text(f"""
            daemon off;
            worker_processes 1;
            pid {folder}/pid;
            error_log stderr crit;
            events {{ worker_connections 1024; }}
            http {{
                access_log off;
                keepalive_requests 1000000000;
                client_body_temp_path {folder}/body;
                proxy_temp_path {folder}/proxy;
                fastcgi_temp_path {folder}/fastcgi;
                uwsgi_temp_path {folder}/uwsgi;
                scgi_temp_path {folder}/scgi;
                server {{
                    listen 127.0.0.1:{port};
                    location / {{ default_type application/json; return 200 '{body}'; }}
                }}
            }}""")
        super().__init__("nginx", [
            tool("nginx"), "-p", folder, "-e", "stderr", "-c", folder / "nginx.conf"],
            port, folder / "log")


class Postgres(Server):
    """PostgreSQL 15 with fsync and synchronous_commit on, 1 GB of buffers, no standby.

    With `primary`, a copy of that server which streams its log from it (see `with_standby`).
    """

    def __init__(self, folder, port, primary=None):
        folder.mkdir()
        self.database = ["-h", "127.0.0.1", "-p", str(port), "-U", "bench"]
        become = []
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            become = [tool("setpriv"), f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}",
                      "--clear-groups"]
        marks = folder / "data"
        if primary:
            run([*become, tool("pg_basebackup", POSTGRES_BIN), "-D", marks, "-R", "-c", "fast",
                 "--no-sync", "-d", f"host=127.0.0.1 port={primary.port} user=bench "
                 f"application_name={STANDBY}"], 120, cwd=folder)
        else:
            run([*become, tool("initdb", POSTGRES_BIN), "-D", marks, "-A", "trust", "-U", "bench",
                 "-E", "UTF8", "--locale=C", "--no-sync"], 60, cwd=folder)
        # setpriv resets the death signal when it changes the user, so both stand in one command.
        super().__init__("postgres", [
            *become[1:], tool("postgres", POSTGRES_BIN), "-D", marks, "-p", port, "-k", folder,
            "-c", "listen_addresses=127.0.0.1", "-c", "fsync=on", "-c", "synchronous_commit=on",
            "-c", "shared_buffers=1GB", "-c", "max_wal_size=4GB"],
            port, folder / "log", ending=signal.SIGINT)
        # The port is open before the log is replayed.
        try:
            eventually(self.is_up, "PostgreSQL taking statements", 60, every=0.1)
        except BaseException:
            self.stop()
            raise

    def is_up(self):
        """True once statements are taken."""
        try:
            return self.sql("SELECT 1") == "1"
        except Failed:
            return False

    def wait_for_standby(self):
        """From now on a commit returns once the standby has flushed it as well."""
        self.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'")
        self.sql("SELECT pg_reload_conf()")
        eventually(
            lambda: self.sql("SELECT sync_state FROM pg_stat_replication") == "sync",
            "a synchronous standby", 60, every=0.1)

    def sql(self, statement, stdin=None, seconds=600):
        """Runs one statement with psql; what it prints."""
        named = {"stdin": stdin} if stdin else {}
        return run([
            tool("psql"), *self.database, "-d", "postgres", "-X", "-q", "-A", "-t",
            "-v", "ON_ERROR_STOP=1", "-c", statement], seconds, **named).strip()


class Serf(Server):
    """One serf agent with the timing of its `lan` profile, the default."""

    def __init__(self, folder, port, name, first=None, host="127.0.0.1"):
        folder.mkdir()
        self.gossip = f"{host}:{port + 1}"
        joined = [f"-join={first.gossip}"] if first else []
        super().__init__(f"serf {name}", [
            *dial.prefix(host), tool("serf"), "agent", f"-node={name}", f"-bind={self.gossip}",
            f"-rpc-addr={host}:{port}", *joined], port, folder / "log", signal.SIGINT, host)
