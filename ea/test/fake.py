"""A stand-in for the server's EA endpoints, made from protocol.md, until those exist. It keeps everything in memory.

Owns: licences and activations, what each call changes, answers and their signatures, problems, limits. `policy.decide` says
who may. Refuses to be a server: one tenant, a clock that tests set.
"""

import functools
import hashlib
import http.server
import json
import pathlib
import re
import secrets
import sys
import threading
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "vectors"))

import ed25519  # noqa: E402
import policy  # noqa: E402
import reference  # noqa: E402

OPERATIONS = ("validate", "activate", "deactivate", "heartbeat", "config", "usage")
BY_GET = ("validate", "config")
BODY_BYTES_MAX = 8192
URL_CHARS_MAX = 1024
CONFIG_RIDES_BYTES_MAX = 4096
# Fields of every request, and what they look like.
FORMS = {
    "key_id": r"[0-9a-f]{32}",
    "product": r"[a-z0-9-]{1,40}",
    "version": r"[0-9]{1,6}(\.[0-9]{1,6}){0,2}",
    "nonce": r"[0-9a-f]{32}",
    "account": r"[0-9]{1,20}",
    "server": r"[^\x00-\x1f]{1,64}",
    "kind": r"demo|contest|live",
    "machine": r"[0-9a-f]{64}",
    "platform": r"mt4|mt5|other",
}
TITLES = {
    400: "The request could not be read", 401: "This token opens nothing here", 404: "There is nothing here",
    405: "This method is not offered here", 413: "The request is too large", 422: "Some fields are not valid",
    429: "Too many requests", 503: "The service is not available right now",
}  # fmt: skip


class Refused(Exception):
    """A problem+json."""

    def __init__(self, status, code, detail, headers=None):
        self.status, self.code, self.detail, self.headers = status, code, detail, headers or {}


@functools.cache
def public_key(secret):
    return ed25519.public_key(secret).hex()


class Fake:
    def __init__(self, now):
        self.now = now
        self.licences = {}
        self.activations = {}
        # The tenant's keys that are good, oldest first, and how many were made.
        self.tenant_keys, self.keys_made = {"t.2026-11": bytes(range(32))}, 1
        self.calls = []
        self.limit = None
        self.server = None
        # Requests come on threads of their own.
        self.lock = threading.Lock()

    # What a person does in the portal.

    def licence(self, **rules):
        """A new licence; returns it, with its key."""
        body = "".join(secrets.choice(reference.ALPHABET) for _ in range(24))
        made = policy.Licence(reference.shown_key(body + reference.check_character(body)), self.now, **rules)
        self.licences[made.key_id] = made
        return made

    def rotate(self, activation):
        """Offers a new key; the old one stays valid until it is retired."""
        activation.pending = (max(activation.salts) + 1, secrets.token_hex(32))
        activation.salts[activation.pending[0]] = activation.pending[1]

    def retire(self, activation):
        """Only the newest key is valid from now on."""
        newest = max(activation.salts)
        activation.retired |= activation.salts
        activation.salts = {newest: activation.salts[newest]}
        activation.generation, activation.pending = newest, None

    def new_key(self):
        """A new key of the tenant signs from now on; the old ones stay good, and sign for who asks for them."""
        self.keys_made += 1
        kid = f"t.2026-11-{self.keys_made}"
        # The same in each run, so that a probe which has it in its source need not be compiled again.
        self.tenant_keys[kid] = hashlib.sha256(kid.encode()).digest()

    def retire_key(self, kid):
        """Nothing is signed with it any more."""
        del self.tenant_keys[kid]

    # What an EA asks.

    def handle(self, method, target, headers, body):
        try:
            path, _, query = target.partition("?")
            if method == "GET" and path == "/api/ea/v1/keys":
                return 200, {"Content-Type": "application/json"}, self.keys()
            operation = path.removeprefix("/api/ea/v1/")
            if operation not in OPERATIONS or not path.startswith("/api/ea/v1/"):
                raise Refused(404, "not-found", "Check the address.")
            if method == "GET" and operation not in BY_GET:
                raise Refused(405, "method-not-allowed", "Use POST.", {"Allow": "POST"})
            fields, payload = self.read(method, target, query, body)
            with self.lock:
                kid, answer = self.answer(operation, fields, payload, headers.get("marque-signature", ""))
            signature = self.sign(operation, self.tenant_kid(fields) if fields.get("alg") == "ed25519" else kid, answer)
            self.calls.append((operation, answer["code"]))
            return 200, {"Content-Type": "application/json", "Marque-Signature": signature}, reference.compact(answer)
        except Refused as refused:
            problem = {"type": f"/problems/{refused.code}", "title": TITLES[refused.status], "status": refused.status,
                       "code": refused.code, "detail": refused.detail}  # fmt: skip
            self.calls.append((target, refused.code))
            return refused.status, {"Content-Type": "application/problem+json", **refused.headers}, reference.compact(problem)

    def keys(self):
        public = {kid: public_key(secret) for kid, secret in self.tenant_keys.items()}
        return reference.compact({"protocol": 1, "current": list(public)[-1], **public})

    def tenant_kid(self, fields):
        """The key that signs: the newest that is good of those that are asked for, else the current one."""
        asked, kids = fields.get("signer", "").split(" "), list(self.tenant_keys)
        known = [kid for kid in kids if public_key(self.tenant_keys[kid]) in asked]
        return (known or kids)[-1]

    def read(self, method, target, query, body):
        if method == "GET":
            if len(target) > URL_CHARS_MAX:
                raise Refused(400, "bad-request", "The address is too long; use POST.")
            fields = dict(urllib.parse.parse_qsl(query, keep_blank_values=True, strict_parsing=True))
            for name in ("protocol", "build", "config_version", "config_schema"):
                if re.fullmatch(r"[0-9]{1,15}", fields.get(name, "")):
                    fields[name] = int(fields[name])
            payload = query.encode()
        else:
            if len(body) > BODY_BYTES_MAX:
                raise Refused(413, "too-large", "Send less at once.")
            try:
                fields, payload = json.loads(body), body
            except ValueError as error:
                raise Refused(400, "bad-request", "Send one flat JSON object.") from error
        if not isinstance(fields, dict) or any(isinstance(value, (dict, list, float)) for value in fields.values()):
            raise Refused(400, "bad-request", "Send one flat JSON object.")
        wrong = [name for name, form in FORMS.items() if not re.fullmatch(form, str(fields.get(name, "")))]
        if not re.fullmatch(r"([0-9a-f]{64}( [0-9a-f]{64}){0,7})?", fields.get("signer", "")):
            wrong.append("signer")
        if fields.get("protocol") != 1 or wrong:
            raise Refused(422, "invalid", f"These fields are missing or wrong: {', '.join(wrong) or 'protocol'}.")
        return fields, payload

    def answer(self, operation, fields, payload, header):
        """The key id to sign with, and the answer."""
        try:
            kid, algorithm, signature = reference.read_header(header)
        except reference.Malformed as error:
            raise Refused(401, "signature-refused", "Sign the request as the protocol says.") from error
        licence = self.licences.get(fields["key_id"])
        if licence is None:
            return self.tenant_kid(fields), self.shape(operation, fields, None, None, policy.Verdict("NOT_FOUND"))
        if self.limit is not None:
            self.limit -= 1
            if self.limit < 0:
                raise Refused(429, "too-many-requests", "Wait.", {"Retry-After": "120", "RateLimit": '"ea-key";r=0;t=120'})
        activation, key = self.signer(kid, licence, operation, fields)
        expected = reference.mac(key, reference.signed_bytes("request", operation, kid, payload))
        if algorithm != "hmac-sha256" or not secrets.compare_digest(expected, signature):
            raise Refused(401, "signature-refused", "The signature does not fit the request.")
        if operation == "activate":
            return self.activate(licence, fields)
        return kid, self.serve(operation, licence, activation, fields)

    def signer(self, kid, licence, operation, fields):
        """Whose key it is, and the key."""
        if kid == "l." + licence.key_id and (operation == "activate" or "activation" not in fields):
            return None, reference.licence_key(licence.secret)
        _, _, rest = kid.partition("a.")
        name, _, generation = rest.rpartition(".")
        activation = self.activations.get(name)
        if operation == "activate" or activation is None or activation.licence is not licence or not generation.isdigit():
            raise Refused(401, "signature-refused", "This key is not known here. Activate anew.")
        salt = activation.salt(int(generation))
        if salt is None or fields.get("activation") != name:
            raise Refused(401, "key-retired", "This key is not valid any more. Activate anew.")
        if activation.pending and int(generation) == activation.pending[0]:
            activation.generation, activation.pending = activation.pending[0], None
        return activation, reference.activation_key(licence.secret, name, int(generation), salt)

    def activate(self, licence, fields):
        known = next((a for a in licence.activations if a.nonce == fields["nonce"] and not a.differs(fields)), None)
        if known is None:
            verdict = policy.admit(licence, fields, self.now)
            if not verdict.valid:
                return "l." + licence.key_id, self.shape("activate", fields, licence, None, verdict)
            if verdict.instead_of:
                verdict.instead_of.released = True
            known = verdict.activation or policy.Activation(licence, secrets.token_hex(8))
            known.take(fields, self.now, secrets.token_hex(32), verdict.moves)
            self.activations[known.id] = known
        verdict = policy.decide(licence, known, fields, self.now)
        answer = self.shape("activate", fields, licence, known, verdict)
        answer |= {"generation": known.generation, "salt": known.salts[known.generation]}
        return f"a.{known.id}.{known.generation}", answer | known.totals() | self.config(licence, fields, False)

    def serve(self, operation, licence, activation, fields):
        if operation == "deactivate":
            activation.released = True
            return self.shape(operation, fields, licence, activation, policy.Verdict("RELEASED"))
        verdict = policy.decide(licence, activation, fields, self.now)
        if operation in ("heartbeat", "usage") and activation and activation.counts_for(fields):
            self.report(activation, fields, operation == "heartbeat" and verdict.valid)
        answer = self.shape(operation, fields, licence, activation, verdict)
        if not verdict.valid:
            return answer
        if operation in ("heartbeat", "usage"):
            answer |= activation.totals()
        if operation != "usage":
            answer |= self.config(licence, fields, operation == "config")
        if operation == "heartbeat" and activation.pending:
            answer |= {"next_generation": activation.pending[0], "next_salt": activation.pending[1]}
        return answer

    def report(self, activation, fields, alive):
        """Takes a report whose sequence is new; one that was seen changes nothing."""
        totals = [fields.get(name) for name in ("sequence", "orders", "runtime_s")]
        if any(not isinstance(value, int) or value < 0 for value in totals) or not re.fullmatch(
            r"[0-9]{1,9}(\.[0-9]{1,8})?", str(fields.get("lots"))
        ):
            raise Refused(422, "invalid", "A report has sequence, orders, lots and runtime_s.")
        if fields["sequence"] <= activation.sequence:
            return
        lots = round(float(fields["lots"]) * 100)
        if fields["orders"] < activation.orders or lots < activation.centilots or fields["runtime_s"] < activation.runtime_s:
            raise Refused(422, "invalid", "Totals only grow.")
        activation.sequence, activation.orders = fields["sequence"], fields["orders"]
        activation.centilots, activation.runtime_s = lots, fields["runtime_s"]
        if alive:
            activation.seen = self.now

    def config(self, licence, fields, asked):
        version, values = licence.config
        told = {"config_version": version}
        if fields.get("config_version") == version and not asked:
            return told
        riding = {"config_included": True, "config_schema": 1} | {f"set.{name}": value for name, value in values.items()}
        return told | riding if asked or len(reference.compact(riding)) <= CONFIG_RIDES_BYTES_MAX else told

    def shape(self, operation, fields, licence, activation, verdict):
        answer = {"protocol": 1, "operation": operation, "valid": verdict.valid, "code": verdict.code,
                  "message": policy.MESSAGES[verdict.code], "nonce": fields["nonce"], "server_time": self.now,
                  "key_id": fields["key_id"], "product": fields["product"], "account": fields["account"],
                  "machine": fields["machine"]}  # fmt: skip
        if activation:
            answer["activation"] = activation.id
        if verdict.valid:
            answer |= policy.terms(licence, activation, fields, self.now)
        return answer | verdict.facts

    def sign(self, operation, kid, answer):
        payload = reference.compact(answer)
        if kid.startswith("t."):
            message = reference.signed_bytes("answer", operation, kid, payload)
            return reference.header(kid, "ed25519", ed25519.sign(self.tenant_keys[kid], message))
        licence = self.licences[answer["key_id"]]
        key = reference.licence_key(licence.secret)
        if kid.startswith("a."):
            name, _, generation = kid[2:].rpartition(".")
            key = reference.activation_key(licence.secret, name, int(generation), self.activations[name].salt(int(generation)))
        return reference.sign_hmac("answer", operation, kid, key, payload)

    # The socket.

    def serve_http(self):
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.respond()

            def do_POST(self):
                self.respond()

            def respond(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, answer_headers, answer = fake.handle(self.command, self.path, headers, body)
                self.send_response(status)
                for name, value in answer_headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
