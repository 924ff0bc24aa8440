"""django-helpdesk's `get_email` on a folder of mails, for mail.py: prints how many became tickets, in how many seconds,
and the peak of its memory. Runs in a virtual environment of its own, with django-helpdesk in it.

    python benchmarks/mail_helpdesk.py FOLDER WORKSPACE
"""

import json
import os
import resource
import sys
import time
from pathlib import Path


def set_up(workspace: Path) -> None:
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="for a benchmark",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(workspace / "helpdesk.db")}},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.sites",
            "django.contrib.humanize",
            "django.contrib.admin",
            "django.contrib.messages",
            "rest_framework",
            "helpdesk",
        ],
        SITE_ID=1,
        MEDIA_ROOT=str(workspace / "media"),
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=int(os.environ["SMTP_PORT"]),
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        ROOT_URLCONF=__name__,
        HELPDESK_TEAMS_MODEL="auth.User",
        HELPDESK_TEAMS_MIGRATION_DEPENDENCIES=[],
        HELPDESK_KBITEM_TEAM_GETTER=lambda _: None,
        LOGGING_CONFIG=None,
    )
    django.setup()
    from django.urls import include, path

    globals()["urlpatterns"] = [path("", include("helpdesk.urls", namespace="helpdesk"))]


def main() -> None:
    folder, workspace = Path(sys.argv[1]), Path(sys.argv[2])
    set_up(workspace)
    from django.core.management import call_command
    from helpdesk.email import process_email
    from helpdesk.models import Queue, Ticket

    call_command("migrate", verbosity=0)
    Queue.objects.create(
        title="Support",
        slug="support",
        email_address="support@shop.example",
        allow_email_submission=True,
        email_box_type="local",
        email_box_local_dir=str(folder),
        logging_type="none",
        enable_notifications_on_email_events=True,
    )
    began, busy = time.perf_counter(), time.process_time()
    process_email(quiet=True)
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"done": Ticket.objects.count(), "seconds": seconds, "cpu": busy, "peak_kb": peak}))


main()
