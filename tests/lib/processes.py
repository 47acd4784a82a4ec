# SPDX-License-Identifier: BSD-2-Clause
"""What is common to the real programs that tests start: that they end with the test, run as a user that is not root, and
get ports that nobody else takes.

    process = spawn(["postgres", "-D", data], user=unprivileged("postgres"), death=signal.SIGQUIT)
    port = free_port()"""

import ctypes
import os
import pwd
import signal
import socket
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)
_held = []   # sockets of free_port


def _close_when_told_to_end():
    """SIGTERM, as of a runner that has waited long enough, leaves a test's `with` statements in order: their programs
    end and their folders go."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def spawn(command, user=None, death=signal.SIGKILL, **options):
    """A Popen whose process gets the signal `death` when the thread that calls this ends, so also when the test is killed.
    user: of unprivileged()."""
    parent = os.getpid()
    _close_when_told_to_end()

    def prepare():   # after the change of user, which would undo it
        libc.prctl(PR_SET_PDEATHSIG, death)
        if os.getppid() != parent:
            os._exit(1)

    if user:
        options.update(user=user.pw_uid, group=user.pw_gid, extra_groups=[])
    return subprocess.Popen(command, preexec_fn=prepare, **options)


def unprivileged(*names):
    """Who runs programs that refuse to be root's: for root the first of these users that there is, else nobody special."""
    if os.getuid() != 0:
        return None
    for name in (*names, "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    raise LookupError("there is no user nobody")


def _hold(address, port):
    held = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((address, port))
    return held


def free_port(*addresses):
    """A TCP port of the kernel's choice, of 127.0.0.1 or one that is free at all these addresses, to put into a
    configuration. It stays bound here, without listening, until the test ends: so nobody else is given it, also while
    the program that has it is down. (That program may still listen there, as servers do, with SO_REUSEADDR.)"""
    first, *others = addresses or ["127.0.0.1"]
    while True:
        held = [_hold(first, 0)]
        port = held[0].getsockname()[1]
        try:
            held += [_hold(address, port) for address in others]
        except OSError:   # taken at another one
            continue
        _held.extend(held)
        return port
