"""A private RabbitMQ for the tests, with a port mapper of its own (which it would start, and leave behind)."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.daemon import Daemon, give_away, listens, needs, owner
from tests.mailbox import free_port

SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"
"""Where Debian keeps it: what is on the PATH insists on being run by root or rabbitmq, and changes to the latter."""

QUEUES = ("firstline.in", "firstline.out", "firstline.job", "firstline.job.file")


class RabbitMQServer(Daemon):
    """RabbitMQ; `mapper` is the epmd by which Erlang's nodes find each other."""

    def __init__(self, folder: Path, mapper_port: int) -> None:
        self.port = free_port()
        lines = [f"listeners.tcp.local = 127.0.0.1:{self.port}", "log.file.level = warning"]
        (folder / "rabbitmq.conf").write_text("\n".join([*lines, ""]))
        for name in ("data", "logs"):
            (folder / name).mkdir()
        who = owner("rabbitmq")
        give_away(folder, who)
        folder.chmod(0o755)
        environment = {
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"firstline{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_PID_FILE": str(folder / "data" / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 2 +sbwt none",
        }
        super().__init__(folder, [SERVER], self._answers_us, environment, who)

    @property
    def url(self) -> str:
        """What QUEUE_URL has to be."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def _answers_us(self) -> bool:
        if not listens(self.port):
            return False
        with suppress(Exception), self.channel():
            return True
        return False

    @contextmanager
    def channel(self) -> Iterator[Any]:
        """A channel beside the code that is tested."""
        import pika

        parameters = pika.URLParameters(self.url)
        parameters.socket_timeout = parameters.stack_timeout = 2
        parameters.connection_attempts = 1
        connection = pika.BlockingConnection(parameters)
        try:
            yield connection.channel()
        finally:
            connection.close()

    def empty(self) -> None:
        with self.channel() as channel:
            for queue in QUEUES:
                channel.queue_delete(queue)

    def bodies(self) -> list[bytes]:
        """All messages that wait; they wait no more."""
        with self.channel() as channel:
            found = [channel.basic_get(queue, auto_ack=True) for queue in QUEUES for _ in range(20)]
        return [body for _, _, body in found if body is not None]

    def waiting(self, queue: str) -> int:
        """How many wait in a queue."""
        with self.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).method.message_count)


@contextmanager
def rabbitmq_server() -> Iterator[RabbitMQServer]:
    needs(SERVER, "rabbitmq-server")
    epmd = needs("epmd", "rabbitmq-server")
    with tempfile.TemporaryDirectory(prefix="firstline-rabbitmq-", ignore_cleanup_errors=True) as name:
        port = free_port()
        (Path(name) / "epmd").mkdir()
        (Path(name) / "node").mkdir()
        Path(name).chmod(0o755)
        mapper = Daemon(Path(name) / "epmd", [epmd, "-port", str(port), "-address", "127.0.0.1"], lambda: listens(port))
        server = RabbitMQServer(Path(name) / "node", port)
        try:
            mapper.start()
            server.start()
            yield server
        finally:
            server.kill()
            mapper.kill()
