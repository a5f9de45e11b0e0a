"""The sample EA of both platforms: where the licence belongs in an EA that trades."""

from scenario import contains, equal, lose, scenario

RISING = [1.10 + step / 1000 for step in range(30)]
FALLING = [1.13 - step / 1000 for step in range(30)]


def play(t, prices):
    for price in prices:
        t.send(f"tick {price:.5f}")


for _platform in ("5", "4"):

    def _trades(w, program="sample" + _platform):
        licence = w.licence(config=(1, {"lots": "0.05"}))
        t = w.start(licence, program=program, login=5001)
        play(t, RISING)
        equal(t.said("order"), ["buy 0.05"])
        play(t, FALLING)
        equal(t.said("order"), ["buy 0.05", "sell 0.05"])
        w.run(250)
        if w.fake:
            equal((licence.activations[0].orders, licence.activations[0].centilots), (1, 5))

    _trades.__doc__ = f"The sample EA for MetaTrader {_platform} trades by the portal's settings and reports it"
    scenario(_trades)

    def _stops(w, program="sample" + _platform):
        licence = w.licence()
        t = w.start(licence, program=program)
        play(t, RISING)
        equal(t.said("order"), ["buy 0.01"])
        licence.status = "revoked"
        w.run(300)
        contains(t.message(), "was revoked for good")
        play(t, FALLING)
        equal(t.said("order"), ["buy 0.01", "sell 0.01"], "what is open is closed all the same")
        play(t, RISING)
        equal(len(t.said("order")), 2, "and nothing new is opened")

    _stops.__doc__ = f"The sample EA for MetaTrader {_platform} closes, but opens nothing, once its licence is revoked"
    scenario(_stops, needs_fake=True)

    def _tester(w, program="sample" + _platform):
        t = w.terminal(w.licence(), program=program, tester="true")
        t.send("init")
        play(t, RISING)
        equal(t.said("order"), ["buy 0.01"])
        equal(t.calls(), [])

    _tester.__doc__ = f"The sample EA for MetaTrader {_platform} can be tested without a licence"
    scenario(_tester)

    def _removed(w, program="sample" + _platform):
        licence = w.licence()
        t = w.start(licence, program=program, inputs={"InpRelease": "true"})
        t.send("deinit 9")
        equal(t.calls()[-1][0], "activate", "a terminal that closes keeps its seat")
        t.send("init")
        t.send("deinit 1")
        equal(t.calls()[-1][0], "deactivate")
        other = w.start(licence, "office", program=program, memory=8192)
        contains(other.message(), "The licence is valid")

    _removed.__doc__ = f"The sample EA for MetaTrader {_platform} frees its seat when it is removed, if told to"
    scenario(_removed)

    def _offline(w, program="sample" + _platform):
        t = w.terminal(w.licence(), program=program)
        w.wire.before = lose
        t.send("init")
        play(t, RISING)
        equal(t.said("order"), [], "without any answer yet it opens nothing")

    _offline.__doc__ = f"The sample EA for MetaTrader {_platform} opens nothing before the first answer"
    scenario(_offline)
