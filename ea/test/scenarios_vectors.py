"""The golden vectors: the library of both platforms and a script of another language come to the same."""

import json
import pathlib
import subprocess
import sys

from scenario import equal, scenario
from terminal import Terminal


def vectors(root):
    for path in sorted((root / "vectors").glob("*.json")):
        yield from json.loads(path.read_text(encoding="utf-8"))["vectors"]


for _platform in ("5", "4"):

    def _library(w, program="vectors" + _platform):
        mine = list(vectors(w.root))
        files = pathlib.Path(w.folder) / "home" / "Files"
        (files / "Marque").mkdir(parents=True)
        t = Terminal(w.programs[program], str(files.parent), {}, [])
        w.terminals.append(t)
        # The library reads no file of more than 64 KiB.
        for at in range(0, len(mine), 30):
            with open(files / "vectors.jsonl", "w", encoding="utf-8") as lines:
                for vector in mine[at : at + 30]:
                    given = {name: value for name, value in vector.items() if name not in ("want", "signed_hex", "file_hex")}
                    lines.write(json.dumps(given, ensure_ascii=False) + "\n")
                    if "file_hex" in vector:
                        (files / "Marque" / f"{vector['name']}-1.lease").write_bytes(bytes.fromhex(vector["file_hex"]))
            t.send("start")
        found = dict(text.removeprefix("vector ").split(" ", 1) for text in t.said())
        wrong = [(vector["name"], found.get(vector["name"]), vector["want"]) for vector in mine
                 if found.get(vector["name"]) != vector["want"]]  # fmt: skip
        equal(wrong, [])
        equal(len(found), len(mine))
        assert len(mine) > 150, len(mine)

    _library.__doc__ = f"Every golden vector comes out of the library for MetaTrader {_platform}"
    scenario(_library)


@scenario
def another_language(w):
    """Every golden vector comes out of a script that shares nothing with the generator"""
    done = subprocess.run(["node", str(w.root / "vectors/check.mjs")], capture_output=True, text=True)
    equal(done.returncode, 0, done.stdout)


@scenario
def current(w):
    """The golden vectors are what their generator makes"""
    done = subprocess.run([sys.executable, "-B", str(w.root / "vectors/generate.py"), "--check"], capture_output=True, text=True)
    equal(done.returncode, 0, done.stderr)
