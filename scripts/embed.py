#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes a file's bytes as a C array: NAME, and NAME_len.

usage: embed.py NAME FILE OUTPUT.c
"""
import sys


def main():
    name, source, output = sys.argv[1:]
    with open(source, "rb") as file:
        data = file.read()
    with open(output, "w", encoding="ascii") as file:
        file.write(f"#include <stddef.h>\n\nextern const char {name}[];\nextern const size_t {name}_len;\n")
        file.write(f"const size_t {name}_len = {len(data)};\nconst char {name}[] = {{")
        for at in range(0, len(data), 20):
            file.write("\n" + " ".join(f"{byte}," for byte in data[at:at + 20]))
        file.write("\n0};\n")


if __name__ == "__main__":
    main()
