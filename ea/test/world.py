"""What a scenario is given: a server, the wire before it, and terminals whose clocks go with the server's."""

import json
import pathlib
import shutil
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request

from fake import Fake
from scenario import LeftOut
from terminal import Terminal
from wire import Wire

BEGIN = 1_900_000_000
# How long a real server signs with keys that it has read, and a little more.
KEYS_KNOWN_S = 1


class World:
    """With `real` (an address and a command that does what a person does in the portal) in front of a real server."""

    def __init__(self, programs, real=None):
        self.programs, self.real = programs, real
        self.folder = tempfile.mkdtemp(prefix="marque-ea-")
        self.fake = None if real else Fake(BEGIN)
        self.wire = Wire(real[0] if real else self.fake.serve_http())
        self.terminals = []
        self.root = pathlib.Path(__file__).resolve().parent.parent
        self.truth = int(time.time()) if real else BEGIN

    # A person in the portal.

    def licence(self, **rules):
        """A new licence: an object with `key`. A real server's control command makes it from the same rules."""
        return self.control("licence", rules) if self.real else self.fake.licence(**rules)

    def control(self, verb, fields):
        """Asks the real server's command; what it prints is one JSON object."""
        done = subprocess.run([*self.real[1], verb, json.dumps(fields)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        made = json.loads(done.stdout)
        if "left_out" in made:
            raise LeftOut(made["left_out"])
        return type("Made", (), made)

    def tenant_key(self):
        """The name of the brand's key that signs, and its public half."""
        with urllib.request.urlopen(f"{self.wire.address}/api/ea/v1/keys", timeout=10) as answer:
            keys = json.loads(answer.read())
        return keys["current"], keys[keys["current"]]

    def new_key(self):
        """The brand makes a key that signs from now on."""
        if self.fake:
            self.fake.new_key()
        else:
            self.control("new-key", {})
            time.sleep(KEYS_KNOWN_S)

    def retire_key(self, kid):
        """The brand retires a key."""
        if self.fake:
            self.fake.retire_key(kid)
        else:
            self.control("retire-key", {"name": kid.removeprefix("t.")})
            time.sleep(KEYS_KNOWN_S)

    def pinned(self, *more):
        """The name of a probe with the brand's key that signs now in its source, and more of them."""
        return self.programs.pinned(" ".join([*more, self.tenant_key()[1]]))

    # Terminals.

    def terminal(self, licence, place="home", program="probe5", listed=True, inputs=None, **settings):
        """A terminal in a folder of its own name; the same name finds what the last one left."""
        address = self.wire.address
        if self.real:
            # The wire is on this machine; the host that the server goes by is put in by it.
            address = "http://127.0.0.1:" + str(urllib.parse.urlsplit(address).port)
        given = {"InpPortal": address, "InpKey": licence if isinstance(licence, str) else licence.key, **(inputs or {})}
        pairs = [("time", self.truth)] + ([("allow", address)] if listed else [])
        pairs += [(name.replace("_", "-"), value) for name, value in settings.items()]
        terminal = Terminal(self.programs[program], str(pathlib.Path(self.folder) / place), given, pairs)
        self.terminals.append(terminal)
        return terminal

    def start(self, licence, *arguments, **settings):
        """A terminal whose EA was attached to a chart."""
        terminal = self.terminal(licence, *arguments, **settings)
        terminal.send("init")
        return terminal

    def restart(self, terminal, licence, *arguments, **settings):
        """Closes it and starts another in its place."""
        terminal.close()
        self.terminals.remove(terminal)
        return self.start(licence, *arguments, **settings)

    # Time.

    def run(self, seconds, step=20):
        """Time goes on everywhere; every EA that runs has its timer called each second."""
        while seconds > 0:
            now = min(step, seconds)
            self.truth += now
            if self.fake:
                self.fake.now += now
            for terminal in self.terminals:
                terminal.send(f"run {now}")
            seconds -= now

    def pass_by(self, seconds):
        """Time goes on while no EA runs."""
        self.truth += seconds
        if self.fake:
            self.fake.now += seconds
        for terminal in self.terminals:
            terminal.send(f"skip {seconds}")

    def file(self, name, place="home"):
        return pathlib.Path(self.folder) / place / "Files" / "Marque" / name

    def close(self):
        for terminal in self.terminals:
            terminal.kill()
        self.wire.close()
        if self.fake:
            self.fake.close()
        shutil.rmtree(self.folder, ignore_errors=True)
