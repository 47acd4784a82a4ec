# SPDX-License-Identifier: BSD-2-Clause
"""A small disk, and one that is full."""

import ctypes
import os
import subprocess

CLONE_NEWNS = 0x00020000
libc = ctypes.CDLL(None, use_errno=True)


def small_disk(folder, size):
    """Mounts one there that nobody but this process and those it starts from now on can see; an error's text when that is not
    allowed. It vanishes with them, or by `umount --lazy`."""
    if libc.unshare(CLONE_NEWNS) < 0:
        return f"mount namespaces: {os.strerror(ctypes.get_errno())}"
    for command in (["mount", "--make-rprivate", "/"], ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]):
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            return done.stderr.strip()
    return None


def fill(folder):
    """A file that leaves no room."""
    path = os.path.join(folder, "filler")
    with open(path, "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    return path
