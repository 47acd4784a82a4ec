#!/usr/bin/env python3
"""Checks what a compiler does not: that includes point only down the list of rooms, that files keep to
the sizes and forms HACKING.md asks for, and that banned functions stay out. Prints TAP.

usage: check_tree.py SOURCE_ROOT
"""
import re
import sys
from pathlib import Path

# A room may include itself and the rooms behind it.
ROOMS = ["cli", "probe", "collector", "http", "query", "store", "journal", "traffic", "place", "route", "bgp",
         "sender", "wire", "base"]
MAX_FILE_LINES = 800
MAX_FUNCTION_LINES = 80
MAX_TABLE_LINES = 150
BANNED = re.compile(r"\b(strcpy|strcat|sprintf|strtok|atoi|atol|gets|alloca|rand)\s*\(")
# Pure decoders: no I/O, no memory, no log, no byte order outside the cursor.
PURE = ("wire/datagram.c", "wire/window.c", "bgp/attr.c", "bgp/bmp.c", "bgp/fsm.c", "bgp/message.c", "bgp/mrt.c",
        "bgp/open.c", "bgp/update.c")
IMPURE = re.compile(r"\b(malloc|calloc|realloc|free|printf|fprintf|open|read|ntohs|ntohl|htons|htonl)\s*\(")


def source_files(root):
    return sorted(p for p in (root / "src").rglob("*") if p.suffix in (".c", ".h", ".def"))


def layers(root):
    for path in source_files(root):
        room = path.relative_to(root / "src").parts[0]
        allowed = ROOMS[ROOMS.index(room):]
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match:
                continue
            target = match.group(1).split("/")[0]
            if "/" not in match.group(1) or target not in allowed:
                yield f"{path.relative_to(root)}:{number}: includes {match.group(1)}, which is not below {room}/"


def blank_out(match):
    return re.sub(r"[^\n]", " ", match.group())


def banned(root):
    for path in source_files(root):
        text = re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', blank_out, path.read_text(), flags=re.S)
        name = str(path.relative_to(root / "src"))
        for number, line in enumerate(text.splitlines(), 1):
            match = BANNED.search(line)
            if match:
                yield f"src/{name}:{number}: {match.group(1)} is not used here"
            match = IMPURE.search(line) if name in PURE else None
            if match:
                yield f"src/{name}:{number}: {match.group(1)} in a pure decoder"


def sizes(root):
    for path in source_files(root):
        lines = path.read_text().splitlines()
        if len(lines) > MAX_FILE_LINES:
            yield f"{path.relative_to(root)}: {len(lines)} lines, more than {MAX_FILE_LINES}"
        start = None
        for number, line in enumerate(lines, 1):
            if line == "{":
                start = number
            elif line == "}" and start:
                length = number - start
                body = "\n".join(lines[start:number])
                limit = MAX_TABLE_LINES if body.count("case ") > 10 else MAX_FUNCTION_LINES
                if length > limit:
                    yield f"{path.relative_to(root)}:{start}: a function of {length} lines, more than {limit}"
                start = None


def has_essay(lines):
    return any(line.startswith("/*") or line.startswith(" *") for line in lines[1:40])


def forms(root):
    for path in source_files(root):
        lines = path.read_text().splitlines()
        name = path.relative_to(root)
        if not lines or lines[0] != "/* SPDX-License-Identifier: BSD-2-Clause */":
            yield f"{name}:1: the SPDX line is missing"
        if path.suffix == ".h" and "#pragma once" not in lines[:3]:
            yield f"{name}: no #pragma once"
        if path.suffix == ".c" and len(lines) > 100 and not has_essay(lines):
            yield f"{name}: more than 100 lines and no opening comment"
        for number, line in enumerate(lines, 1):
            if line.rstrip() != line:
                yield f"{name}:{number}: blanks at the end of the line"


def main():
    root = Path(sys.argv[1])
    checks = [layers, banned, sizes, forms]
    print(f"1..{len(checks)}")
    failed = False
    for i, check in enumerate(checks, 1):
        problems = list(check(root))
        failed |= bool(problems)
        print(f"{'not ok' if problems else 'ok'} {i} - {check.__name__}")
        for problem in problems:
            print(f"# {problem}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
