#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Makes docs/screenshots/ anew: every page of the dashboard of a running `whereto demo`, light, dark and on a phone. The
pictures are brought down to 256 colours, which halves them: a page has few beside the shades of its text.

usage: screenshots.py WHERETO        the program, with the nginx module beside it as built"""

import json
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib
from collections import Counter

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
TARGET = os.path.join(ROOT, "docs", "screenshots")
LIMIT_BYTES = 1500000


# ---- PNG ----

def chunks(data):
    at = 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8:at + 8 + length]
        at += length + 12


def unfilter(raw, width, height, bpp):
    """The pixels' bytes, line by line (PNG specification, section 9)."""
    stride = width * bpp
    before = bytes(stride)
    for y in range(height):
        kind = raw[y * (stride + 1)]
        line = bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for x in range(stride if kind else 0):
            left = line[x - bpp] if x >= bpp else 0
            up = before[x]
            corner = before[x - bpp] if x >= bpp else 0
            if kind == 1:
                guess = left
            elif kind == 2:
                guess = up
            elif kind == 3:
                guess = (left + up) // 2
            else:
                p = left + up - corner
                guess = min((abs(p - left), 0, left), (abs(p - up), 1, up), (abs(p - corner), 2, corner))[2]
            line[x] = (line[x] + guess) & 255
        yield bytes(line)
        before = line


def palette_of(counts):
    """At most 256 colours, and for each colour which: the ones that matter, the others to the nearest of them."""
    def weight(color):   # a few pixels of red or green say more than as many of another grey
        return counts[color] * (1 + (max(color) - min(color)) / 8)

    chosen = sorted(counts, key=weight, reverse=True)[:256]
    index = {color: i for i, color in enumerate(chosen)}
    for color in counts:
        if color not in index:
            index[color] = min(range(len(chosen)), key=lambda i: sum((a - b) ** 2 for a, b in zip(chosen[i], color)))
    return chosen, index


def pack(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def shrink(path):
    with open(path, "rb") as file:
        parts = list(chunks(file.read()))
    width, height, _, kind = struct.unpack_from(">IIBB", parts[0][1])
    bpp = {2: 3, 6: 4}[kind]
    raw = zlib.decompress(b"".join(data for name, data in parts if name == b"IDAT"))
    lines = [[line[x:x + 3] for x in range(0, width * bpp, bpp)] for line in unfilter(raw, width, height, bpp)]
    palette, index = palette_of(Counter(color for line in lines for color in line))
    body = b"".join(b"\0" + bytes(index[color] for color in line) for line in lines)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + pack(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)) +
                   pack(b"PLTE", b"".join(palette)) + pack(b"IDAT", zlib.compress(body, 9)) + pack(b"IEND", b""))


# ---- the demo ----

def address(demo, deadline):
    text = ""
    while time.monotonic() < deadline:
        if select.select([demo.stdout], [], [], 1)[0]:
            text += os.read(demo.stdout.fileno(), 65536).decode(errors="replace")
        found = re.search(r"^Dashboard: (http://\S+)/ ", text, re.M)
        if found:
            return found[1]
        if demo.poll() is not None:
            break
    sys.exit("the demo does not run: " + text)


def wait_for_change(url, deadline):
    while time.monotonic() < deadline:
        with urllib.request.urlopen(url + "/api/v1/changes?last=1h", timeout=20) as answer:
            if json.load(answer)["rows"]:
                return
        time.sleep(1)
    sys.exit("no path changes in the demo")


def take(whereto, folder):
    demo = subprocess.Popen([whereto, "demo"], stdout=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        url = address(demo, deadline)
        wait_for_change(url, deadline)
        setting = {"url": url, "chromium": shutil.which("chromium"), "folder": folder}
        subprocess.run(["node", os.path.join(ROOT, "web", "tests", "screenshots.mjs"), json.dumps(setting)], check=True)
    finally:
        demo.send_signal(signal.SIGINT)
        demo.stdout.close()
        demo.wait()


def main():
    whereto = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        take(whereto, folder)
        names = sorted(os.listdir(folder))
        for name in names:
            shrink(os.path.join(folder, name))
        size = sum(os.path.getsize(os.path.join(folder, name)) for name in names)
        if size > LIMIT_BYTES:
            sys.exit(f"{size} bytes of pictures are too many")
        os.makedirs(TARGET, exist_ok=True)
        for name in names:
            shutil.copyfile(os.path.join(folder, name), os.path.join(TARGET, name))
        print(f"{len(names)} pictures, {size} bytes")


if __name__ == "__main__":
    main()
