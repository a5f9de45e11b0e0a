"""Success, and every validity code: what the EA does and what the trader reads."""

import re
import time

import policy
import world
from scenario import contains, equal, lose, scenario

DAY = 86400

# How each code comes about when an EA is attached, and a part of what the trader reads.
AT_START = {
    "KEY_REPLACED": ({"replaced": True}, "was replaced by a new one. Copy the new key"),
    "REVOKED": ({"status": "revoked"}, "was revoked for good"),
    "SUSPENDED": ({"status": "suspended"}, "is suspended. Ask your broker's support why"),
    "PRODUCT_MISMATCH": ({"product": "another-ea"}, "is for another EA"),
    "PLAN_REQUIRED": ({"in_plan": False}, "Your plan does not include this EA any more"),
    "EXPIRED": ({"expires_at": world.BEGIN - 60}, "ended on 2030.03.17 17:45 UTC. Renew it"),
    "LIVE_ONLY": ({"kinds": ("live",)}, "is for live accounts"),
    "VERSION_TOO_OLD": ({"minimum_version": "1.21"}, "at least 1.21 is needed"),
    "VERSION_YANKED": ({"yanked": ("1.20",), "latest_version": "1.30"}, "was withdrawn. Download version 1.30"),
}

# How each code comes about while an EA runs.
WHILE_RUNNING = {code: change for code, (change, _) in AT_START.items()}


@scenario
def success(w):
    """A licence is activated, and the EA may trade"""
    licence = w.licence()
    t = w.start(licence)
    equal(t.status(), ("valid", True))
    equal(t.message(), "Marque: The licence is valid.")
    w.run(700)
    equal([name for name, _, _ in t.calls()], ["activate", "heartbeat", "heartbeat", "heartbeat"])
    assert w.file("marque-sample-5001.lease").is_file()


@scenario
def the_key_stays(w):
    """The licence key is never sent, nor written to a file"""
    licence = w.licence()
    t = w.start(licence)
    w.run(300)
    w.restart(t, licence)
    w.run(300)
    plain = licence.key.replace("-", "").encode()
    sent = b"".join(each.target.encode() + each.body + str(each.headers).encode() for each in w.wire.seen)
    kept = b"".join(w.file(f"marque-sample-5001.{kind}").read_bytes() for kind in ("state", "lease"))
    for text in (plain, licence.key.encode()):
        assert text not in sent + kept


@scenario
def typed_keys(w):
    """A key is taken as people type it: small letters, spaces, O for 0 and l for 1"""
    licence = w.licence()
    typed = licence.key.replace("-", " ").lower().replace("0", "o").replace("1", "l")
    equal(w.start("  " + typed).status(), ("valid", True))


for _code, (_change, _words) in AT_START.items():

    def _start(w, change=_change, words=_words):
        t = w.start(w.licence(**change))
        equal(t.status(), ("refused", False))
        # The day is the stand-in's.
        contains(t.message(), words.split(" UTC. ")[-1] if w.real else words)
        equal(t.said("alert"), [], "nothing stopped, so nothing is said aloud")
        assert not w.file("marque-sample-5001.lease").exists()

    _start.__doc__ = f"{_code} when the EA is attached"
    scenario(_start)

for _code, _change in WHILE_RUNNING.items():

    def _run(w, code=_code, change=_change):
        licence = w.licence()
        t = w.start(licence)
        equal(t.status(), ("valid", True))
        for name, value in change.items():
            setattr(licence, name, value)
        w.run(300)
        equal(t.status(), ("refused", False))
        equal(w.fake.calls[-1][1], code)
        equal(len(t.said("alert")), 1, "that it stops is said aloud, once")
        t.send("tick 1.1")
        # A refusal outlives an outage and a restart without the server.
        w.wire.before = lose
        w.run(600)
        equal(t.status(), ("refused", False))
        t = w.restart(t, licence)
        equal(t.status()[1], False)

    _run.__doc__ = f"{_code} while the EA runs"
    scenario(_run, needs_fake=True)



@scenario
def revoked_in_the_portal(w):
    """What is revoked in the portal is refused at the EA's next question, and stays so"""
    licence = w.licence()
    t = w.start(licence)
    equal(t.status(), ("valid", True))
    if w.real:
        w.control("revoke", {"id": licence.id})
        # A second is what the server promises.
        time.sleep(1)
    else:
        licence.status = "revoked"
    w.run(300)
    equal(t.status(), ("refused", False))
    contains(t.message(), "was revoked for good")
    t = w.restart(t, licence)
    equal(t.status(), ("refused", False))


@scenario(needs_fake=True)
def yanked_without_another(w):
    """VERSION_YANKED where there is no other version to take names none"""
    t = w.start(w.licence(yanked=("1.20",), latest_version=""))
    equal(t.status(), ("refused", False))
    contains(t.message(), "There is no other yet: ask your broker's support")


@scenario
def demo_only(w):
    """DEMO_ONLY on a live account"""
    t = w.start(w.licence(kinds=("demo",)), kind="live")
    equal(t.status(), ("refused", False))
    contains(t.message(), "is for demo accounts")


@scenario
def not_found(w):
    """NOT_FOUND for a key that the site does not know"""
    key = w.licence().key
    if w.fake:
        w.fake.licences.clear()
    t = w.start(key if w.fake else "00000-00000-00000-00000-00000")
    equal(t.status(), ("setup", False))
    contains(t.message(), "The site does not know this licence key")


@scenario(needs_fake=True)
def not_activated(w):
    """NOT_ACTIVATED and HEARTBEAT_MISSED: the EA asks for an activation by itself"""
    licence = w.licence(window_s=600)
    t = w.start(licence)
    w.run(100)
    w.pass_by(700)
    w.run(5)
    equal([code for _, code in w.fake.calls[-2:]], ["HEARTBEAT_MISSED", "VALID"])
    equal(t.status(), ("valid", True))
    equal(len(licence.activations), 1, "the same seat")
    # What a fresh activation of an unknown one is asked for: the server forgot it.
    w.fake.activations.clear()
    licence.activations.clear()
    w.run(300)
    equal(t.status(), ("valid", True))
    equal(w.fake.calls[-2][1], "signature-refused")


@scenario(needs_fake=True)
def unsigned_not_activated(w):
    """A server that says NOT_ACTIVATED is asked for an activation once, then ever more rarely"""
    licence = w.licence()
    t = w.start(licence)
    w.fake.answer = lambda operation, fields, payload, header, real=w.fake.answer: (
        ("l." + licence.key_id, w.fake.shape(operation, fields, licence, None, policy.Verdict("NOT_ACTIVATED")))
        if operation != "keys" else real(operation, fields, payload, header))  # fmt: skip
    w.run(250)
    before = len(t.calls())
    w.run(3600)
    equal(t.status(), ("refused", False))
    contains(t.message(), "are not activated yet")
    assert len(t.calls()) - before < 12, t.calls()


@scenario(needs_fake=True)
def released_in_the_portal(w):
    """RELEASED: the EA stops and does not take the seat back, until it is attached anew"""
    licence = w.licence()
    t = w.start(licence)
    licence.activations[0].released = True
    w.run(300)
    equal(t.status(), ("refused", False))
    contains(t.message(), "was released")
    calls = len(t.calls())
    w.run(7200, step=600)
    equal(len(t.calls()), calls, "it asks no more")
    t = w.restart(t, licence)
    equal(t.status(), ("valid", True))


@scenario
def deactivation(w):
    """An EA gives its seat back, and another computer has it at once"""
    licence = w.licence()
    t = w.start(licence)
    other = w.start(licence, "office", memory=8192)
    equal(other.status(), ("refused", False))
    contains(other.message(), "All computers of this licence are in use (1)")
    equal(t.asked("release"), "done")
    equal(t.status(), ("refused", False))
    w.run(70)
    equal(other.status(), ("valid", True))


@scenario
def too_many_accounts(w):
    """TOO_MANY_ACCOUNTS for a second account on the same computer, whatever the seat is bound by"""
    for bound in ("all", "most", "any"):
        licence = w.licence(bound=bound)
        first = w.start(licence, bound)
        t = w.start(licence, bound, login=6002)
        equal(t.status(), ("refused", False), bound)
        contains(t.message(), "All trading accounts of this licence are in use (1)")
        w.run(300)
        equal(first.status(), ("valid", True), bound)


@scenario
def new_hardware(w):
    """A computer that is new takes the place of another of the same account, which does not take it back"""
    licence = w.licence(bound="most")
    old = w.start(licence)
    new = w.start(licence, "office", memory=8192)
    equal(new.status(), ("valid", True))
    w.run(300)
    equal((old.status(), new.status()), (("refused", False), ("valid", True)))
    contains(old.message(), "was released")
    old = w.restart(old, licence)
    equal(old.status(), ("refused", False))
    contains(old.message(), "All computers of this licence are in use (1)")
    equal(new.asked("release"), "done")
    w.run(70)
    equal(old.status(), ("valid", True))


@scenario
def overage(w):
    """More seats than the licence has are allowed where it is not strict, and told"""
    licence = w.licence(strict=False)
    w.start(licence)
    t = w.start(licence, "office", memory=8192)
    equal(t.status(), ("valid", True))
    contains(t.message(), "More computers or accounts use it than it is for")


@scenario(needs_fake=True)
def transfer(w):
    """TRANSFER_COOLDOWN: a licence that was moved waits before it moves again"""
    licence = w.licence(cooldown_s=7200)
    t = w.start(licence)
    w.run(60)
    equal(t.asked("release"), "done")
    other = w.start(licence, "office", memory=8192)
    equal(other.status(), ("refused", False))
    contains(other.message(), "can be moved again at 2030.03.17 19:46 UTC")
    w.run(7300, step=100)
    equal(other.status(), ("valid", True))


@scenario(needs_fake=True)
def binding(w):
    """BINDING_MISMATCH when the broker's server is another; most and any are less strict"""
    for bound, wanted in (("all", "refused"), ("most", "valid"), ("any", "valid")):
        licence = w.licence(bound=bound)
        t = w.start(licence, bound)
        t.send("set server Other-Live")
        w.run(300)
        equal(t.status()[0], wanted, bound)
        if bound == "all":
            contains(t.message(), "belongs to another broker server. Release it")


@scenario(needs_fake=True)
def recovery_of_a_licence(w):
    """A licence that is reinstated or renewed works again without a restart"""
    licence = w.licence(status="suspended")
    t = w.start(licence)
    w.run(600)
    equal(t.status(), ("refused", False))
    licence.status = "active"
    w.run(310)
    equal(t.status(), ("valid", True))
    licence.expires_at = w.truth + 100
    w.run(700)
    equal(t.status(), ("refused", False))
    licence.expires_at = w.truth + DAY
    w.run(310)
    equal(t.status(), ("valid", True))


@scenario(needs_fake=True)
def notices(w):
    """What a trader should know of a valid licence is said with it"""
    for rules, words in (
        ({"expires_at": w.truth + 2 * DAY}, "It ends on 2030.03.19 17:46 UTC: renew it"),
        ({"expires_at": w.truth - 60, "expiry_grace_s": DAY}, "It has ended and works a little longer"),
        ({"latest_version": "1.30"}, "Version 1.30 can be downloaded"),
    ):
        t = w.start(w.licence(**rules), words[:8].replace(" ", ""))
        equal(t.status(), ("valid", True))
        contains(t.message(), words)


@scenario
def one_machine(w):
    """MetaTrader 4 and 5 on one computer are one machine"""
    licence = w.licence(accounts_max=2)
    w.start(licence, "home")
    t = w.start(licence, "home", program="probe4", login=6002)
    equal(t.status(), ("valid", True))


@scenario
def unknown_codes(w):
    """A code that is younger than the library is told in the server's words"""
    licence = w.licence()
    if not w.fake:
        return
    policy.MESSAGES["MOON_PHASE"] = "The moon is not full. Wait for it."
    w.fake.serve = lambda operation, licence, activation, fields: w.fake.shape(
        operation, fields, licence, activation, policy.Verdict("MOON_PHASE"))  # fmt: skip
    t = w.start(licence)
    w.run(300)
    del policy.MESSAGES["MOON_PHASE"]
    equal(t.status(), ("refused", False))
    contains(t.message(), "The moon is not full. Wait for it.")


@scenario
def the_codes_are_documented(w):
    """Every code stands in protocol.md and in the library's words, and no other does"""
    root = w.root
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", (root / "protocol.md").read_text(), re.MULTILINE))
    words = set(re.findall(r'code == "([A-Z_]+)"', (root / "include/Marque/Words.mqh").read_text()))
    equal(documented, set(policy.MESSAGES) | {"EXPIRED_GRACE", "EXPIRES_SOON", "OVERAGE", "UPDATE_AVAILABLE"})
    equal(words | {"VALID"}, set(policy.MESSAGES))
