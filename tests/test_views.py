"""What people are shown of many incidents at once."""

from datetime import timedelta
from typing import Any

from bot.model import Address, Incident
from bot.views import Views
from storage import customers, database, incidents
from tests.fakes import NOON
from tests.test_storage import values

CLARA = "T1/UCLARA"
ANA, BEA = Address("slack", "T1/U1"), Address("slack", "T1/U2")


def keep(number: int, **changes: Any) -> None:
    """Keep an incident; the higher its number, the younger it is."""
    opened = NOON + timedelta(minutes=number)
    with database.transaction():
        assert incidents.open(
            values(**{"id": f"i-{number}", "ticket_id": f"TKT-{number}", "created_at": opened, **changes})
        )


def numbers(found: "tuple[Incident, ...] | list[Incident]") -> list[str]:
    return [incident.ticket_id.removeprefix("TKT-") for incident in found]


def test_what_is_urgent_comes_first_and_then_what_is_oldest(db: str) -> None:
    keep(3, classification="other")
    keep(2, classification="account_locked")
    keep(1)
    keep(4, classification="fraud_report")
    assert numbers(Views().workload(CLARA, 10).others) == ["2", "4", "1", "3"]


def test_an_agents_own_incidents_stand_apart_from_all_others(db: str) -> None:
    keep(1, assignee=CLARA)
    keep(2, assignee="T1/UEVA")
    keep(3)
    keep(4, assignee=CLARA, classification="fraud_report")
    load = Views().workload(CLARA, 10)
    assert (numbers(load.own), numbers(load.others)) == (["4", "1"], ["2", "3"])


def test_what_is_resolved_is_no_work(db: str) -> None:
    keep(1, status="resolved", resolved_at=NOON)
    keep(2, status="resolved", resolved_at=NOON, assignee=CLARA, classification="fraud_report")
    load = Views().workload(CLARA, 10)
    assert (load.own, load.others, load.number_open, load.number_urgent, load.number_own) == ((), (), 0, 0, 0)


def test_the_first_few_are_shown_and_all_are_counted(db: str) -> None:
    for number in range(1, 8):
        keep(number, assignee=CLARA if number > 4 else None, classification="fraud_report" if number % 3 else "other")
    load = Views().workload(CLARA, 2)
    assert (numbers(load.own), numbers(load.others)) == (["5", "7"], ["1", "2"])
    assert (load.number_open, load.number_urgent, load.number_own) == (7, 5, 3)


def known_as(customer: str, *identities: Address) -> list[int]:
    """Have these be one customer; return the numbers of the identities."""
    with database.transaction():
        customers.add(customer, NOON)
        for identity in identities:
            assert customers.identify(identity.channel, identity.key, customer, NOON)
        return [row["id"] for row in customers.identities(customer)]


def test_customers_see_all_that_is_theirs_the_youngest_first_and_nothing_else(db: str) -> None:
    by_chat, by_mail = known_as("c-1", ANA, Address("email", "ana@example.com"))
    (bea,) = known_as("c-2", BEA)
    keep(1, identity=by_chat, status="resolved", resolved_at=NOON)
    keep(2, identity=bea)
    keep(3, identity=by_mail)
    keep(4)
    assert numbers(Views().own(ANA, 10)) == ["3", "1"]
    assert numbers(Views().own(ANA, 1)) == ["3"]
    assert numbers(Views().own(BEA, 10)) == ["2"]


def test_whom_nobody_knows_has_no_incidents(db: str) -> None:
    keep(1)
    assert Views().own(Address("slack", "T1/U9"), 10) == []
