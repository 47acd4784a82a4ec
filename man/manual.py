#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Fills a manual page's template in with what the program says of itself, so that no list is kept twice.

usage: manual.py WHERETO TEMPLATE > PAGE

A line @COMMANDS@ becomes the list of commands (`whereto help`), @QUESTION_OPTIONS@ the options of the
commands that ask the collector (`whereto COMMAND --help`), @OTHER_OPTIONS@ those of the others, @KEYS@ the tables of `whereto check --options`, @VERSION@ within a line the version."""

import re
import subprocess
import sys


def ask(program, *arguments):
    return subprocess.run([program, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def roff(text):
    """Text as it is: nothing in it is a request, a quote or a dash that could be broken."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\x00")
    text = re.sub("\x00([^\x00]*)\x00", r"\\fB\1\\fR", text).replace("'", "\\(aq")
    return "\\&" + text if text.startswith(".") else text


def entry(head, text):
    return f".TP\n{head}\n{text}\n"


def commands(program):
    found = re.findall(r"^  whereto (\S+)(.*)\n {8}(.*)$", ask(program, "help"), re.M)
    return "".join(entry(f"\\fBwhereto {name}\\fR{roff(arguments)}", roff(text)) for name, arguments, text in found)


def options(program, commands):
    """Of one command after the other: (the command, an option with what stands for its value, what it does)."""
    return [(command, *found) for command in commands
            for found in re.findall(r"^  (--?[a-z].*?)  +(\S.*)$", ask(program, command, "--help"), re.M)]


def option_entry(before, head, text):
    return entry("\\fB{}{}\\fR{}".format(before, *re.match(r"(\S+)(.*)", roff(head)).groups()), roff(text))


def question_options(program):
    found = {}
    for _, head, text in options(program, ("top", "series", "paths", "compare", "peering", "changes", "lookup", "routes")):
        found.setdefault(head, text)
    return "".join(option_entry("", head, text) for head, text in found.items())


def other_options(program):
    return "".join(option_entry(command + " ", head, text) for command, head, text in
                   options(program, ("collector", "send", "check", "mrt", "store", "schema", "demo")) if head != "--help")


def probe_options(program):
    found = re.findall(r"^  (--\S+)( \S+)?  +(\S.*)$", ask(program, "probe", "--help"), re.M)
    return "".join(entry(f"\\fB{roff(name)}\\fR{roff(value)}", roff(text)) for name, value, text in found)


def keys(program):
    out = ""
    for line in ask(program, "check", "--options").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if line.startswith("### "):
            out += f".SS {roff(line[4:])}\n"
        elif cells and re.fullmatch("`.*`", cells[0]):
            kind, text = "; ".join(cells[1:-1]), cells[-1]
            if len(cells) == 4:
                kind = f" ({cells[1]}; {cells[2] if cells[2] == 'required' else 'default: ' + cells[2]})"
            out += entry(f"{roff(cells[0])}{roff(kind)}", roff(text[0].upper() + text[1:] + "."))
    return out


def main():
    program, template = sys.argv[1:3]
    with open(template, encoding="utf-8") as file:
        text = file.read()
    text = text.replace("@VERSION@", ask(program, "version").split()[-1])
    for name, make in (("COMMANDS", commands), ("QUESTION_OPTIONS", question_options), ("OTHER_OPTIONS", other_options),
                       ("PROBE_OPTIONS", probe_options), ("KEYS", keys)):
        if f"@{name}@\n" in text:
            text = text.replace(f"@{name}@\n", make(program))
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
