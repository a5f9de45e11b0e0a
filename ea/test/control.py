"""Does what a person does in a real server's portal, for `run.py --control`: `control.py VERB JSON`, one JSON object out.

    MARQUE_EA_URL=http://aurora.localhost:8080 MARQUE_EA_EMAIL=owner@aurora.example MARQUE_EA_TOKEN=… \\
        python3 ea/test/run.py --base-url http://aurora.localhost:8080 --control 'python3 ea/test/control.py'

Scenarios about the brand's own keys need MARQUE_EA_COMMAND besides: the server's `marque`, which finds its settings in the other
MARQUE_ variables. The brand's short name is then how its host begins.

The token is an access token of the owner's, or a personal one for everything; MARQUE_EA_PASSWORD in its place signs in each
time, which a server does not let happen often.

Owns: making a licence from the rules that the scenarios name, by the API alone. Refuses to be clever: rules that the API
cannot make end with a message.
"""

import datetime
import http.client
import json
import os
import shlex
import subprocess
import sys
import time
import urllib.parse
import uuid

PRODUCT_FORM = {"type": "object", "properties": {"lots": {"type": "number"}, "comment": {"type": "string"}}}


class Portal:
    """The API of a brand, as its owner calls it."""

    def __init__(self):
        self.url = urllib.parse.urlsplit(os.environ["MARQUE_EA_URL"])
        self.owner, self.token = os.environ["MARQUE_EA_EMAIL"], os.environ.get("MARQUE_EA_TOKEN")
        if not self.token:
            signs_in = {"email": self.owner, "password": os.environ["MARQUE_EA_PASSWORD"]}
            self.token = self.call("POST", "/tokens", signs_in)["access_token"]

    def call(self, method, path, body=None):
        name = self.url.hostname
        connection = http.client.HTTPConnection("127.0.0.1" if name.endswith(".localhost") else name, self.url.port, timeout=20)
        headers = {"Host": self.url.netloc, "Content-Type": "application/json"}
        if self.token:
            headers |= {"Authorization": f"Bearer {self.token}"}
        if method == "POST":
            headers["Idempotency-Key"] = uuid.uuid4().hex
        connection.request(method, "/api/v1" + path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            sys.exit(f"{method} {path}: {answer.status} {text}")
        return json.loads(text)


def product(portal, code):
    """The product of a code; added with its version when it is not there."""
    found = next((each for each in portal.call("GET", "/eas")["items"] if each["code"] == code), None)
    return found or portal.call("POST", "/eas", {"code": code, "name": code, "settings_schema": PRODUCT_FORM})


def version(portal, ea, wanted):
    """Adds a version when it is not there."""
    there = [each["version"] for each in portal.call("GET", f"/eas/{ea}/versions")["items"]]
    if wanted not in there:
        portal.call("POST", f"/eas/{ea}/versions", {"version": wanted, "channel": "stable"})


def last_plan(_):
    """A plan that the demo's owner is not on."""
    return os.environ.get("MARQUE_EA_PLAN", "desk")


def typed(portal, licence, settings):
    """Settings as the product's form wants them: texts, numbers or flags; what it does not know is left away."""
    properties = portal.call("GET", f"/licences/{licence}/settings")["schema"].get("properties", {})
    kinds = {"number": float, "integer": int, "boolean": lambda text: text == "true"}
    known = {name: value for name, value in settings.items() if name in properties}
    return {name: kinds.get(properties[name]["type"], str)(value) for name, value in known.items()}


def policy(portal, ea, rules):
    kinds = set(rules.get("kinds", ("demo", "contest", "live")))
    terms = {
        "name": uuid.uuid4().hex[:20], "term": "perpetual", "grace_s": rules.get("expiry_grace_s", 0),
        "machines": rules.get("machines_max", 1), "accounts": rules.get("accounts_max", 1),
        "overage": "strict" if rules.get("strict", True) else "allowed", "binding": rules.get("bound", "all"),
        "kinds": "both" if len(kinds) == 3 else "live" if kinds == {"live"} else "demo",
        "window_s": rules.get("window_s", 0), "cooldown_s": rules.get("cooldown_s", 0),
        "minimum_version": rules.get("minimum_version", "1.0"), "lease_s": rules.get("lease_s", 86400),
        "offline_grace_s": rules.get("grace_s", 259200), "heartbeat_s": rules.get("heartbeat_s", 200),
    }  # fmt: skip
    return portal.call("POST", f"/eas/{ea}/policies", terms)["id"]


# When the stand-in's world begins: rules that are made before there is a world count from it.
BEGIN = 1_900_000_000


def rfc3339(seconds):
    if abs(seconds - BEGIN) < 10**8:
        seconds += int(time.time()) - BEGIN
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def licence(portal, rules):
    ea = product(portal, rules.get("product", "marque-sample"))
    yanked = rules.get("yanked", ())
    if yanked or rules.get("latest_version", "1.20") != "1.20":
        # What was withdrawn stays so, for every scenario after this one.
        return {"left_out": "a version that is added or withdrawn stays so"}
    version(portal, ea["id"], "1.20")
    # The owner is on no plan; whoever comes next finds the product as it was.
    portal.call("POST", f"/eas/{ea['id']}", {"plans": [] if rules.get("in_plan", True) else [last_plan(portal)]})
    body = {"policy": policy(portal, ea["id"], rules), "owner": portal.owner}
    if rules.get("expires_at"):
        body["ends_at"] = rfc3339(rules["expires_at"])
    made = portal.call("POST", "/licences", body)["id"]
    key = portal.call("GET", f"/licences/{made}/key")["key"]
    if rules.get("config"):
        portal.call("POST", f"/licences/{made}/settings", {"settings": typed(portal, made, rules["config"][1])})
    if rules.get("replaced"):
        portal.call("POST", f"/licences/{made}/key")
    if rules.get("status") == "revoked":
        portal.call("POST", f"/licences/{made}/revoke", {"reason": "a scenario"})
    if rules.get("status") == "suspended":
        portal.call("POST", f"/licences/{made}/suspend", {"reason": "a scenario"})
    return {"key": key, "id": made}


def ea_key(verb, *more):
    """What no portal does: an operator's command about the brand's keys."""
    command = os.environ.get("MARQUE_EA_COMMAND")
    if not command:
        return {"left_out": "keys are made and retired by `marque ea-key`, and MARQUE_EA_COMMAND names no marque"}
    brand = urllib.parse.urlsplit(os.environ["MARQUE_EA_URL"]).hostname.split(".")[0]
    # It refuses variables that are no settings of its own.
    settings = {name: value for name, value in os.environ.items() if not name.startswith("MARQUE_EA_")}
    subprocess.run([*shlex.split(command), "ea-key", verb, brand, *more], check=True, stdout=sys.stderr, env=settings)
    return {}


def main():
    verb, fields = sys.argv[1], json.loads(sys.argv[2])
    portal = None if verb in ("new-key", "retire-key") else Portal()
    if verb == "licence":
        print(json.dumps(licence(portal, fields)))
    elif verb == "new-key":
        print(json.dumps(ea_key("rotate")))
    elif verb == "retire-key":
        print(json.dumps(ea_key("retire", fields["name"])))
    elif verb in ("suspend", "reinstate", "revoke"):
        body = None if verb == "reinstate" else {"reason": "a scenario"}
        print(json.dumps({"state": portal.call("POST", f"/licences/{fields['id']}/{verb}", body)["state"]}))
    else:
        sys.exit(f"there is no verb {verb}")


if __name__ == "__main__":
    main()
