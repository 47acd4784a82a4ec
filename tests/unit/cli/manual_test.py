#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The manual pages name every command, option and key; the example configuration is right, with and without
what is commented out in it. usage: manual_test.py SOURCE_ROOT, with $WHERETO and the pages in $MANUAL_PAGES."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = sys.argv[1]
sys.path.insert(0, os.path.join(SOURCE, "tests", "lib"))

import mrtgen
import tap


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def run(*arguments):
    """(exit status, standard output, standard error) of whereto."""
    done = subprocess.run([os.environ["WHERETO"], *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def plain(page):
    """What a reader sees, near enough."""
    return page.replace("\\fB", "").replace("\\fR", "").replace("\\-", "-").replace("\\(aq", "'")


def test_commands(t, page):
    named = re.findall(r"^COMMAND\((\w+),", read(SOURCE, "src", "cli", "commands.def"), re.M)
    documented = re.findall(r"^\.TP\nwhereto (\w+)", page, re.M)
    t.check(len(named) > 5, "there are commands")
    t.equal(documented, named, "every command is in whereto.1")
    options = re.findall(r'^OPTION\(\w+, "([^"]+)"', read(SOURCE, "src", "cli", "options.def"), re.M)
    t.equal([o for o in options if not re.search(rf"^\.TP\n(\w+ )?--?{o}\b", page, re.M)], [], "every option is in whereto.1")


def test_keys(t, page):
    status, listed, _ = run("check", "--options")
    keys = re.findall(r"^\| `(\w+)` \|", listed, re.M)
    t.check(status == 0 and len(keys) > 20, "there are keys", listed)
    t.equal(re.findall(r"^\.TP\n(\w+)", page, re.M), keys, "every key is in whereto.yaml.5, in order")
    t.equal(re.findall(r"^\.SS (.*)", page, re.M), [plain(line.replace("`", "")) for line in
            re.findall(r"^### (.*)", listed, re.M)], "every section is in whereto.yaml.5")


def test_groff(t, pages):
    if not shutil.which("groff"):
        t.skip("groff has nothing to say against the pages", "needs groff")
        return
    done = subprocess.run(["groff", "-man", "-ww", "-z", "-Tutf8", "-Kutf8", *pages], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    t.equal(done.stdout, "", "groff has nothing to say against the pages")


def adapted(text, folder):
    return text.replace("/etc/whereto/", folder + "/").replace("/var/lib/whereto/", folder + "/")


def test_example(t, folder):
    text = read(SOURCE, "examples", "whereto.yaml")
    file = os.path.join(folder, "whereto.yaml")
    with open(file, "w", encoding="utf-8") as out:
        out.write(adapted(text, folder))
    status, output, errors = run("check", file)
    t.check(status == 1 and "collector ams1, 2 routers" in output and "telemetry.key: No such file" in errors,
            "the example is read, and what isn't there is named", output + errors)
    run("keygen", os.path.join(folder, "telemetry.key"))
    for name, peer in (("edge1.mrt.bz2", "198.51.100.1"), ("rib.gz", "198.51.100.2")):
        mrtgen.write_paths(os.path.join(folder, name), [("203.0.113.0/24", [64500, 64496])], peer=peer)
    with open(os.path.join(folder, "delegated-ripencc-extended-latest"), "w", encoding="ascii") as out:
        out.write("2|ripencc|20260101|1|19830705|20260101|+0000\n"
                  "ripencc|*|ipv4|*|1|summary\nripencc|DE|ipv4|203.0.113.0|256|20100101|allocated|x\n")
    status, output, errors = run("check", file)
    t.check(status == 0 and output.endswith("ok\n"), "the example is right once its files are there", output + errors)


def test_probe_example(t, folder):
    text = read(SOURCE, "examples", "probe.yaml")
    file = os.path.join(folder, "probe.yaml")
    for name, lines in (("as it is", text), ("with what is commented out", re.sub(r"^# ( types:)", r" \1", text, flags=re.M))):
        with open(file, "w", encoding="utf-8") as out:
            out.write(lines.replace("/etc/whereto", folder))
        status, output, errors = run("check", file)
        t.check(status == 0 and "1 collector, " in output and "4 rules" in output, f"the probe's example is right {name}",
                output + errors)


def test_comments(t, folder):
    """Lines like `#     - bmp:` and `# bgp:` hold configuration: with all of it in, the file is still one."""
    text, count = re.subn(r"^# ((?: *- | *)(?:\{id|bmp:|bgp:|mmdb:|asnames:|token_file:).*)$", r"  \1",
                          read(SOURCE, "examples", "whereto.yaml"), flags=re.M)
    text = re.sub(r"^  ((?:bmp|bgp|asnames):)", r"\1", text, flags=re.M)
    file = os.path.join(folder, "all.yaml")
    with open(file, "w", encoding="utf-8") as out:
        out.write(adapted(text, os.path.join(folder, "none")))
    _, output, errors = run("check", file)
    t.equal(count, 8, "parts that are commented out")
    t.check("collector ams1, 2 routers" in output, "the example is read with what is commented out", errors)


def main():
    pages = os.environ["MANUAL_PAGES"].split(":")
    t = tap.Tap()
    test_commands(t, plain(read(pages[0])))
    test_keys(t, plain(read(pages[1])))
    test_groff(t, pages)
    with tempfile.TemporaryDirectory(prefix="whereto-manual-") as folder:
        test_example(t, folder)
        test_probe_example(t, folder)
        test_comments(t, folder)
    return t.done()


if __name__ == "__main__":
    sys.exit(main())
