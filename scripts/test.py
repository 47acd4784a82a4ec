#!/usr/bin/env python3
"""Runs every test and ends with one line, `N passed, N failed, N skipped`.

usage: test.py BUILD ASAN

In BUILD: all suites. In ASAN (AddressSanitizer and UndefinedBehaviorSanitizer): the unit tests and the
replay of the fuzz corpora. Counts are of single cases, read from Meson's JUnit report.
"""
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def run(build, suites):
    """Builds and runs; returns [passed, failed, skipped] and the lines worth showing."""
    subprocess.run(["ninja", "-C", build], check=True)
    report = Path(build, "meson-logs", "testlog.junit.xml")
    report.unlink(missing_ok=True)
    command = ["meson", "test", "-C", build, "--print-errorlogs"]
    for suite in suites:
        command += ["--suite", suite]
    status = subprocess.run(command).returncode
    if not report.exists():
        return [0, 1, 0], [f"{build}: meson test wrote no report"]
    counts, notes = count(report, build)
    if status and not counts[1]:
        counts[1] = 1
        notes.append(f"{build}: meson test ended with status {status}")
    return counts, notes


def why_skipped(build, suite):
    """The reason a whole TAP program gave (`1..0 # SKIP reason`), or None: it ran nothing and said nothing."""
    with open(Path(build, "meson-logs", "testlog.json"), encoding="utf-8") as log:
        for entry in map(json.loads, log):
            match = re.match(r"1\.\.0\s*#\s*skip\w*\s*(.*)", entry.get("stdout") or "", re.I)
            if match and suite.endswith(entry["name"].split(" / ")[-1]):
                return match.group(1) or "no reason given"
    return None


def reason(case, skipped):
    """Why it was skipped: Meson puts a TAP test's words into its output."""
    output = (case.findtext("system-out") or "").strip().splitlines()
    why = skipped.get("message") or skipped.text or (output[-1] if output else "see its log")
    return why.split("# SKIP ")[-1]


def count(report, build):
    counts, notes = [0, 0, 0], []
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        cases = list(suite.iter("testcase"))
        if not cases:
            why = why_skipped(build, suite.get("name"))
            counts[2 if why else 1] += 1
            notes.append(f"{'skipped' if why else 'FAILED '} {build}: {suite.get('name')}: {why or 'no case was run'}")
        for case in cases:
            name = f"{build}: {suite.get('name')}: {case.get('name')}"
            skipped = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                counts[1] += 1
                notes.append(f"FAILED  {name}")
            elif skipped is not None:
                counts[2] += 1
                notes.append(f"skipped {name}: {reason(case, skipped)}")
            else:
                counts[0] += 1
    return counts, notes


def main():
    build, asan = sys.argv[1:3]
    total, notes = [0, 0, 0], []
    for directory, suites in ((build, []), (asan, ["unit", "fuzz"])):
        counts, lines = run(directory, suites)
        total = [a + b for a, b in zip(total, counts)]
        notes += lines
    print("\n".join(notes))
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
