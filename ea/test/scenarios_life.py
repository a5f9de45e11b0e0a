"""Usage, settings, keys that change, limits, and everything that goes wrong on a trader's computer."""

import json
import threading
import time

from scenario import contains, equal, lose, scenario
from wire import Lost

STATE = "marque-sample-5001.state"


def lose_the_answer(_):
    raise Lost


def beats(t):
    return [call for call in t.calls() if call[0] == "heartbeat"]


@scenario(needs_fake=True)
def usage(w):
    """Usage rides on the heartbeat, in totals"""
    licence = w.licence()
    t = w.start(licence)
    t.send("event order 0.10")
    t.send("event order 0.15")
    w.run(250)
    seat = licence.activations[0]
    equal((seat.orders, seat.centilots, seat.sequence), (2, 25, 1))
    assert 150 <= seat.runtime_s <= 250, seat.runtime_s
    t.send("event order 1.00")
    t = w.restart(t, licence)
    w.run(250)
    equal((seat.orders, seat.centilots), (3, 125))


@scenario(needs_fake=True)
def lost_reports(w):
    """A report whose answer was lost is sent again and counted once"""
    licence = w.licence()
    t = w.start(licence)
    t.send("event order 0.10")
    w.wire.after = lose_the_answer
    w.run(250)
    seat = licence.activations[0]
    equal(seat.orders, 1)
    assert seat.sequence >= 1
    t.send("event order 0.10")
    w.wire.heal()
    w.run(300)
    equal((seat.orders, seat.centilots), (2, 20))


@scenario(needs_fake=True)
def repeated_reports(w):
    """The same report twice counts once, and an old one never holds a seat"""
    licence = w.licence(window_s=600)
    t = w.start(licence)
    t.send("event order 0.10")
    w.run(250)
    beat = next(each for each in w.wire.seen if each.operation == "heartbeat")
    seat, again = licence.activations[0], {name.lower(): value for name, value in beat.headers.items()}
    before = (seat.orders, seat.sequence, seat.seen)
    w.fake.now += 100
    status, _, answer = w.fake.handle("POST", beat.target, again, beat.body)
    equal((status, json.loads(answer)["code"]), (200, "VALID"))
    equal((seat.orders, seat.sequence, seat.seen), before)


@scenario(needs_fake=True)
def lost_files(w):
    """An EA whose files were deleted takes up its seat and its totals again"""
    licence = w.licence()
    t = w.start(licence)
    for _ in range(3):
        t.send("event order 0.10")
    w.run(250)
    t.close()
    w.terminals.remove(t)
    w.file(STATE).unlink()
    t = w.start(licence)
    t.send("event order 0.10")
    w.run(250)
    seat = licence.activations[0]
    equal((len(licence.activations), seat.orders, seat.centilots), (1, 4, 40))


@scenario(needs_fake=True)
def two_charts(w):
    """Two charts of one terminal share a seat, and the orders of both are counted"""
    licence = w.licence()
    one = w.start(licence)
    two = w.start(licence)
    for _ in range(5):
        one.send("event order 0.10")
        two.send("event order 0.20")
    w.run(500)
    seat = licence.activations[0]
    equal((len(licence.activations), seat.orders, seat.centilots), (1, 10, 150))
    assert 600 <= seat.runtime_s <= 1000, seat.runtime_s
    for _ in range(5):
        two.send("event order 0.20")
    one.send("event order 0.10")
    w.run(250)
    equal((seat.orders, seat.centilots), (16, 260))
    equal((one.status(), two.status()), (("valid", True), ("valid", True)))
    # What a chart counted and did not report yet is there after both are closed.
    two.send("event order 0.20")
    two.close()
    w.terminals.remove(two)
    one.send("event order 0.10")
    w.restart(one, licence)
    w.run(250)
    equal((seat.orders, seat.centilots), (18, 290))


@scenario(needs_fake=True)
def two_charts_two_keys(w):
    """A chart whose key another chart of the terminal replaced takes up the new one, and neither asks for a third"""
    licence = w.licence()
    one = w.start(licence)
    # As when both start in the same moment: neither finds what the other will keep.
    w.file(STATE).unlink()
    two = w.start(licence)
    one.send("event order 0.10")
    two.send("event order 0.10")
    w.run(700)
    equal((one.status(), two.status()), (("valid", True), ("valid", True)))
    names = [name for t in (one, two) for name, _, _ in t.calls()]
    equal((names.count("activate"), licence.activations[0].orders), (2, 2))


@scenario(needs_fake=True)
def held_files(w):
    """A chart that died while it held what is kept holds up no other one"""
    licence = w.licence()
    t = w.start(licence)
    [lock] = (w.file("").parent.parent / "Globals").iterdir()
    lock.write_text("9000000".rjust(20))
    t.send("event order 0.10")
    t.send("set ticks 9001000")
    w.run(250)
    equal((t.status(), licence.activations[0].orders), (("valid", True), 1))
    equal(lock.read_text().strip(), "0")


@scenario(needs_fake=True)
def older_state(w):
    """An older state file that is put back stops no EA whose licence is good, and its totals go on from the server's"""
    licence = w.licence()
    t = w.start(licence)
    w.run(30)
    t.close()
    w.terminals.remove(t)
    kept = w.file(STATE).read_bytes()
    t = w.start(licence)
    for _ in range(5):
        t.send("event order 0.10")
    w.run(1000)
    t.close()
    w.terminals.remove(t)
    w.file(STATE).write_bytes(kept)
    t = w.start(licence)
    t.send("event order 0.10")
    w.run(4 * 86400, step=3600)
    equal(t.status(), ("valid", True))
    equal((len(licence.activations), licence.activations[0].orders), (1, 6))


@scenario(needs_fake=True)
def totals_refused(w):
    """A report that the server refuses is no dead end: the EA activates anew and goes on from the server's totals"""
    licence = w.licence()
    t = w.start(licence)
    w.run(250)
    seat = licence.activations[0]
    seat.orders, seat.centilots = 40, 400
    t.send("event order 0.10")
    w.run(1000)
    equal((t.status(), seat.orders), (("valid", True), 40))
    t.send("event order 0.10")
    w.run(300)
    equal(seat.orders, 41)
    equal([name for name, _, _ in t.calls()].count("activate"), 2)


@scenario(needs_fake=True)
def usage_without_heartbeats(w):
    """A licence without heartbeats reports its usage all the same"""
    licence = w.licence(heartbeat_s=0, lease_s=1200)
    t = w.start(licence)
    t.send("event order 0.10")
    w.run(700)
    equal([name for name, _, _ in t.calls()], ["activate", "usage"])
    equal(licence.activations[0].orders, 1)
    w.run(700)
    equal(t.calls()[-1][0], "validate")
    equal(t.status(), ("valid", True))


@scenario(needs_fake=True)
def settings(w):
    """Settings made in the portal reach the EA with the next heartbeat, and stay through a restart offline"""
    licence = w.licence(config=(1, {"lots": "0.05", "comment": "Grüße, \"Öl\"\\n"}))
    t = w.start(licence)
    equal((t.asked("setting lots"), t.asked("version")), ("0.05", "1"))
    equal(t.asked("setting comment"), "Grüße, \"Öl\"\\n")
    licence.config = (2, {"lots": "0.20"})
    w.run(250)
    equal((t.asked("setting lots"), t.asked("setting comment"), t.asked("version")), ("0.20", "none", "2"))
    w.run(250)
    included = [each for each in w.wire.seen if b"config_included" in each.answer]
    equal(len(included), 2, "they ride only when they are new")
    w.wire.before = lose
    t = w.restart(t, licence)
    equal((t.asked("setting lots"), t.asked("version")), ("0.20", "2"))


@scenario(needs_fake=True)
def large_settings(w):
    """Settings too large to ride along are fetched by a call of their own"""
    licence = w.licence()
    t = w.start(licence)
    licence.config = (5, {f"name_{number}": "x" * 100 for number in range(60)})
    w.run(250)
    equal([name for name, _, _ in t.calls()][-2:], ["heartbeat", "config"])
    equal(t.asked("setting name_59"), "x" * 100)


@scenario(needs_fake=True)
def settings_that_never_come(w):
    """Settings that cannot be fetched keep no heartbeat from being sent, and are asked for again later"""
    licence = w.licence(lease_s=3600, grace_s=3600, window_s=1200)
    t = w.start(licence)
    licence.config = (5, {f"name_{number}": "x" * 100 for number in range(60)})

    def fail(exchange):
        if exchange.operation == "config":
            exchange.status, exchange.answer = 500, b"{}"

    w.wire.after = fail
    w.run(6 * 3600)
    names = [name for name, _, _ in t.calls()]
    assert names.count("heartbeat") > 80, names
    assert 3 <= names.count("config") <= 30, names.count("config")
    equal((t.status()[1], names.count("activate")), (True, 1))
    w.wire.heal()
    w.run(4000)
    equal((t.status(), t.asked("setting name_59")), (("valid", True), "x" * 100))


@scenario(needs_fake=True)
def rate_limit(w):
    """An EA that is told to wait waits as long as it is told"""
    licence = w.licence()
    t = w.start(licence)
    w.run(60)
    w.fake.limit = 0
    w.run(250)
    calls = len(t.calls())
    equal(t.calls()[-1][1], 429)
    equal(t.status(), ("offline", True))
    contains(t.message(), "it was asked too often, and is asked again later")
    w.run(60)
    equal(len(t.calls()), calls)
    w.fake.limit = None
    w.run(130)
    equal(t.status(), ("valid", True))


@scenario
def absurd_waits(w):
    """An answer that says to wait for years is obeyed for an hour"""
    licence = w.licence()
    t = w.start(licence)

    def say(exchange):
        exchange.status, exchange.answer = 503, b"{}"
        exchange.answer_headers = {"retry-after": "99999999"}

    w.wire.after = say
    w.run(300)
    w.wire.heal()
    w.run(3700, step=100)
    equal(t.status(), ("valid", True))


@scenario
def back_off(w):
    """In an outage of a day an EA asks some hundred times, not thousands"""
    t = w.start(w.licence())
    w.wire.before = lose
    w.run(86400, step=3600)
    tries = len(t.calls())
    assert 80 <= tries <= 130, tries


@scenario
def hanging_server(w):
    """A server that never answers holds the EA no longer than its timeout, and never a quote"""
    licence = w.licence()
    t = w.start(licence)
    stop = threading.Event()
    w.wire.before = lambda exchange: stop.wait(20)
    w.run(250)
    stop.set()
    took = [took for _, status, took in t.calls() if status == 0]
    assert took and max(took) < 1300, took
    contains(t.message(), "it did not answer in time")
    began = time.monotonic()
    t.send("tick 1.1")
    assert time.monotonic() - began < 0.5


@scenario
def dripping_server(w):
    """A server that sends a byte now and then is given up at the timeout as well"""
    licence = w.licence()
    t = w.terminal(licence)
    import socket

    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def drip():
        connection, _ = listener.accept()
        try:
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + b"{" * 200:
                connection.send(bytes([byte]))
                time.sleep(0.1)
        except OSError:
            pass

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    t.send(f"input InpPortal {address}")
    t.send(f"set allow {address}")
    t.send("init")
    assert t.calls()[0][2] < 1300, t.calls()
    listener.close()


@scenario(needs_fake=True)
def key_rotation(w):
    """A new key is taken over with a heartbeat; the old one is valid until it is retired"""
    licence = w.licence()
    t = w.start(licence)
    seat = licence.activations[0]
    w.fake.rotate(seat)
    w.run(250)
    equal(seat.generation, 1, "offered, not used yet")
    w.run(250)
    equal(seat.generation, 2, "used")
    w.fake.retire(seat)
    w.run(250)
    equal(t.status(), ("valid", True))
    equal([name for name, _, _ in t.calls()].count("activate"), 1)


@scenario(needs_fake=True)
def lost_rotation(w):
    """A new key whose answer was lost is offered again"""
    licence = w.licence()
    t = w.start(licence)
    seat = licence.activations[0]
    w.fake.rotate(seat)
    w.wire.after = lose_the_answer
    w.run(250)
    w.wire.heal()
    w.run(700)
    equal((t.status(), seat.generation), (("valid", True), 2))


@scenario(needs_fake=True)
def rotation_and_outage(w):
    """A lease that was signed with the former key still opens a terminal that restarts offline"""
    licence = w.licence()
    t = w.start(licence)
    w.fake.rotate(licence.activations[0])
    w.run(250)
    w.wire.before = lose
    t = w.restart(t, licence)
    equal(t.status(), ("offline", True))


@scenario(needs_fake=True)
def retired_key(w):
    """An EA that slept through a rotation activates anew and keeps its seat"""
    licence = w.licence()
    t = w.start(licence)
    w.run(60)
    seat = licence.activations[0]
    w.fake.rotate(seat)
    w.fake.retire(seat)
    w.run(300)
    equal(t.status(), ("valid", True))
    equal([code for _, code in w.fake.calls[-2:]], ["key-retired", "VALID"])
    equal(len(licence.activations), 1)


@scenario(needs_fake=True)
def released_and_retired(w):
    """A seat that was released stays so when its key is retired before the EA asks again"""
    licence = w.licence()
    t = w.start(licence)
    w.run(60)
    seat = licence.activations[0]
    w.fake.rotate(seat)
    w.fake.retire(seat)
    seat.released = True
    w.run(600)
    equal(t.status(), ("refused", False))
    equal((w.fake.calls[-1][1], seat.released), ("RELEASED", True))


@scenario
def lost_activation(w):
    """An activation whose answer was lost takes one seat, not two"""
    licence = w.licence()
    w.wire.after = lose_the_answer
    t = w.start(licence)
    equal(t.status(), ("setup", False))
    w.wire.heal()
    w.run(60)
    equal(t.status(), ("valid", True))
    if w.fake:
        equal(len(licence.activations), 1)


@scenario
def tester(w):
    """In the strategy tester nothing is asked, sent or kept, and the EA trades"""
    t = w.terminal(w.licence(), tester="true")
    t.send("init")
    w.run(600)
    t.send("tick 1.1")
    t.send("event order 0.10")
    equal(t.status(), ("tester", True))
    equal(t.calls(), [])
    t.close()
    assert not w.file("").exists()
    equal(len(t.said()), 2, t.said())


@scenario
def allow_list(w):
    """An address that is not on the terminal's list is told with what to click, and works once it is"""
    for program in ("probe5", "probe4"):
        t = w.start(w.licence(), program, program=program, listed=False)
        equal(t.status(), ("setup", False))
        contains(t.message(), "Open Tools > Options > Expert Advisors, tick 'Allow WebRequest for listed URL', add http")
        w.run(120)
        equal(len([text for text in t.said() if "Tools" in text]), 1, "said once")
        t.send(f"set allow {w.wire.address}")
        w.run(20)
        equal(t.status(), ("valid", True), program)


@scenario
def signed_out(w):
    """A terminal that is not signed in yet asks nothing, and goes on when it is"""
    t = w.start(w.licence(), login=0)
    equal(t.status(), ("setup", False))
    contains(t.message(), "MetaTrader is not signed in to a trading account yet")
    equal(t.calls(), [])
    t.send("set login 5001")
    w.run(2)
    equal(t.status(), ("valid", True))


@scenario
def wrong_inputs(w):
    """A wrong input is named, and nothing is sent"""
    good = w.licence().key
    mistyped = good[:-1] + ("0" if good[-1] != "0" else "1")
    swapped = next(good[:i] + good[i + 1] + good[i] + good[i + 2 :] for i in range(4) if good[i] != good[i + 1])
    for number, (inputs, words) in enumerate((
        ({"InpKey": ""}, "No licence key was entered"),
        ({"InpKey": good[:-2]}, "has 23 characters and should have 25"),
        ({"InpKey": mistyped}, "is mistyped"),
        ({"InpKey": swapped}, "is mistyped"),
        ({"InpKey": good[:-1] + "U"}, "cannot contain 'U'"),
        ({"InpKey": good[:-1] + "ü"}, "cannot contain"),
        ({"InpPortal": "portal.example.com"}, "must begin with https://"),
        ({"InpPortal": "http://portal.example.com"}, "must begin with https://"),
        ({"InpPortal": "http://localhost.example.com"}, "must begin with https://"),
        ({"InpPortal": "http://localhost:x@evil.example"}, "must begin with https://"),
        ({"InpPortal": "http://localhost:80@evil.example"}, "must begin with https://"),
        ({"InpPortal": "http://evil.example/.localhost"}, "must begin with https://"),
        ({"InpPortal": "http://evil.example#.localhost"}, "must begin with https://"),
        ({"InpPortal": "http://evil.example\\.localhost"}, "must begin with https://"),
        ({"InpPortal": "http://localhost:"}, "must begin with https://"),
        ({"InpPortal": "https://"}, "must begin with https://"),
    )):  # fmt: skip
        t = w.start(good, f"place-{number}", inputs=inputs)
        equal(t.status(), ("setup", False), words)
        contains(t.message(), words)
        w.run(60)
        equal(t.calls(), [], words)


@scenario
def no_portal(w):
    """An address without a portal is told as such"""

    def say(exchange):
        exchange.status, exchange.answer = 421, b'{"code":"unknown-host","detail":"No site has this address."}'

    w.wire.after = say
    t = w.start(w.licence())
    equal(t.status(), ("setup", False))
    contains(t.message(), "There is no portal at http")


@scenario
def full_disk(w):
    """Without a disk to write to the EA trades while the server answers, and says what is missing"""
    t = w.start(w.licence(), disk_full="true")
    equal(t.status(), ("valid", True))
    contains(" ".join(t.said()), "free some disk space")


@scenario
def long_names(w):
    """A broker server with a long name in another script is asked by POST: addresses stay below 1,024 characters"""
    # Fully spelt out, the question after a restart is the longest there is.
    portal = w.wire.address.replace("127.0.0.1", "a-brand-whose-name-is-as-long-as-a-label-of-a-host-may-be.localhost")
    product = "a-product-with-the-longest-name-there-is"
    licence = w.licence(product=product, latest_version="100000.200000.300000")
    name, inputs = "取引サーバー" * 11, {"InpProduct": product, "InpVersion": "100000.200000.300000"}
    inputs["InpPortal"] = portal
    t = w.start(licence, server=name, inputs=inputs, allow=portal, login=2**63 - 1)
    equal(t.status(), ("valid", True))
    t = w.restart(t, licence, server=name, inputs=inputs, allow=portal, login=2**63 - 1)
    equal(t.status(), ("valid", True))
    last = w.wire.seen[-1]
    equal((last.operation, last.method), ("validate", "POST"))
    equal(json.loads(last.body)["server"], name[:64])
    # A short one goes by GET.
    other = w.licence()
    t = w.start(other, "office", memory=8192, server="Börse & Söhne-Live")
    t = w.restart(t, other, "office", memory=8192, server="Börse & Söhne-Live")
    equal((w.wire.seen[-1].method, t.status()), ("GET", ("valid", True)))
    assert len(w.wire.seen[-1].target) < 1024


@scenario
def one_at_a_time(w):
    """There is one call at a time"""
    together, most, guard = [0], [0], threading.Lock()

    def enter(_):
        with guard:
            together[0] += 1
            most[0] = max(most[0], together[0])
        time.sleep(0.01)

    def leave(_):
        with guard:
            together[0] -= 1

    w.wire.before, w.wire.after = enter, leave
    t = w.start(w.licence())
    for _ in range(40):
        t.send("tick 1.1")
        w.run(30)
    equal(most[0], 1)
    assert len(beats(t)) > 4
