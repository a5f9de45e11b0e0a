"""What a request needs that a description cannot say: a key that no other request had, a cursor that was given out, the
token of the session."""

import os
import re
import uuid

import schemathesis

KEY = re.compile(r"[!-~]{1,255}")
CURSOR = re.compile(r"[A-Za-z0-9_-]{22}")
TOKEN = os.environ.get("MARQUE_FUZZ_CSRF", "")


@schemathesis.hook
def before_call(context, case, kwargs):
    """Gives a well-formed key a value of its own and a token the session's, and leaves a well-formed cursor out: none
    was given out. What is missing stays missing, and what is malformed stays so."""
    headers = case.headers or {}
    key = headers.get("Idempotency-Key")
    if isinstance(key, str) and KEY.fullmatch(key):
        headers["Idempotency-Key"] = uuid.uuid4().hex
    if "X-CSRF-Token" in headers:
        headers["X-CSRF-Token"] = TOKEN
    query = case.query or {}
    cursor = query.get("cursor")
    if isinstance(cursor, str) and CURSOR.fullmatch(cursor):
        del query["cursor"]


@schemathesis.hook
def after_call(context, case, response):
    """Notes which operations were answered with success."""
    if response.status_code < 300:
        with open(os.environ["MARQUE_FUZZ_SUCCEEDED"], "a", encoding="utf-8") as seen:
            seen.write(f"{case.operation.method.upper()} {case.operation.path}\n")
