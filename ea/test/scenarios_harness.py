"""The harness itself: what it refuses, and that it is as unforgiving as a terminal."""

import pathlib
import re
import subprocess
import sys

from scenario import contains, equal, scenario

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "harness"))

import translate  # noqa: E402

REFUSED = {
    '#import "user32.dll"': "#import",
    "void OnStart() { CThing *thing = NULL; }": "a pointer",
    "void OnStart() { thing->Go(); }": "a pointer",
    "void OnStart() { delete thing; }": "a pointer",
    "double prices[100];": "an array of fixed size",
    "int table[2] = {1, 2};": "an array of fixed size",
    "template<typename T> T Most(T a, T b) { return(a > b ? a : b); }": "a template",
}

TRANSLATED = {
    "datetime day = D'2026.11.29 03:30';": "datetime day = 1795923000L;",
    "int red = C'255,0,0';": "int red = 255;",
    "double a[], b[];": "Array<double> a, b;",
    "void F(const uchar &key[], string &out)": "void F(const Array<uchar> &key, string &out)",
    'string text = "a[];" + "// no comment"; // a comment': 'string text = _S("a[];") + _S("// no comment");  ',
    "if(c == '\"') return;": "if(c == '\"') return;",
    "/* lines\nstay */ int x;": " \n int x;",
}

CRITICAL = """void OnStart()
{
   int numbers[];
   ArrayResize(numbers, 2);
   int sum = 0;
   for(int i = 0; i <= ArraySize(numbers); i++)
      sum += numbers[i];
   Print(IntegerToString(sum));
}
"""


@scenario
def refusals(_):
    """What the translator does not know it refuses, with the place"""
    for source, what in REFUSED.items():
        try:
            translate.code("\n" + source, "Source.mq5")
            raise AssertionError(f"taken: {source}")
        except translate.Unknown as unknown:
            contains(str(unknown), f"Source.mq5:2: {what}")


@scenario
def translations(_):
    """Literals, arrays and comments are translated as they are meant, line by line"""
    for source, wanted in TRANSLATED.items():
        equal(translate.code(source, "Source.mq5"), wanted)


@scenario
def out_of_range(w):
    """An index that is out of range ends the program, as it does in a terminal"""
    folder = pathlib.Path(w.folder)
    (folder / "Bad.mq5").write_text(CRITICAL)
    (folder / "bad.cpp").write_text(translate.translate(folder / "Bad.mq5", w.root / "include", "mt5"))
    program = folder / "bad"
    subprocess.run(["g++", "-std=c++17", "-I", str(w.root / "harness"), "-o", str(program), str(folder / "bad.cpp")], check=True)
    done = subprocess.run([str(program), str(folder)], input="start\n", capture_output=True, text=True)
    equal((done.returncode, done.stdout), (3, "critical array out of range\ndone critical\n"))


@scenario
def one_place_for_differences(w):
    """Only Platform.mqh tells MetaTrader 4 and 5 apart"""
    for path in sorted((w.root / "include/Marque").glob("*.mqh")):
        told = re.findall(r"__MQL[45]__|MQL_ERROR|ERR_[A-Z]+", path.read_text(encoding="utf-8"))
        assert not told or path.name == "Platform.mqh", (path.name, told)
