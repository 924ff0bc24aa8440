"""What schemathesis does before each of its requests."""

import re
import uuid
from typing import Any

import schemathesis

from adapters.http.intake import KEY


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Give each request an Idempotency-Key of its own, where it has a good one: two requests under one are refused."""
    headers = case.headers or {}
    for name in headers:
        if name.lower() == "idempotency-key" and isinstance(headers[name], str) and re.fullmatch(KEY, headers[name]):
            headers[name] = str(uuid.uuid4())
