"""A private PostgreSQL for the tests: a cluster of its own in a temporary folder, gone when they have ended.

With TEST_DATABASE_URL that server is used instead; its role must be allowed to create databases.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from storage import database
from storage.migrate import migrate

ON_SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
"""For a test about SQLite."""
ON_POSTGRESQL = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
"""For a test about PostgreSQL."""

PASSWORD = "p@ss:w/rd %é"
QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
OPTIONS = {
    "timezone": "Asia/Kolkata",  # not UTC, so that a test notices whoever relies on it
    "default_transaction_isolation": "serializable",  # nor what we run with
    "max_connections": "200",
    "max_wal_size": "128MB",
    "unix_socket_permissions": "0777",
}
MISSING = "PostgreSQL is not installed: apt install postgresql (or set TEST_DATABASE_URL)"


class Server:
    """A PostgreSQL that databases can be made on. `url` is that of any database of it."""

    def __init__(self, url: str) -> None:
        self._any = url
        self._prefix = f"firstline_test_{os.getpid()}_{time.monotonic_ns() % 10**6}"
        self._number = 0
        self._template = ""
        self._session: psycopg.Connection[Any] | None = None

    def url(self, name: str) -> str:
        """The URL of a database of this server."""
        return re.sub(r"^(\w+://[^/?]*)/[^?]*", lambda found: f"{found[1]}/{name}", self._any)

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement beside the code that is tested, in the database of `url`."""
        if self._session is None or self._session.closed:
            self._session = psycopg.connect(self._any, autocommit=True)
        cursor = self._session.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []

    def create(self, migrated: bool) -> str:
        """Make a database, empty or with the schema of today, and return its name."""
        template = self._migrated() if migrated else "template0"
        self._number += 1
        name = f"{self._prefix}_{self._number}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def _migrated(self) -> str:
        """The database that the others are copied from: much quicker than migrating each."""
        if not self._template:
            name = self.create(migrated=False)
            database.connect(self.url(name))
            migrate()
            database.disconnect()
            self._template = name
        return self._template

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        # not WITH (FORCE): that needs a superuser while autovacuum is in there
        self.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        self.end_sessions(name)
        self.execute(f"DROP DATABASE {name}")

    def end_sessions(self, name: str) -> None:
        """End every connection to a database from outside, as a restart would; return when all are gone."""
        self.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            f"WHERE datname = '{name}' AND usename = current_user AND pid <> pg_backend_pid()"
        )

    def close(self) -> None:
        if self._template:
            self.drop(self._template)
        if self._session is not None:
            self._session.close()


@contextmanager
def server() -> Iterator[Server]:
    """Give the server of TEST_DATABASE_URL, or start one of our own."""
    given = os.environ.get("TEST_DATABASE_URL")
    if not given:
        with private_server() as private:
            yield private
        return
    found = Server(given)
    yield found
    found.close()


def find_binaries() -> Path | None:
    """The folder of initdb and postgres: on the PATH, or where Debian keeps them (the newest)."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    folders += sorted(versions, key=lambda path: [int(n) for n in re.findall(r"\d+", path.parent.name)], reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists() and (folder / "initdb").exists()), None)


@contextmanager
def private_server(durable: bool = False) -> Iterator["PrivateServer"]:
    """Start a server on a Unix socket and a free port of the loopback, and stop it in the end. `durable`: with fsync,
    as in production; else quick, and lost in a power cut. Where there is no PostgreSQL the test is skipped; with CI
    set it fails."""
    binaries = find_binaries()
    if binaries is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
    folder = Path(tempfile.mkdtemp(prefix="firstline-pg-", dir=_place(durable)))
    try:
        private = PrivateServer(binaries, folder, durable)
        private.start()
        try:
            private.add_role()
            yield private
            private.close()
        finally:
            private.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class PrivateServer(Server):
    """A server of our own, in a folder."""

    def __init__(self, binaries: Path, folder: Path, durable: bool) -> None:
        self.port = _free_port()
        self._root_url = f"postgresql:///postgres?host={folder}&port={self.port}&user=postgres"
        super().__init__(self._root_url.replace("user=postgres", "user=firstline"))
        self._binaries = binaries
        self._folder = folder
        (folder / "data").mkdir()
        folder.chmod(0o755)
        self._owner = _give_away(folder)
        self._command = [str(binaries / "postgres"), "-D", str(folder / "data"), "-p", str(self.port)]
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(folder), **OPTIONS}
        self._command += [f"--{name}={value}" for name, value in {**options, **({} if durable else QUICK)}.items()]
        if shutil.which("setpriv"):  # so that it ends with us even if we are killed
            self._command = ["setpriv", "--pdeathsig", "INT", *self._command]
        self._process: subprocess.Popen[bytes] | None = None
        self._initialise()

    def tcp_url(self, name: str, password: str = PASSWORD) -> str:
        """The URL of a database by way of the network, with a password that has to be encoded."""
        return f"postgresql://firstline:{quote(password, safe='')}@127.0.0.1:{self.port}/{name}"

    def add_role(self) -> None:
        """Make the role that the tests use: as in production it may not do everything."""
        with psycopg.connect(self._root_url, autocommit=True) as session:
            session.execute(f"CREATE ROLE firstline LOGIN CREATEDB PASSWORD '{PASSWORD}'".encode())

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """While entered, the server is away."""
        self.stop()
        yield
        self.start()

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, **self._surroundings())
        self._wait_up(self._process)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # "fast": does not wait for clients
            self._process.wait(30)
            self._process = None

    def _initialise(self) -> None:
        command = [str(self._binaries / "initdb"), *INITDB, "-D", str(self._folder / "data")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._surroundings())
        assert done.returncode == 0, done.stdout + done.stderr

    def _surroundings(self) -> dict[str, Any]:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
        return {"cwd": self._folder, "env": environment, **self._owner}

    def _wait_up(self, process: "subprocess.Popen[bytes]") -> None:
        last = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self._root_url).close()
            except psycopg.OperationalError:
                log = (self._folder / "log").read_text()
                assert process.poll() is None, log
                assert time.monotonic() < last, log
                time.sleep(0.02)
            else:
                return


def _give_away(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: give the folder to somebody else, and return who that is, for Popen."""
    if os.geteuid() != 0:
        return {}
    import pwd

    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    for path in (folder, folder / "data"):
        os.chown(path, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _place(durable: bool) -> Path:
    """Where the cluster lies: in memory if there is room, where making a database takes 10 ms and not 110. Not in the
    folder of the test: a socket's path must be short."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM
    return memory if roomy and not durable else Path("/tmp")


ROOM = 2 * 2**30

INITDB = [
    *("--username=postgres", "--auth-local=trust", "--auth-host=scram-sha-256"),
    *("--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"),
]
