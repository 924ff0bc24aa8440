"""`bot mail`."""

import sys

import typer


def add_commands(app: typer.Typer) -> None:
    group = typer.Typer(help="Mail: what came in.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("reply")(reply)
    app.add_typer(group, name="mail")


def reply() -> None:
    """Read the plain text of a mail from standard input, and print what its author wrote."""
    from adapters.mail.written import written

    typer.echo(written(_decoded(sys.stdin.buffer.read())))


def _decoded(data: bytes) -> str:
    """Take for Latin-1 what is not UTF-8: that one takes any bytes."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")
