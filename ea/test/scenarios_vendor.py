"""EAs with their vendor's key in their source: whom they believe, and what becomes of them when the vendor changes keys."""

import json

import reference
from scenario import contains, equal, lose, scenario

for _platform in ("5", "4"):

    def _pinned(w, program="pinned" + _platform):
        licence = w.licence(config=(1, {"lots": "0.05"}))
        t = w.start(licence, program=program)
        equal((t.status(), t.asked("setting lots")), (("valid", True), "0.05"))
        t.send("event order 0.10")
        w.fake.rotate(licence.activations[0])
        w.run(700)
        equal((t.status(), licence.activations[0].orders, licence.activations[0].generation), (("valid", True), 1, 2))
        w.wire.before = lose
        t = w.restart(t, licence, program=program)
        equal(t.status(), ("offline", True))
        w.wire.heal()
        licence.status = "revoked"
        w.run(300)
        equal(t.status(), ("refused", False))

    _pinned.__doc__ = f"An EA for MetaTrader {_platform} with its vendor's key in its source lives as any other does"
    scenario(_pinned, needs_fake=True)


@scenario(needs_fake=True)
def made_up_portal(w):
    """A portal that somebody made up, with a licence key of their own, is believed by no EA that has its vendor's key"""
    w.fake.tenant_keys["t.2026-11"] = b"somebody else's key, of 32 bytes"
    equal(w.start(w.licence()).status(), ("valid", True), "without the vendor's key nothing tells it from the vendor's")
    t = w.start(w.licence(), "office", program="pinned5")
    equal(t.status(), ("setup", False))
    contains(t.message(), "its answer is signed with no key that this EA knows, and was ignored")


@scenario(needs_fake=True)
def forged_renewal(w):
    """Who knows licence key and salt prolongs no lease of an EA that has its vendor's key"""
    licence = w.licence()
    t = w.start(licence, program="pinned5")
    seat, secret = licence.activations[0], reference.licence_secret(licence.key)

    def forge(exchange):
        fields = json.loads(exchange.answer) | {"grace_until": w.truth + 86400 * 30}
        exchange.answer = reference.compact(fields)
        kid = f"a.{seat.id}.{seat.generation}"
        key = reference.activation_key(secret, seat.id, seat.generation, seat.salts[seat.generation])
        exchange.answer_headers["marque-signature"] = reference.sign_hmac("answer", exchange.operation, kid, key, exchange.answer)

    w.wire.after = forge
    w.run(300)
    equal(t.status(), ("offline", True))


@scenario
def a_key_that_follows(w):
    """An EA with its vendor's key in its source goes on after the vendor made a new one, and ends when its own is retired"""
    licence, program, (kid, _) = w.licence(lease_s=3600, grace_s=3600), w.pinned(), w.tenant_key()
    t = w.start(licence, program=program)
    equal(t.status(), ("valid", True))
    w.new_key()
    assert w.tenant_key()[0] != kid
    w.run(300)
    t = w.restart(t, licence, program=program)
    w.run(300)
    equal(t.status(), ("valid", True))
    signed = [each.answer_headers["marque-signature"] for each in w.wire.seen if each.operation != "keys"]
    equal({reference.read_header(each)[0] for each in signed}, {kid})
    w.retire_key(kid)
    w.run(300)
    equal(t.status(), ("offline", True))
    contains(t.message(), "its answer is signed with no key that this EA knows, and was ignored")
    contains(t.message(), "download the EA's newest version there")
    w.run(7800, step=600)
    equal(t.status(), ("ended", False))
    t = w.restart(t, licence, program=program)
    equal(t.status()[1], False)


@scenario(needs_fake=True)
def several_keys(w):
    """An EA that has its vendor's next key beside the one of today goes on when that one is retired"""
    kid, key = w.tenant_key()
    w.new_key()
    young, both = w.start(w.licence(), program=w.pinned()), w.start(w.licence(), "office", program=w.pinned(key, "no-key", ""))
    equal((young.status(), both.status()), (("valid", True), ("valid", True)))
    w.retire_key(kid)
    w.run(300)
    equal((young.status(), both.status()), (("valid", True), ("valid", True)))
