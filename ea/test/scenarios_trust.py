"""Answers that are not to be believed, and files that are not ours: forged, changed, repeated, carried elsewhere."""

import json
import re
import secrets
import shutil
import urllib.request

import ed25519
import reference
from scenario import contains, equal, lose, scenario

STATE, LEASE = "marque-sample-5001.state", "marque-sample-5001.lease"


def changed(value):
    """Another value of the same kind, as somebody who gains by it would choose it."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 86400 * 20
    return "VALID" if value.isupper() and value != "VALID" else (value[:-1] + ("0" if value[-1:] != "0" else "1"))


def with_field(name):
    def fault(exchange):
        fields = json.loads(exchange.answer)
        if name in fields:
            fields[name] = changed(fields[name])
            exchange.answer = reference.compact(fields)

    return fault


@scenario
def tampered_heartbeats(w):
    """An answer with any of its fields changed is ignored, and the lease goes on"""
    licence = w.licence()
    t = w.start(licence)
    w.run(250)
    names = list(json.loads(w.wire.seen[-1].answer))
    assert len(names) > 15, names
    for name in names:
        w.wire.after = with_field(name)
        w.run(300)
        equal(t.status(), ("offline", True), name)
        contains(t.message(), "its answer is not signed for this licence, and was ignored")
        w.wire.heal()
        w.run(900)
        equal(t.status(), ("valid", True), name)


@scenario
def tampered_activations(w):
    """No changed field of an activation's answer lets an EA trade"""
    licence = w.licence()
    t = w.start(licence, "first")
    names = list(json.loads(w.wire.seen[-1].answer))
    w.terminals.remove(t)
    t.close()
    for name in names:
        w.wire.after = with_field(name)
        t = w.start(licence, f"place-{name}", inputs={"InpTimeoutMs": 1000})
        equal(t.status(), ("setup", False), name)
        w.terminals.remove(t)
        t.kill()


@scenario(needs_fake=True)
def tampered_refusals(w):
    """A refusal that was turned into a yes is ignored, and what it was stays unknown"""
    licence = w.licence(status="suspended")
    names = []
    for name in ["valid", "code", "nonce", "operation"]:
        w.wire.after = with_field(name)
        t = w.start(licence, f"place-{name}")
        equal(t.status(), ("setup", False), name)
        names.append(name)
    equal(len(names), 4)


def header(change):
    def fault(exchange):
        value = change(exchange.answer_headers.pop("marque-signature", ""))
        if value is not None:
            exchange.answer_headers["marque-signature"] = value

    return fault


@scenario
def signatures(w):
    """An answer whose signature is missing, cut, another's or of another kind is ignored"""
    licence = w.licence()
    t = w.start(licence)
    stranger = reference.licence_secret(licence.key[:-1] + licence.key[-1])
    flip = {"0": "1"}
    changes = [
        lambda value: None,
        lambda value: value[:-1],
        lambda value: value[:-1] + flip.get(value[-1], "0"),
        lambda value: value.replace("hmac-sha256", "none"),
        lambda value: value.replace("hmac-sha256", "ed25519"),
        lambda value: re.sub(r"kid=[^,]*", "kid=l." + reference.key_id(stranger), value),
        lambda value: re.sub(r"kid=[^,]*", "kid=t.2026-11", value),
        lambda value: value.upper(),
        lambda value: "",
    ]
    for number, change in enumerate(changes):
        w.wire.after = header(change)
        w.run(300)
        equal(t.status(), ("offline", True), number)
        w.wire.heal()
        w.run(900)
        equal(t.status(), ("valid", True), number)


@scenario
def another_machine_of_the_licence(w):
    """Who knows the licence key cannot say yes in the server's place: that needs the activation's key"""
    licence = w.licence()
    secret = reference.licence_secret(licence.key)

    def forge(exchange):
        fields = json.loads(exchange.answer)
        if exchange.operation == "heartbeat":
            fields["grace_until"] += 86400
            exchange.answer = reference.compact(fields)
            exchange.answer_headers["marque-signature"] = reference.sign_hmac(
                "answer", "heartbeat", reference.licence_kid(secret), reference.licence_key(secret), exchange.answer
            )

    t = w.start(licence)
    w.wire.after = forge
    w.run(300)
    equal(t.status(), ("offline", True))
    contains(t.message(), "it is not signed for this activation")


@scenario
def replayed_answers(w):
    """An old answer, genuine in all its bytes, is not believed again"""
    licence = w.licence()
    t = w.start(licence)
    w.run(250)
    old = w.wire.seen[-1]
    equal(old.operation, "heartbeat")

    def replay(exchange):
        if exchange.operation == "heartbeat":
            exchange.status, exchange.answer = old.status, old.answer
            exchange.answer_headers = dict(old.answer_headers)

    w.wire.after = replay
    w.run(300)
    equal(t.status(), ("offline", True))
    contains(t.message(), "because it is an old answer")
    # However long it is played, the lease and its grace end when they would have.
    w.run(86400 * 4 + 600, step=3600)
    equal(t.status(), ("ended", False))


@scenario
def answers_to_other_questions(w):
    """The answer to another operation is not taken for this one's"""
    licence = w.licence()
    t = w.start(licence)
    first = w.wire.seen[-1]

    def swap(exchange):
        exchange.answer, exchange.answer_headers = first.answer, dict(first.answer_headers)

    w.wire.after = swap
    w.run(300)
    equal(t.status(), ("offline", True))


@scenario
def tampered_requests(w):
    """A request that is changed on its way is refused by the server, and changes nothing"""
    licence = w.licence()
    t = w.start(licence)
    t.send("event order 0.10")

    def change(exchange):
        exchange.body = exchange.body.replace(b'"orders":1', b'"orders":9')

    w.wire.before = change
    w.run(230)
    refused = [each.answer.decode() for each in w.wire.seen if each.status == 401]
    equal(len(refused), 1)
    contains(refused[0], '"code":"signature-refused"')
    w.wire.heal()
    w.run(300)
    equal(t.status(), ("valid", True))
    if w.fake:
        equal(licence.activations[0].orders, 1)
        equal(len(licence.activations), 1)


@scenario
def unsigned_refusals(w):
    """A refusal or problem that anybody could have written ends no lease"""
    licence = w.licence()
    t = w.start(licence)
    for status, body in (
        (200, {"protocol": 1, "valid": False, "code": "NOT_FOUND"}),
        (200, {"protocol": 1, "valid": False, "code": "REVOKED"}),
        (401, {"code": "signature-refused"}),
        (403, {"code": "forbidden", "detail": "No."}),
        (404, {"code": "not-found"}),
        (421, {"code": "unknown-host"}),
        (500, {"code": "internal", "detail": "Try again."}),
    ):

        def say(exchange, status=status, body=body):
            exchange.status, exchange.answer = status, reference.compact(body)

        w.wire.after = say
        w.run(300)
        equal(t.status(), ("offline", True), body)
        w.wire.heal()
        w.run(1000)
        equal(t.status(), ("valid", True), body)


@scenario
def unreadable_answers(w):
    """An answer that is no flat JSON is an outage, whatever it is"""
    licence = w.licence()
    t = w.start(licence)
    good = w.wire.seen[-1].answer
    for text in (b"", b"{", b"[]", b"null", b'{"a":{"b":1}}', b'{"a":[1]}', b'{"a":1.5}', b'{"a":1,"a":2}', b'{"a":"\\ud800',
                 b'{"a":"\x00"}', b'{"a":01}', b'{"a":"' + b"x" * 2000 + b'"}', b"{" + b" " * 70000 + b"}", b"<html>",
                 good + b" {}", good[:-1], b'{"a":null}', b"\xff\xfe{}", b'{"a":99999999999999999999}'):  # fmt: skip

        def say(exchange, text=text):
            exchange.answer = text

        w.wire.after = say
        w.run(300)
        equal(t.status(), ("offline", True), text[:40])
        w.wire.heal()
        w.run(1000)
        equal(t.status(), ("valid", True), text[:40])


@scenario
def altered_files(w):
    """A state or lease that was altered does not count: offline the EA does not start with it"""
    licence = w.licence()
    t = w.start(licence)
    w.run(250)
    t.close()
    w.terminals.remove(t)
    for name, change, words in (
        (STATE, lambda data: data.replace(b'"latest":', b'"latest":1'), "what was kept of the last run is not of this"),
        (STATE, lambda data: data[:-5], "what was kept of the last run is not of this"),
        (STATE, lambda data: b"", None),
        (LEASE, lambda data: data.replace(b'"grace_until":', b'"grace_until":1'), "the kept lease was altered"),
        (LEASE, lambda data: data.replace(b"\nheartbeat\n", b"\nvalidate\n"), "the kept lease was altered"),
        (LEASE, lambda data: data.replace(b"hmac-sha256=", b"hmac-sha256=0"), None),
        (LEASE, lambda data: data.replace(b"marque-lease-1", b"marque-lease-2"), None),
    ):
        target = f"copy-{secrets.token_hex(4)}"
        shutil.copytree(w.file("").parent.parent, w.file("", target).parent.parent)
        kept = w.file(name, target)
        before = kept.read_bytes()
        assert change(before) != before, (name, before)
        kept.write_bytes(change(before))
        w.wire.before = lose
        t = w.start(licence, target)
        equal(t.status(), ("setup", False), (name, words))
        if words:
            contains(" ".join(t.said()), words)
        # The server, once it is there, makes all well.
        w.wire.heal()
        w.run(60)
        equal(t.status(), ("valid", True))
        w.terminals.remove(t)
        t.kill()


@scenario
def carried_leases(w):
    """Files that are carried to another computer or another account open nothing there"""
    licence = w.licence()
    t = w.start(licence)
    w.run(250)
    t.close()
    w.terminals.remove(t)
    w.wire.before = lose
    shutil.copytree(w.file("").parent.parent, w.file("", "office").parent.parent)
    equal(w.start(licence, "office", memory=8192).status(), ("setup", False))
    shutil.copytree(w.file("").parent.parent, w.file("", "friend").parent.parent)
    for kind in ("state", "lease"):
        w.file(f"marque-sample-5001.{kind}", "friend").rename(w.file(f"marque-sample-6002.{kind}", "friend"))
    equal(w.start(licence, "friend", login=6002).status(), ("setup", False))
    # And with another licence key they are nobody's.
    shutil.copytree(w.file("").parent.parent, w.file("", "bought").parent.parent)
    w.wire.heal()
    other = w.licence()
    w.wire.before = lose
    equal(w.start(other, "bought").status(), ("setup", False))
    # Where they belong they do open.
    equal(w.start(licence).status(), ("offline", True))


for _what, _there, _inputs in (
    ("kind of account", {"kind": "live"}, {}),
    ("broker server", {"server": "Elsewhere-Demo"}, {}),
    ("version", {}, {"InpVersion": "1.10"}),
):

    def _carried(w, there=_there, inputs=_inputs, what=_what):
        licence = w.licence(kinds=("demo",), latest_version="1.10", yanked=("1.10",))
        t = w.start(licence)
        w.run(250)
        w.wire.before = lose
        t = w.restart(t, licence, inputs=inputs, **there)
        w.run(70)
        equal(t.status(), ("setup", False))
        contains(t.message(), "another " + what)
        # Where it belongs it does open, still.
        t = w.restart(t, licence)
        equal(t.status(), ("offline", True))

    _carried.__doc__ = f"Offline a lease opens nothing on another {_what} than the one that it was given for"
    scenario(_carried, needs_fake=True)


@scenario
def mixed_files(w):
    """A state that was kept for a live account does not make a younger lease for a demo one a lease for live"""
    licence = w.licence()
    t = w.start(licence, kind="live")
    t.close()
    w.terminals.remove(t)
    kept = w.file(STATE).read_bytes()
    t = w.start(licence)
    w.run(250)
    t.close()
    w.terminals.remove(t)
    w.file(STATE).write_bytes(kept)
    w.wire.before = lose
    equal(w.start(licence, kind="live").status(), ("setup", False))


def ask_as_tool(w, key, operation, **more):
    """What a server or tool does: asks without a seat, and wants an answer that convinces others too."""
    secret = reference.licence_secret(key)
    fields = {"protocol": 1, "key_id": reference.key_id(secret), "product": "marque-sample", "version": "1.20",
              "nonce": secrets.token_hex(16), "account": "5001", "server": "Broker-Demo", "kind": "demo", "machine": "0" * 64,
              "platform": "other", "alg": "ed25519", **more}  # fmt: skip
    body = reference.compact(fields)
    signature = reference.sign_hmac("request", operation, reference.licence_kid(secret), reference.licence_key(secret), body)
    request = urllib.request.Request(f"{w.wire.address}/api/ea/v1/{operation}", body, method="POST")
    request.add_header("Content-Type", "application/json")
    request.add_header("Marque-Signature", signature)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return fields["nonce"], answer.headers["Marque-Signature"], answer.read()


@scenario
def tools(w):
    """A tool checks answers with nothing but the brand's public keys"""
    with urllib.request.urlopen(f"{w.wire.address}/api/ea/v1/keys", timeout=10) as answer:
        keys = json.loads(answer.read())
    known, unknown = w.licence().key, "0" * 25
    for key, code in ((known, "NOT_ACTIVATED"), (unknown, "NOT_FOUND")):
        nonce, header, body = ask_as_tool(w, key, "validate")
        kid, algorithm, signature = reference.read_header(header)
        equal((kid, algorithm), (keys["current"], "ed25519"))
        public, message = bytes.fromhex(keys[kid]), reference.signed_bytes("answer", "validate", kid, body)
        assert ed25519.verify(public, message, signature)
        assert not ed25519.verify(public, message[:-1] + b" ", signature)
        fields = json.loads(body)
        equal((fields["code"], fields["valid"], fields["nonce"]), (code, False, nonce))
