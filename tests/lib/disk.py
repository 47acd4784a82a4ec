# SPDX-License-Identifier: BSD-2-Clause
"""A small disk, and one that is full."""

import ctypes
import os

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_REC, MS_PRIVATE, MNT_DETACH = 0x4000, 1 << 18, 2
libc = ctypes.CDLL(None, use_errno=True)


def _error(what):
    return f"{what}: {os.strerror(ctypes.get_errno())}"


def _write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _unshare():
    """A mount namespace; who is not root needs a user namespace around it, in which he is who he was. An error's text, or None."""
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWNS if user == 0 else CLONE_NEWNS | CLONE_NEWUSER) < 0:
        return _error("mount namespaces")
    if user != 0:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")
    return None


def small_disk(folder, size):
    """Mounts one there that nobody but this process and those it starts from now on can see; an error's text when that is not
    allowed. It vanishes with them, or by remove_disk."""
    try:
        reason = _unshare()
    except OSError as error:
        reason = str(error)
    if reason:
        return reason
    if libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) < 0 or \
            libc.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, f"size={size}".encode()) < 0:
        return _error("a tmpfs")
    return None


def remove_disk(folder):
    if libc.umount2(folder.encode(), MNT_DETACH) < 0:
        raise OSError(ctypes.get_errno(), folder)


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
