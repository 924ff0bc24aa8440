"""Customers, and what the channels prove about who they are."""

from collections.abc import Iterable
from datetime import datetime

from storage.database import Row, database, execute, find, first, insert, rows
from storage.dialect import locks_rows
from storage.tables import Customer, Event, Identity


def identity(channel: str, external_id: str) -> Row | None:
    return find(Identity, "channel = ? AND external_id = ?", [channel, external_id])


def owner(identity_id: int | None) -> str | None:
    """Return the customer who has this identity."""
    found = first(Identity.select(Identity.customer).where(Identity.id == identity_id))
    return None if found is None else str(found["customer"])


def is_forgotten(identity_id: int | None) -> bool:
    """Whether the customer who has this identity was forgotten."""
    found = execute(
        "SELECT 1 FROM identities JOIN customers ON customers.id = customer_id "
        "WHERE identities.id = ? AND forgotten_at IS NOT NULL",
        (identity_id,),
    )
    return found.fetchone() is not None


def add(customer_id: str, at: datetime) -> None:
    insert(Customer, [{"id": customer_id, "created_at": at}])


def drop(customer_id: str) -> None:
    """Take back a customer whom nobody knows yet."""
    Customer.delete().where(Customer.id == customer_id).execute()


def identify(channel: str, external_id: str, customer_id: str, at: datetime) -> bool:
    """Say that this identity is this customer; False if it is known already, also since this very moment."""
    row = {"channel": channel, "external_id": external_id, "customer": customer_id, "first_seen_at": at}
    return bool(insert(Identity, [row], unless="channel, external_id"))


def get(customer_id: str) -> Row | None:
    return first(Customer.select().where(Customer.id == customer_id))


def identities(customer_id: str) -> list[Row]:
    return rows(Identity.select().where(Identity.customer == customer_id).order_by(Identity.id))


def mails(customer_id: str) -> list[str]:
    """List the mail addresses that a customer has proven, the latest first. What is only claimed has a space in it."""
    found = [row["external_id"] for row in identities(customer_id)[::-1] if row["channel"] == "email"]
    return [address for address in found if "@" in address and " " not in address]


def mail(identity_id: int | None) -> str | None:
    """Return the proven address at which somebody who is known by this identity wants our texts as well."""
    found = execute("SELECT email FROM identities WHERE id = ?", (identity_id,)).fetchone()
    return None if found is None else found[0]


def write_to(identity_id: int, email: str) -> None:
    """Let this be that address."""
    Identity.update(email=email).where(Identity.id == identity_id).execute()


def hold(customer_ids: Iterable[str]) -> None:
    """Let nobody else join these customers with others until the transaction ends. SQLite: the transaction itself
    does."""
    if locks_rows(database):
        for customer_id in sorted(set(customer_ids)):
            execute("SELECT 1 FROM customers WHERE id = ? FOR UPDATE", (customer_id,)).fetchall()


def named(external_id: str) -> list[Row]:
    """Find the identities that go by this name, or are claimed to, on whichever channel."""
    names = [external_id, f"claimed {external_id}"]
    return rows(Identity.select().where(Identity.external_id.in_(names)).order_by(Identity.id))


def merge(customer_id: str, into: str) -> bool:
    """Let all identities of a customer be another's; False if it is merged already."""
    merged = execute("UPDATE customers SET merged_into = ? WHERE id = ? AND merged_into IS NULL", (into, customer_id))
    if merged.rowcount:
        execute("UPDATE identities SET customer_id = ? WHERE customer_id = ?", (into, customer_id))
        execute("UPDATE customers SET merged_into = ? WHERE merged_into = ?", (into, customer_id))
    return bool(merged.rowcount)


def record(customer_id: str, at: datetime, actor: str, name: str, after: str | None = None) -> None:
    """Add a line about a customer to the audit trail."""
    insert(Event, [{"customer": customer_id, "at": at, "actor": actor, "name": name, "after": after}])


def events(customer_id: str) -> list[Row]:
    return rows(Event.select().where(Event.customer == customer_id).order_by(Event.id))
