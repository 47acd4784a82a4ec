# SPDX-License-Identifier: BSD-2-Clause
"""Test results in the TAP format, which Meson reads. A test program makes one Tap, calls equal(), check() or
skip() as it goes, and ends with sys.exit(tap.done()). A failed check does not stop the program."""

import sys
import tempfile
import time


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def check(self, condition, name, detail=""):
        """One test point; detail (any object) is printed when it fails."""
        self.count += 1
        print(f"{'ok' if condition else 'not ok'} {self.count} - {name}", flush=True)
        if not condition:
            self.failed += 1
            if detail != "":
                self.note(detail)
        return bool(condition)

    def equal(self, got, expected, name):
        return self.check(got == expected, name, f"got      {got!r}\nexpected {expected!r}")

    def skip(self, name, reason):
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {reason}", flush=True)

    def note(self, text):
        for line in str(text).splitlines():
            print(f"# {line}", flush=True)

    def done(self):
        """Prints the plan; returns the exit status."""
        print(f"1..{self.count}", flush=True)
        return 1 if self.failed or not self.count else 0


class _Later(Tap):
    """Keeps what it is told."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def check(self, condition, name, detail=""):
        self.calls.append((condition, name, detail))
        return bool(condition)


def in_one_hour(attempt):
    """attempt(tap, folder), and all of it again, in another folder, when an hour has ended meanwhile: its results are told when it
    is whole. Returns the exit status."""
    for _ in range(2):
        later, hour = _Later(), time.time() // 3600
        with tempfile.TemporaryDirectory(prefix="whereto-test.") as folder:
            attempt(later, folder)
        if time.time() // 3600 == hour:
            break
    tap = Tap()
    for call in later.calls:
        tap.check(*call)
    return tap.done()


def skip_all(reason):
    """Ends the program: nothing here can be tested on this machine."""
    print(f"1..0 # SKIP {reason}", flush=True)
    sys.exit(0)
