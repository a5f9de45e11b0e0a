"""Breaks the library on purpose, one line at a time, and shows which scenario notices: python3 ea/test/mutants.py

Each mutant is a copy of `ea/` with one change. One that every scenario passes is a test that is missing, and fails the run.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

EA = pathlib.Path(__file__).resolve().parent.parent

# What is broken, where, the line, what is put there, and the scenarios that are played.
MUTANTS = [
    ("no nonce is compared", "LicenceCall.mqh", 'answer.Get("nonce") != nonce', "false", "old answer"),
    ("no signature is compared", "Answer.mqh", "return(StringLen(own) > 0 && MqSameText(own, signature));", "return(true);", "changed"),
    ("the licence's key may say yes", "Answer.mqh", "if(!by_activation || answer", "if(answer", "licence key cannot say yes"),
    ("the signed bytes leave out the kind", "Answer.mqh", '+ kind + "\\n"', '+ "\\n"', "golden vector comes out of the library"),
    ("another account's lease is taken", "Answer.mqh", 'if(answer.Get("account") != m_account || ', "if(", "golden vector comes out of"),
    ("grace has no bound", "Answer.mqh", " || grace > now + MARQUE_GRACE_S_MAX", "", "golden vector comes out of the library"),
    ("the state file's MAC is not compared", "Store.mqh", "if(!MqSameText(MqSignature", "if(false && !MqSameText(MqSignature", "altered does not count"),
    ("an unsigned NOT_FOUND ends a lease", "LicenceCall.mqh",
     'if(answer.Get("code") == "NOT_FOUND" && !answer.IsTrue("valid") && !m_has_lease)\n         Trouble(MqRefusal(answer));',
     'if(answer.Get("code") == "NOT_FOUND")\n         Refuse(answer);', "ends no lease"),
    ("grace never ends", "LicenceState.mqh", "now < m_grace_until ? MARQUE_GRACE : MARQUE_ENDED", "MARQUE_GRACE", "outage"),
    ("the computer's clock alone counts", "Clock.mqh", "if(m_answered)\n      now = MqLater", "if(false)\n      now = MqLater", "prolongs nothing"),
    ("the latest time is forgotten", "Clock.mqh", "m_latest = now;", "", "prolongs nothing"),
    ("the latest time is not kept", "Clock.mqh", 'state.AddNumber("latest", Now());', 'state.AddNumber("latest", 0);', "between two runs"),
    ("a clock set back is not noticed", "LicenceState.mqh", "!m_clock.Answered() && m_clock.SetBackBy() > 0", "false", "between two runs"),
    ("the broker's clock is not looked at", "Clock.mqh", "if(TimeCurrent() > 0)", "if(false)", "found out by the broker"),
    ("an old quote is taken for now", "Clock.mqh", "m_quoted && ticks - m_quote_ticks <= MARQUE_QUOTE_FRESH_MS && ", "", "Friday"),
    ("a refusal leaves the lease", "LicenceCall.mqh", "m_has_lease = false;\n   m_store.DropLease();", "m_has_lease = true;", "while the EA runs"),
    ("Retry-After is not read", "Http.mqh", "if(wait < least)", "if(false)", "told to wait"),
    ("Retry-After is believed without bound", "Http.mqh", "if(least > MARQUE_RETRY_AFTER_S_MAX)", "if(false)", "wait for years"),
    ("no back-off", "Http.mqh", "m_failures++;", "", "In an outage of a day"),
    ("a released seat is taken again", "LicenceCall.mqh", "if(!m_released && ticks >= m_next)", "if(ticks >= m_next)", "does not take the seat back"),
    ("usage starts anew without files", "Usage.mqh", "MqAdd(m_kept, server, 1);", "", "files were deleted"),
    ("the sequence does not grow", "Usage.mqh", "m_sequence++;", "", "Usage rides"),
    ("the new key is not taken over", "LicenceCall.mqh", "m_activation = next;", "", "until it is retired"),
    ("the former key is forgotten", "LicenceCall.mqh", "m_former     = m_activation;", "", "former key"),
    ("settings are not kept", "LicenceStart.mqh", "m_settings.Save(state);", "", "stay through a restart"),
    ("the tester is asked like a chart", "LicenceStart.mqh", "if(MQLInfoInteger(MQL_TESTER) != 0 || MQLInfoInteger(MQL_OPTIMIZATION) != 0)", "if(false)", "strategy tester nothing"),
    ("no zone is allowed for", "Clock.mqh", ": MARQUE_ZONE_MAX_S", ": 0", "hours ahead ends no lease"),
    ("an unknown difference makes the broker's clock nothing", "Clock.mqh", ": MARQUE_ZONE_MAX_S", ": 10 * MARQUE_ZONE_MAX_S", "before the first quote"),
    ("what another chart kept is overwritten", "Usage.mqh", "   Fold();\n   state.AddNumber", "   state.AddNumber", "Two charts"),
    ("another chart's new key is not looked for", "LicenceCall.mqh", "m_must_activate = MqActivationKid(m_activation) == refused;", "m_must_activate = true;", "neither asks for a third"),
    ("who died with the lock keeps it", "Turn.mqh", " || now - held > MARQUE_TURN_MS_MAX", "", "holds up no other one"),
    ("older totals stay behind the server's", "Usage.mqh", "if(!m_joined || sequence > m_sequence)", "if(!m_joined)", "put back stops no EA"),
    ("a report that is not taken is sent for ever", "LicenceCall.mqh", "status == 422 && ", "false && ", "no dead end"),
    ("settings come before heartbeats", "Licence.mqh", "m_settings.Stale() && MqTicks() >= m_config_next", "m_settings.Stale()", "keep no heartbeat"),
    ("Allowed looks at no time", "LicenceState.mqh", "MqTicks() - m_judged > MARQUE_JUDGED_MS_MAX", "false", "forgot the timer"),
    ("what is behind the port is not looked at", "Http.mqh", "if(colon >= 0 && !MqIsDigits(MqRest(rest, colon + 1)))", "if(false)", "wrong input is named"),
    ("a lease goes with any kind of account", "LicenceState.mqh", "m_lease_for.kind != MqAccountKind()", "false", "another kind of account"),
    ("a lease goes with any broker server", "LicenceState.mqh", "m_lease_for.server != MqBrokerServer()", "false", "another broker server"),
    ("a lease goes with any version", "LicenceState.mqh", "m_lease_for.version != m_version", "false", "another version"),
    ("a lease goes with any state", "LicenceStart.mqh", 'answer.Get("nonce") != m_lease_for.nonce', "false", "younger lease"),
    ("any signature is the vendor's", "Answer.mqh", "MqUnhex(keys[i], key) && verify.Ed25519(key, bytes, message)", "true", "vendor's key"),
    ("the vendor's key is not asked for", "LicenceCall.mqh", 'request.AddText("signer", signers);', ";", "made a new one"),
    ("only the first of the vendor's keys counts", "Answer.mqh", "for(int i = 0; i < count; i++)\n      if(MqUnhex(keys[i]", "for(int i = 0; i < 1; i++)\n      if(MqUnhex(keys[i]", "next key beside"),
    ("a response past the order is taken", "Verify.mqh", " || !IsBelowOrder(signature, 32)", "", "golden vector comes out of the library"),
    ("calls are made from OnTick", "Licence.mqh", "void   OnTick() { m_clock.OnQuote(); }", "void   OnTick() { m_clock.OnQuote(); OnTimer(); }", "hanging|one call at a time"),
    ("http is good enough", "Http.mqh", "bool safe = MqStarts(base, \"https://\")", "bool safe = MqStarts(base, \"http\")", "wrong input is named"),
    ("the check character is not looked at", "Key.mqh", "else if(Check(MqPart(key, 0, MARQUE_KEY_CHARS - 1)) != MqRest(key, MARQUE_KEY_CHARS - 1))", "else if(false)", "wrong input is named"),
    ("running time of MetaTrader 4 wraps", "Platform.mqh", "turns += 4294967296;", "turns += 0;", "counts its running time anew"),
    ("a length of 0 is the rest", "Bytes.mqh", "if(count <= 0 || from < 0 || from >= StringLen(text))", "if(count < 0 || from < 0 || from >= StringLen(text))", "MetaTrader 4"),
]  # fmt: skip


def play(name, file, old, new, words, build):
    """The scenarios that failed with the mutant; a mutant that does not compile is one that was noticed too."""
    with tempfile.TemporaryDirectory(prefix="marque-mutant-") as folder:
        copy = pathlib.Path(folder) / "ea"
        shutil.copytree(EA, copy, ignore=shutil.ignore_patterns("__pycache__"))
        source = copy / "include/Marque" / file
        text = source.read_text(encoding="utf-8")
        if text.count(old) != 1:
            sys.exit(f"mutant `{name}`: its line stands {text.count(old)} times in {file}")
        source.write_text(text.replace(old, new), encoding="utf-8")
        found = []
        for part in words.split("|"):
            command = [sys.executable, "-B", str(copy / "test/run.py"), part, "--build", str(build)]
            said = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
            if not said:
                return ["it does not compile"]
            if said[-1].startswith("0 passed, 0 failed"):
                sys.exit(f"mutant `{name}`: no scenario is called `{part}`")
            found += [line for line in said if line.startswith("not ok ")]
        return found


def main():
    alive = []
    with tempfile.TemporaryDirectory(prefix="marque-mutants-") as build:
        for mutant in MUTANTS:
            if len(sys.argv) > 1 and sys.argv[1] not in mutant[0]:
                continue
            found = play(*mutant, pathlib.Path(build))
            print(f"{'noticed' if found else 'ALIVE'}: {mutant[0]}", *found[:2], sep="\n    ", flush=True)
            if not found:
                alive.append(mutant[0])
    print(f"{len(alive)} of the mutants live: {', '.join(alive)}" if alive else "every mutant was noticed")
    sys.exit(1 if alive else 0)


if __name__ == "__main__":
    main()
