"""A private PgBouncer for the tests, in transaction mode: each transaction may run on another connection."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.daemon import Daemon, give_away, listens, needs, owner
from tests.mailbox import free_port
from tests.postgres import PASSWORD, PrivateServer

CONNECTIONS = 4
"""So few, and lent out in turns, that whoever relies on having the same one twice is found out."""


class PgBouncer(Daemon):
    """Stands before a server, for the database of this name."""

    def __init__(self, program: str, folder: Path, server: PrivateServer, name: str) -> None:
        self.port = free_port()
        self._name = name
        password = PASSWORD.replace("'", "''")
        (folder / "ini").write_text(
            "[databases]\n"
            f"{name} = host=127.0.0.1 port={server.port} dbname={name} user=firstline password='{password}'\n"
            "[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\nauth_type = any\n"
            "pool_mode = transaction\nserver_round_robin = 1\nserver_lifetime = 2\nserver_reset_query =\n"
            f"default_pool_size = {CONNECTIONS}\nmax_client_conn = 500\n",
            encoding="utf-8",
        )
        who = owner("postgres")
        give_away(folder, who)
        folder.chmod(0o755)
        super().__init__(folder, [program, str(folder / "ini")], lambda: listens(self.port), who=who)

    @property
    def url(self) -> str:
        return f"postgresql://firstline@127.0.0.1:{self.port}/{self._name}"


@contextmanager
def pgbouncer(server: PrivateServer, name: str) -> Iterator[PgBouncer]:
    program = needs("pgbouncer", "pgbouncer")
    with tempfile.TemporaryDirectory(prefix="firstline-pgbouncer-") as folder:
        bouncer = PgBouncer(program, Path(folder), server, name)
        try:
            bouncer.start()
            yield bouncer
        finally:
            bouncer.kill()
