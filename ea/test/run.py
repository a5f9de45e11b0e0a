"""Translates, compiles and runs the EA sources, then plays the scenarios. The last line is `N passed, N failed`.

    python3 ea/test/run.py [WORDS]                     against the stand-in for the server
    python3 ea/test/run.py --base-url https://portal.example.com --control 'COMMAND …'

With a real server, COMMAND is run as `COMMAND VERB JSON` for what a person does in the portal (`licence` makes one from
rules and prints an object with its `key`); scenarios that need the server's clock are left out and counted.
"""

import argparse
import concurrent.futures
import hashlib
import importlib
import pathlib
import shlex
import subprocess
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
EA = HERE.parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(EA / "vectors"))
sys.dont_write_bytecode = True

PROGRAMS = {
    "probe5": ("test/Probe.mq5", "mt5"),
    "probe4": ("test/Probe.mq5", "mt4"),
    "pinned5": ("test/ProbePinned.mq5", "mt5"),
    "pinned4": ("test/ProbePinned.mq5", "mt4"),
    "vectors5": ("test/Vectors.mq5", "mt5"),
    "vectors4": ("test/Vectors.mq5", "mt4"),
    "sample5": ("mql5/Experts/MarqueSample.mq5", "mt5"),
    "sample4": ("mql4/Experts/MarqueSample.mq4", "mt4"),
}
# As strict as MetaEditor's warnings and more; only a handler's parameters may stay unused.
FLAGS = ["-std=c++17", "-O0", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror", "-Wno-sign-conversion",
         "-Wno-unused-parameter"]  # fmt: skip
LEFT_OUT = "left out"
MODULES = ["scenarios_codes", "scenarios_trust", "scenarios_vendor", "scenarios_time", "scenarios_life", "scenarios_sample",
           "scenarios_vectors", "scenarios_harness"]


def build(name, source, platform, folder):
    """The program of a source; compiled when anything it is made of changed."""
    text, program = folder / f"{name}.cpp", folder / name
    translate = [sys.executable, str(EA / "harness/translate.py"), str(EA / source), str(EA / "include"), str(text)]
    subprocess.run([*translate, "--platform", platform], check=True)
    digest = hashlib.sha256(text.read_bytes() + " ".join(FLAGS).encode())
    for header in sorted((EA / "harness/mql").glob("*.hpp")):
        digest.update(header.read_bytes())
    stamp = folder / f"{name}.stamp"
    if not program.is_file() or not stamp.is_file() or stamp.read_text() != digest.hexdigest():
        subprocess.run(["g++", *FLAGS, "-I", str(EA / "harness"), "-o", str(program), str(text)], check=True)
        stamp.write_text(digest.hexdigest())
    return str(program)


class Programs(dict):
    """Programs by name, each built when it is first asked for."""

    def __init__(self, folder):
        super().__init__()
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def __missing__(self, name):
        self[name] = build(name, *PROGRAMS[name], self.folder)
        return self[name]

    def pinned(self, keys):
        """The name of the probe with these keys of a vendor in its source."""
        name = "pinned-" + hashlib.sha256(keys.encode()).hexdigest()[:16]
        if name not in self:
            source = self.folder / f"{name}.mq5"
            source.write_text(f'#property strict\n#define MARQUE_VENDOR_KEY "{keys}"\n#include "{EA}/test/Probe.mq5"\n')
            self[name] = build(name, source, "mt5", self.folder)
        return name

    def build_all(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(self.__getitem__, PROGRAMS))


def play(scenario, programs, real):
    """None, or why it failed; LEFT_OUT when a real server cannot be brought there."""
    from scenario import LeftOut
    from world import World

    world = World(programs, real)
    try:
        scenario.run(world)
        return None
    except LeftOut:
        return LEFT_OUT
    except Exception:
        return traceback.format_exc()
    finally:
        world.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="?", default="", help="only scenarios whose names contain this")
    parser.add_argument("--build", type=pathlib.Path, default=EA.parent / "target" / "ea", help="where programs are made")
    parser.add_argument("--base-url", help="a real server instead of the stand-in")
    parser.add_argument("--control", default="", help="the command that does what a person does in its portal")
    options = parser.parse_args()
    real = (options.base_url, shlex.split(options.control)) if options.base_url else None
    for module in MODULES:
        importlib.import_module(module)
    from scenario import ALL

    chosen = [scenario for scenario in ALL if options.words in scenario.name]
    programs = Programs(options.build)
    if not options.words:
        programs.build_all()
    passed, failed, left_out = 0, 0, 0
    for scenario in chosen:
        if real and scenario.needs_fake:
            left_out += 1
            continue
        began = time.monotonic()
        fault = play(scenario, programs, real)
        if fault == LEFT_OUT:
            left_out += 1
            continue
        took = int((time.monotonic() - began) * 1000)
        print(f"{'not ok' if fault else 'ok'} {scenario.name} ({took} ms)", flush=True)
        if fault:
            failed += 1
            print("    " + fault.replace("\n", "\n    "), flush=True)
        else:
            passed += 1
    if left_out:
        print(f"{left_out} left out: they need the stand-in's clock, or change what others meet")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
