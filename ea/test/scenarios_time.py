"""Outages, the lease, its grace, and clocks that are set by whoever likes to."""

import json
import shutil

from scenario import contains, equal, lose, scenario

HOUR, DAY = 3600, 86400
STATE, LEASE = "marque-sample-5001.state", "marque-sample-5001.lease"


@scenario
def outage(w):
    """In an outage the EA trades through lease and grace, stops at its end to the minute, and recovers by itself"""
    licence = w.licence(lease_s=DAY, grace_s=3 * DAY)
    t = w.start(licence)
    if not w.real:
        # A real server's clock does not go along, and a lease is counted from its answer.
        w.run(300)
    told = json.loads(w.wire.seen[-1].answer)
    w.wire.before = lose
    w.run(300)
    equal(t.status(), ("offline", True))
    contains(t.message(), "The EA trades on until")
    w.run(told["lease_until"] - w.truth - 30, step=600)
    equal(t.status(), ("offline", True))
    w.run(60)
    equal(t.status(), ("grace", True))
    contains(t.message(), "stops opening trades at")
    w.run(told["grace_until"] - w.truth - 30, step=3600)
    equal(t.status(), ("grace", True))
    w.run(60)
    equal(t.status(), ("ended", False))
    contains(t.message(), "opens no more trades")
    equal(len(t.said("alert")), 1, "that it stops is said aloud, once")
    w.wire.heal()
    w.run(1100)
    equal(t.status(), ("valid", True))


@scenario
def restart_in_an_outage(w):
    """A terminal that restarts in an outage trades on with its lease, and no restart prolongs it"""
    licence = w.licence(lease_s=HOUR, grace_s=HOUR)
    t = w.start(licence)
    w.run(250)
    w.wire.before = lose
    for _ in range(4):
        t = w.restart(t, licence)
        equal(t.status()[1], True)
        w.run(1500, step=300)
    w.run(1300)
    equal(t.status(), ("ended", False))
    t = w.restart(t, licence)
    equal(t.status(), ("ended", False))


@scenario
def killed_terminal(w):
    """A terminal that dies without warning finds its lease again"""
    licence = w.licence()
    t = w.start(licence)
    w.run(250)
    w.terminals.remove(t)
    t.kill()
    w.wire.before = lose
    equal(w.start(licence).status(), ("offline", True))


@scenario
def expiry_in_an_outage(w):
    """A licence that ends in an outage ends: its lease and grace never reach beyond it"""
    licence = w.licence(expires_at=w.truth + 2 * HOUR)
    t = w.start(licence)
    w.wire.before = lose
    w.run(2 * HOUR - 60, step=300)
    equal(t.status()[1], True)
    w.run(120)
    equal(t.status()[1], False)


@scenario
def clock_set_back_while_running(w):
    """The computer's clock set back while the EA runs prolongs nothing, and is told"""
    licence = w.licence(lease_s=HOUR, grace_s=HOUR)
    t = w.start(licence)
    w.run(250)
    w.wire.before = lose
    for _ in range(6):
        t.send(f"set computer {-20 * 60}")
        w.run(1200, step=300)
    w.run(300)
    equal(t.status(), ("ended", False))


@scenario
def clock_told(w):
    """A clock that was set back is told even while the server answers"""
    t = w.start(w.licence())
    w.run(60)
    t.send(f"set computer {-3 * HOUR}")
    w.run(30)
    equal(t.status(), ("valid", True))
    contains(t.message(), "The computer's clock is 3 hours behind what it was")


@scenario
def clock_set_back_between_runs(w):
    """The computer's clock set back between two runs is noticed: without the server the EA does not trade"""
    licence = w.licence(lease_s=HOUR, grace_s=HOUR)
    t = w.start(licence)
    w.run(250)
    w.wire.before = lose
    w.run(HOUR, step=600)
    t = w.restart(t, licence, computer=-50 * 60, ticks=1000)
    equal(t.status(), ("clock", False))
    contains(t.message(), "The computer's clock is 50 minutes behind what it was. Set it right")
    # Putting it right helps, and so does the server.
    t.send(f"set computer {50 * 60}")
    w.run(5)
    equal(t.status()[1], True)
    t = w.restart(t, licence, computer=-50 * 60, ticks=1000)
    equal(t.status(), ("clock", False))
    w.wire.heal()
    w.run(60)
    equal(t.status(), ("valid", True))


@scenario
def small_corrections(w):
    """A clock that is corrected by minutes is no matter"""
    licence = w.licence()
    t = w.start(licence)
    w.run(250)
    w.wire.before = lose
    t = w.restart(t, licence, computer=-240)
    equal(t.status(), ("offline", True))


@scenario
def clock_ahead(w):
    """A clock that ran a year ahead by mistake stops an EA only until the server answers"""
    licence = w.licence()
    t = w.start(licence)
    w.run(250)
    w.wire.before = lose
    w.run(60)
    t.send(f"set computer {400 * DAY}")
    w.run(60)
    equal(t.status(), ("ended", False))
    t.send(f"set computer {-400 * DAY}")
    w.run(60)
    equal(t.status(), ("ended", False), "the latest time seen stands")
    w.wire.heal()
    w.run(900)
    equal(t.status(), ("valid", True))


@scenario
def rolled_back_copy(w):
    """Older files and an older clock put back together are found out by the broker's clock"""
    licence = w.licence(lease_s=HOUR, grace_s=HOUR)
    t = w.start(licence, broker=2 * HOUR)
    for _ in range(10):
        t.send("tick 1.1")
        w.run(60)
    t.close()
    w.terminals.remove(t)
    shutil.copytree(w.file("").parent, w.file("").parent.parent / "kept")
    w.wire.before = lose
    w.pass_by(5 * HOUR)
    shutil.rmtree(w.file("").parent)
    shutil.copytree(w.file("").parent.parent / "kept", w.file("").parent)
    # The computer believes that no time has passed.
    t = w.start(licence, broker=2 * HOUR, computer=-5 * HOUR, ticks=1000)
    equal(t.status(), ("offline", True), "nobody could tell yet")
    t.send("tick 1.1")
    w.run(2)
    equal(t.status(), ("clock", False))


@scenario
def rolled_back_before_a_quote(w):
    """Older files that were copied before the first quote are found out by the broker's clock too, whatever its zone"""
    licence = w.licence(lease_s=HOUR, grace_s=HOUR)
    t = w.start(licence, broker=2 * HOUR)
    w.run(60)
    t.close()
    w.terminals.remove(t)
    shutil.copytree(w.file("").parent, w.file("").parent.parent / "kept")
    w.wire.before = lose
    w.pass_by(20 * HOUR)
    shutil.rmtree(w.file("").parent)
    shutil.copytree(w.file("").parent.parent / "kept", w.file("").parent)
    t = w.start(licence, broker=2 * HOUR, computer=-20 * HOUR, ticks=1000)
    equal(t.status(), ("offline", True), "nobody could tell yet")
    t.send("tick 1.1")
    w.run(2)
    equal(t.status(), ("clock", False))


@scenario
def far_zone(w):
    """A broker's clock that is hours ahead ends no lease before its difference is known"""
    licence = w.licence(lease_s=HOUR, grace_s=HOUR)
    t = w.start(licence, broker=13 * HOUR)
    w.wire.before = lose
    t.send("tick 1.1")
    w.run(600)
    equal(t.status(), ("offline", True))


@scenario(needs_fake=True)
def no_timer(w):
    """An EA whose author forgot the timer stops at the end of its grace all the same, when it asks whether it may trade"""
    licence = w.licence(lease_s=DAY, grace_s=3 * DAY)
    for program in ("probe5", "probe4"):
        t = w.start(licence, program, program=program, inputs={"InpTimer": "false"})
        equal(t.status(), ("valid", True))
        w.pass_by(2 * DAY)
        t.send("tick 1.1")
        equal(t.status()[1], True, "in its grace")
        w.pass_by(88 * DAY)
        t.send("tick 1.1")
        equal(t.status()[1], False, "after 90 days")
        equal(t.status(), ("ended", False))
        equal(len(t.calls()), 1, "nothing is asked but from the timer")
        w.terminals.remove(t)
        t.kill()
        licence = w.licence(lease_s=DAY, grace_s=3 * DAY)


@scenario(needs_fake=True)
def weekend(w):
    """The last quote of Friday is not taken for the broker's clock of Sunday"""
    licence = w.licence()
    t = w.start(licence, broker=2 * HOUR)
    t.send("tick 1.1")
    w.run(60)
    # No quotes for two days; the server answers all the time.
    w.run(2 * DAY, step=3600)
    equal(t.status(), ("valid", True))
    w.wire.before = lose
    t.send("tick 1.1")
    w.run(400)
    equal(t.status(), ("offline", True))


@scenario
def summer_time(w):
    """A broker's clock that goes an hour ahead in spring ends no lease early"""
    licence = w.licence(lease_s=HOUR, grace_s=HOUR)
    t = w.start(licence, broker=2 * HOUR)
    for _ in range(10):
        t.send("tick 1.1")
        w.run(60)
    w.wire.before = lose
    t.send(f"set broker {3 * HOUR}")
    t.send("tick 1.1")
    w.run(600)
    equal(t.status(), ("offline", True))


@scenario
def long_running(w):
    """MetaTrader 4 counts its running time anew after 49.7 days, and nothing comes of it"""
    licence = w.licence()
    t = w.start(licence, program="probe4", ticks=4294967296 - 100_000)
    w.run(600)
    equal(t.status(), ("valid", True))
    beats = [name for name, _, _ in t.calls()].count("heartbeat")
    assert 2 <= beats <= 4, t.calls()
