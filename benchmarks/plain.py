"""The plain design that `pipeline.py` compares with: what one writes first, everything inside the request.

One synchronous handler; peewee, a commit a statement; `requests.post` for the ticket; `EmailMessage`, and a new SMTP
connection for every mail. The same local model, the same sentences, the same durability (`synchronous=FULL`).
Settings: TICKET_API_URL, SMTP_HOST, SMTP_PORT. Prints its address.
"""

import os
import smtplib
import uuid
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import peewee
import requests
from fastapi import FastAPI
from pydantic import BaseModel

from adapters.http.server import serve
from adapters.http.settings import HttpSettings
from bot import wording
from bot.local_model import LocalModel
from bot.model import Address, Classification
from bot.model import Incident as Opened

database = peewee.SqliteDatabase("plain.db", pragmas={"journal_mode": "wal", "synchronous": 2}, timeout=30)
model = LocalModel.load()
app = FastAPI()


class Table(peewee.Model):
    class Meta:
        database = database


class Incident(Table):
    id = peewee.CharField(primary_key=True)
    customer_id = peewee.CharField()
    message = peewee.TextField()
    classification = peewee.CharField()
    confidence = peewee.FloatField(null=True)
    ticket_id = peewee.CharField(unique=True)
    status = peewee.CharField(default="open")
    created_at = peewee.DateTimeField()


class Notification(Table):
    incident = peewee.ForeignKeyField(Incident)
    recipient = peewee.CharField()
    status = peewee.CharField(default="pending")


class FollowUp(Table):
    incident = peewee.ForeignKeyField(Incident)
    due_at = peewee.DateTimeField()


class NewIncident(BaseModel):
    customer_id: str
    message: str
    channel: str
    email: str


@app.post("/api/incidents", status_code=201)
def create(new: NewIncident) -> dict[str, object]:
    now = datetime.now(UTC)
    incident_id = str(uuid.uuid4())
    said = model.classify(new.message)
    ticket_id = open_ticket(incident_id, said, new.message)
    Incident.create(
        id=incident_id,
        customer_id=new.customer_id,
        message=new.message,
        classification=said.category,
        confidence=said.confidence,
        ticket_id=ticket_id,
        created_at=now,
    )
    notification = Notification.create(incident=incident_id, recipient=new.email)
    send(words(incident_id, ticket_id, said, new, now), new.email)
    notification.status = "sent"
    notification.save()
    FollowUp.create(incident=incident_id, due_at=now + timedelta(hours=24))
    return {"incident_id": incident_id, "ticket_id": ticket_id, "status": "open", "classification": said.category}


def open_ticket(incident_id: str, said: Classification, message: str) -> str:
    ticket = {"incident_id": incident_id, "category": said.category, "message": message}
    headers = {"Idempotency-Key": incident_id}
    answer = requests.post(os.environ["TICKET_API_URL"], json=ticket, headers=headers, timeout=3)
    answer.raise_for_status()
    return f"TKT-{answer.json()['id']}"


def words(incident_id: str, ticket_id: str, said: Classification, new: NewIncident, now: datetime) -> EmailMessage:
    incident = Opened(
        incident_id, ticket_id, None, new.customer_id, new.channel, new.message, said.category, said.confidence,
        said.reason, said.classified_by, "open", now,
    )  # fmt: skip
    notice = wording.acknowledgement(incident, Address("email", new.email), timedelta(hours=24))
    mail = EmailMessage()
    mail["From"] = "support@localhost"
    mail["To"] = new.email
    mail["Subject"] = notice.subject
    mail["Message-ID"] = f"<{incident_id}@localhost>"
    mail.set_content(notice.text)
    mail.add_alternative(f"<p>{notice.lead}</p><blockquote>{notice.quote}</blockquote>", subtype="html")
    return mail


def send(mail: EmailMessage, to: str) -> None:
    with smtplib.SMTP(os.environ["SMTP_HOST"], int(os.environ["SMTP_PORT"]), timeout=10) as session:
        session.send_message(mail, "support@localhost", [to])


if __name__ == "__main__":
    database.create_tables([Incident, Notification, FollowUp])
    serve(app, HttpSettings(port=0), lambda url: print(f"ready {url}", flush=True))
