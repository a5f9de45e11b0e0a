"""A terminal for tests: the translated EA as a process that is told what happens and says what it does."""

import pathlib
import subprocess

STATES = ["starting", "setup", "tester", "valid", "offline", "grace", "refused", "ended", "clock"]


class Terminal:
    """One terminal with one EA. What it kept on disk stays in `folder` for the next one."""

    def __init__(self, program, folder, inputs, settings):
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            [program, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self.events = []
        for name, value in settings:
            self.send(f"set {name} {value}")
        for name, value in inputs.items():
            self.send(f"input {name} {value}")

    def send(self, line):
        """Gives a command; returns what happened until it was done."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        new = []
        while True:
            said = self.process.stdout.readline()
            if not said:
                raise AssertionError(f"the terminal ended at `{line}`")
            kind, _, text = said.rstrip("\n").partition(" ")
            if kind == "done":
                assert text == "", f"`{line}` ended with {text}: {new}"
                break
            new.append((kind, text))
        self.events.extend(new)
        broken = [text for kind, text in new if kind == "violation"]
        assert not broken, f"`{line}` broke a rule of the terminal: {broken}"
        return new

    def said(self, kind="print"):
        return [text for what, text in self.events if what == kind]

    def calls(self):
        """Operations that were sent, as (operation, status, milliseconds)."""
        result = []
        for text in self.said("web"):
            status, took, _, url = text.split(" ", 3)
            result.append((url.split("?")[0].rsplit("/", 1)[1], int(status), int(took)))
        return result

    def forget(self):
        self.events.clear()

    def status(self):
        """The state's name, and whether trades may be opened."""
        answer = [text for kind, text in self.send("event status") if kind == "print"]
        _, state, allowed = answer[-1].split()
        return STATES[int(state)], allowed == "allowed"

    def asked(self, what):
        """The answer of the probe to an event."""
        return [text for kind, text in self.send(f"event {what}") if kind == "print"][-1].partition(" ")[2]

    def message(self):
        """What is on the chart."""
        return self.said("comment")[-1]

    def close(self, reason=9):
        if self.process.poll() is None:
            self.send(f"deinit {reason}")
            self.kill()

    def kill(self):
        """As the power going off."""
        self.process.kill()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
