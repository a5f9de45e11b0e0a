"""Makes C++ of the subset of MQL that our sources use.

    python3 translate.py SOURCE INCLUDE_FOLDER OUTPUT [--platform mt4|mt5]

Owns: includes, inputs, literals of text, dates and colours, arrays, forward declarations, which handlers there are.
Refuses what it does not know (imports, pointers, arrays of fixed size, templates): our sources do without.
The rest of MQL is C++ enough for g++ and mql/*.hpp. A pass here does not prove that MetaEditor accepts a source.
"""

import argparse
import datetime
import pathlib
import re
import sys

# Comments, texts and characters: everything else is code.
PIECES = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      |(?P<date>\bD'[^']*')
      |(?P<colour>\bC'[^']*')
      |(?P<text>"(?:\\.|[^"\\\n])*")
      |(?P<character>'(?:\\.|[^'\\\n])')""",
    re.VERBOSE | re.DOTALL,
)
NAME = r"[A-Za-z_]\w*"
LIST = re.compile(rf"(\bconst\s+)?\b({NAME})\s+((?:{NAME}\s*\[\s*\]\s*,\s*)*{NAME}\s*\[\s*\])\s*;")
PARAMETER = re.compile(rf"(\bconst\s+)?\b({NAME})\s*&\s*({NAME})\s*\[\s*\]")
INPUT = re.compile(rf"^[ \t]*s?input\s+({NAME})\s+({NAME})\s*=([^;]*);", re.MULTILINE)
FUNCTION = re.compile(rf"^({NAME})\s+({NAME})\s*\(([^;{{}}]*?)\)\s*\{{", re.MULTILINE)
REFUSED = {
    "#import": re.compile(r"#import"),
    "a pointer": re.compile(rf"->|\b{NAME}\s*\*\s*{NAME}\s*[=;]|\bnew\b|\bdelete\b|GetPointer"),
    "an array of fixed size": re.compile(rf"\b(?:u?char|u?short|u?int|u?long|bool|double|float|string|datetime|color)\s+{NAME}\s*\[\s*\w"),
    "a template": re.compile(r"\btemplate\b|\btypename\b"),
}
BUILT_IN = {"void", "bool", "char", "uchar", "short", "ushort", "int", "uint", "long", "ulong", "double", "float", "string",
            "datetime"}
READERS = {
    "string": "string::of(value)",
    "bool": 'value == "true"',
    "double": "std::atof(value.c_str())",
    "int": "std::atoi(value.c_str())",
    "long": "std::atol(value.c_str())",
}
HANDLERS = {
    "OnInit": "program.init = OnInit;",
    "OnDeinit": "program.deinit = [](int reason) { OnDeinit(reason); };",
    "OnTick": "program.tick = OnTick;",
    "OnTimer": "program.timer = OnTimer;",
    "OnStart": "program.start = OnStart;",
    "OnChartEvent": "program.chart_event = [](int id, const long &l, const double &d, const string &s) "
    "{ OnChartEvent(id, l, d, s); };",
}


class Unknown(Exception):
    """What this translator does not know, and where."""


def literal(piece):
    kind, text = piece.lastgroup, piece.group()
    if kind == "comment":
        # The lines stay, so that a message of g++ names the right one.
        return " " + "\n" * text.count("\n")
    if kind == "date":
        for form in ("%Y.%m.%d %H:%M:%S", "%Y.%m.%d %H:%M", "%Y.%m.%d"):
            try:
                moment = datetime.datetime.strptime(text[2:-1], form).replace(tzinfo=datetime.timezone.utc)
                return f"{int(moment.timestamp())}L"
            except ValueError:
                continue
        raise Unknown(f"a date {text}")
    if kind == "colour":
        red, green, blue = (int(part, 0) for part in text[2:-1].split(","))
        return str(red | green << 8 | blue << 16)
    return f"_S({text})" if kind == "text" else text


def list_of_arrays(found):
    names = re.sub(r"\s*\[\s*\]", "", found[3])
    return f"{found[1] or ''}Array<{found[2]}> {names};"


def code(text, where):
    """A source without its includes, as C++."""
    text = re.sub(r"^[ \t]*#property[^\n]*", "", text, flags=re.MULTILINE)
    text = re.sub(r"^[ \t]*input\s+group\s[^\n]*", "", text, flags=re.MULTILINE)
    bare = PIECES.sub(lambda piece: re.sub(r"[^\n]", " ", piece.group()), text)
    text = PIECES.sub(literal, text)
    for what, pattern in REFUSED.items():
        found = pattern.search(bare)
        if found:
            line = bare.count("\n", 0, found.start()) + 1
            raise Unknown(f"{where}:{line}: {what}: `{found.group().strip()}`")
    text = PARAMETER.sub(lambda found: f"{found[1] or ''}Array<{found[2]}> &{found[3]}", text)
    return LIST.sub(list_of_arrays, text)


def gather(path, folder, seen):
    """The source with all that it includes, each file once, in order."""
    path = path.resolve()
    if path in seen:
        return []
    seen.add(path)
    parts, text, line = [], path.read_text(encoding="utf-8"), 1
    for found in list(re.finditer(r'^[ \t]*#include\s+(<[^>]+>|"[^"]+")[^\n]*$', text, re.MULTILINE)) + [None]:
        end = found.start() if found else len(text)
        start = parts.pop() if parts and isinstance(parts[-1], int) else 0
        parts.append((path, line, text[start:end]))
        if found:
            line = text.count("\n", 0, found.end()) + 1
            name = found[1][1:-1].replace("\\", "/")
            target = folder / name if found[1][0] == "<" else path.parent / name
            if not target.is_file():
                raise Unknown(f"{path}: no file {target}")
            parts.extend(gather(target, folder, seen))
            parts.append(found.end())
    return parts


def translate(source, folder, platform):
    parts = gather(source, folder, set())
    pieces = [(path, line, code(text, path.name)) for path, line, text in parts]
    inputs = [found.groups()[:2] for _, _, text in pieces for found in INPUT.finditer(text)]
    functions = [found.groups() for _, _, text in pieces for found in FUNCTION.finditer(text)]
    result = [f"#define __{'MQL5' if platform == 'mt5' else 'MQL4'}__ 1", '#include "mql/driver.hpp"']
    for kind, name, arguments in functions:
        words = set(re.findall(r"[A-Za-z_]\w*(?=[\s&<>]+)", arguments)) - {"const", "Array"}
        if kind in BUILT_IN and words <= BUILT_IN and "=" not in arguments:
            result.append(f"{kind} {name}({' '.join(arguments.split())});")
    for path, line, text in pieces:
        result.append(f'#line {line} "{path}"')
        result.append(INPUT.sub(lambda found: f"{found[1]} {found[2]} ={found[3]};", text))
    result.append('#line 1 "generated main"')
    result.append("static bool set_input(const std::string &name, const std::string &value) {")
    for kind, name in inputs:
        if kind not in READERS:
            raise Unknown(f"an input of type {kind}")
        result.append(f'    if (name == "{name}") {{ {name} = {READERS[kind]}; return true; }}')
    result.append("    return false && value.empty() && name.empty();\n}")
    result.append("int main(int count, char **arguments) {\n    MqlProgram program = {};")
    names = {name for _, name, _ in functions}
    result.extend(f"    {line}" for name, line in HANDLERS.items() if name in names)
    result.append("    program.input = set_input;\n    return mql_drive(program, count, arguments);\n}")
    return "\n".join(result) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("include", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--platform", choices=("mt4", "mt5"))
    options = parser.parse_args()
    platform = options.platform or ("mt4" if options.source.suffix == ".mq4" else "mt5")
    try:
        options.output.write_text(translate(options.source, options.include, platform), encoding="utf-8")
    except Unknown as unknown:
        sys.exit(f"translate.py does not know {unknown}")


if __name__ == "__main__":
    main()
