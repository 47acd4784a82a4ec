#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The nginx module's directives: what is refused, and whether the message names file and mistake."""

import base64
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap
from nginx import Nginx, unavailable

GOOD = "whereto_collector 127.0.0.1:5775; whereto_key {key}; "
SERVER = "server {{ listen unix:{folder}/http.sock; whereto on; whereto_type $host; }}"

ACCEPTED = [
    ("all directives", GOOD + "whereto_name edge-web.1; whereto_buffer 1m; whereto off; " + SERVER),
    ("a key with an id", "whereto_collector [::1]:5775; whereto_key {key} 7; " + SERVER),
    ("several collectors, and how long to wait for them",
     "whereto_collector 127.0.0.1:5775 [::1]:5775 localhost:5776; whereto_key {key}; whereto_linger 30s; " + SERVER),
    ("a probe on the host that takes no tags", GOOD + "whereto_probe always; " + SERVER),
    ("no probe is asked", GOOD + "whereto_probe never; " + SERVER),
    ("a collector by name", "whereto_collector localhost:5775; whereto_key {key}; " + SERVER),
    ("a key relative to the configuration", "whereto_collector 127.0.0.1:5775; whereto_key good.key; " + SERVER),
    ("whereto off needs nothing else", "server {{ listen unix:{folder}/http.sock; whereto off; }}"),
    ("type and off in a location",
     GOOD + "server {{ listen unix:{folder}/http.sock; location / {{ whereto off; whereto_type a$arg_b; }} }}"),
]

# (what, configuration, what the message must contain)
REFUSED = [
    ("no collector", "whereto_key {key}; " + SERVER, ['"whereto on" needs "whereto_collector"']),
    ("no key", "whereto_collector 127.0.0.1:5775; " + SERVER, ['"whereto on" needs "whereto_key"']),
    ("a key file that isn't there", "whereto_collector 127.0.0.1:5775; whereto_key {folder}/none.key; " + SERVER,
     ["{folder}/none.key", "No such file", "nginx.conf:"]),
    ("a key file that is no key", "whereto_collector 127.0.0.1:5775; whereto_key {folder}/bad.key; " + SERVER,
     ["{folder}/bad.key", "not a key", "nginx.conf:"]),
    ("a key id that is no number", GOOD.replace("{key}", "{key} one") + SERVER, ['"one"', "key id"]),
    ("key id 0", GOOD.replace("{key}", "{key} 0") + SERVER, ['"0"', "key id"]),
    ("a key id too large", GOOD.replace("{key}", "{key} 4294967296") + SERVER, ['"4294967296"', "key id"]),
    ("a collector without port", "whereto_collector 127.0.0.1; whereto_key {key}; " + SERVER,
     ["whereto_collector", "127.0.0.1", "nginx.conf:"]),
    ("port 0", "whereto_collector 127.0.0.1:0; whereto_key {key}; " + SERVER, ["whereto_collector", "port"]),
    ("a name that doesn't resolve", "whereto_collector collector.invalid:5775; whereto_key {key}; " + SERVER,
     ["whereto_collector", "collector.invalid"]),
    ("the second of two that has no port", "whereto_collector 127.0.0.1:5775 127.0.0.2; whereto_key {key}; " + SERVER,
     ["whereto_collector", "127.0.0.2"]),
    ("nine collectors", f"whereto_collector {'127.0.0.1:5775 ' * 9}; whereto_key {{key}}; " + SERVER,
     ["whereto_collector", "at most 8"]),
    ("a time that is none", GOOD + "whereto_linger soon; " + SERVER, ["whereto_linger"]),
    ("a probe that is neither auto nor always nor never", GOOD + "whereto_probe on; " + SERVER, ['invalid value "on"', "nginx.conf:"]),
    ("two lists of collectors", GOOD + "whereto_collector 127.0.0.1:5776; " + SERVER, ["duplicate"]),
    ("two keys", GOOD + "whereto_key {key} 2; " + SERVER, ["duplicate"]),
    ("two names", GOOD + "whereto_name a; whereto_name b; " + SERVER, ["duplicate"]),
    ("an empty name", GOOD + 'whereto_name ""; ' + SERVER, ["whereto_name"]),
    ("a name too long", GOOD + f"whereto_name {'n' * 65}; " + SERVER, ["whereto_name", "64"]),
    ("a buffer too small", GOOD + "whereto_buffer 1k; " + SERVER, ["whereto_buffer", "64k"]),
    ("a collector in a server", "server {{ listen unix:{folder}/http.sock; " + GOOD + " }}", ["not allowed here"]),
    ("neither on nor off", GOOD + "whereto maybe; " + SERVER, ["maybe"]),
    ("an unknown variable in a type", GOOD + "whereto_type $no_such_thing; " + SERVER, ["no_such_thing"]),
]


def check(folder, configuration):
    values = {"folder": folder, "key": os.path.join(folder, "good.key")}
    return Nginx(folder, configuration.format(**values), start=False).check_config()


def main():
    reason = unavailable()
    if reason:
        tap.skip_all(reason)
    t = tap.Tap()
    with tempfile.TemporaryDirectory(prefix="whereto-nginx-") as folder:
        with open(os.path.join(folder, "good.key"), "w", encoding="ascii") as file:
            file.write(base64.b64encode(os.urandom(32)).decode() + "\n")
        with open(os.path.join(folder, "bad.key"), "w", encoding="ascii") as file:
            file.write("this is no key\n")
        for what, configuration in ACCEPTED:
            status, output = check(folder, configuration)
            t.check(status == 0, f"accepted: {what}", output)
        for what, configuration, words in REFUSED:
            status, output = check(folder, configuration)
            words = [word.format(folder=folder) for word in words]
            t.check(status != 0 and "[emerg]" in output and all(word in output for word in words),
                    f"refused: {what}", f"{output}\nexpected {words}")
    return t.done()


if __name__ == "__main__":
    sys.exit(main())
