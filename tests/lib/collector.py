# SPDX-License-Identifier: BSD-2-Clause
"""A real collector for end-to-end tests.

    with Collector(folder, routers=[{"name": "edge1", "serves": ["192.0.2.0/24"],
                                     "sources": [{"mrt": {"file": "edge1.mrt"}}]}]) as collector:
        send_something_to(collector.telemetry, collector.key_file)
        collector.wait(lambda: collector.api("senders")["rows"], "a sender")
        collector.kill()                    # kill -9; start() again keeps ports, journal and store
        collector.start()

The program is $WHERETO. Everything it writes is inside folder. Ports are chosen by the kernel at the first
start and written into the configuration then, so that senders find a collector that was restarted. The
process is ended by its own pid, whatever happens to the test."""

import json
import os
import select
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from daemon import Daemon

RELOAD_ENDS = (": reloaded", "not reloaded")
LISTENING = ("telemetry", "http", "bmp", "bgp")


class CollectorError(Exception):
    """The collector did not do what every test relies on; the text holds what it logged."""


def program():
    path = os.environ.get("WHERETO")
    if not path:
        raise CollectorError("WHERETO isn't set: run this test through meson")
    return path


class Collector(Daemon):
    Error = CollectorError

    def __init__(self, folder, start=True, **config):
        """config: sections of whereto.yaml as Python values; they replace the defaults below."""
        self.folder = os.path.abspath(folder)
        self.config_file = os.path.join(self.folder, "whereto.yaml")
        self.key_file = os.path.join(self.folder, "telemetry.key")
        self.log_file = os.path.join(self.folder, "collector.log")
        self.environment = {}   # of the process, beside the test's own; taken at the next start
        self.ready = {}
        self.started_listens = {}
        os.makedirs(os.path.join(self.folder, "journal"), exist_ok=True)
        if not os.path.exists(self.key_file):
            subprocess.run([program(), "keygen", self.key_file], check=True, stdout=subprocess.DEVNULL)
        self.config = {
            "name": "test",
            "telemetry": {"listen": ["127.0.0.1:0"], "keys": [{"id": 1, "file": self.key_file}]},
            "store": {"url": "sqlite:" + os.path.join(self.folder, "whereto.db")},
            "journal": {"dir": os.path.join(self.folder, "journal")},
            "http": {"listen": ["127.0.0.1:0"]},
        }
        self.config.update(config)
        if start:
            self.start()

    @property
    def telemetry(self):
        """HOST:PORT for senders."""
        return self.ready["telemetry"]

    def write_config(self, **listens):
        """JSON is YAML, and one key a line gives errors a line to point at. listens: other addresses to
        write for some sections."""
        config = dict(self.config)
        for section, listen in listens.items():
            config[section] = dict(config[section], listen=listen)
        with open(self.config_file, "w", encoding="utf-8") as file:
            json.dump(config, file, indent=1)
            file.write("\n")

    def start(self, timeout_s=30):
        """Returns when the collector serves."""
        self.launch()
        self.wait_ready(timeout_s)
        self._keep_ports()

    def launch(self):
        """Starts the process and does not wait for it: only kill() and stop() may follow."""
        self.write_config()
        self.started_listens = {section: self.config[section]["listen"] for section in LISTENING
                                if "listen" in self.config.get(section, {})}
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen([program(), "collector", "-c", self.config_file],
                                            stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL,
                                            env={**os.environ, **self.environment})

    def reload(self, timeout_s=30):
        """Writes the configuration as it is now, SIGHUP; returns when it is in use (True) or was refused. The
        addresses stand there as they did when the process was started: changing them takes a restart."""
        self.write_config(**self.started_listens)
        before = [self.log().count(text) for text in RELOAD_ENDS]
        self.process.send_signal(signal.SIGHUP)
        after = self.wait(lambda: [now for now in [[self.log().count(text) for text in RELOAD_ENDS]] if now != before],
                          "the end of a reload", timeout_s)[0]
        return after[0] > before[0]

    def send(self, records, *, check=True, timeout_s=None, **options):
        """`whereto send --wait` of these dictionaries, with this collector's first key; options: name="web1". Returns its exit
        status when all are acknowledged."""
        command = [program(), "send", "--to", self.telemetry, "--key", self.config["telemetry"]["keys"][0]["file"], "--wait"]
        command += [word for key, value in options.items() for word in ("--" + key, value)]
        lines = "".join(json.dumps(record) + "\n" for record in records)
        return subprocess.run(command, input=lines, text=True, check=check, timeout=timeout_s,
                              stderr=subprocess.DEVNULL).returncode

    def http(self, path):
        """(status, body) of a GET."""
        try:
            with urllib.request.urlopen(f"http://{self.ready['http']}{path}", timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def api(self, name, **parameters):
        """The JSON of /api/v1/NAME; parameters that are Python words (`from_`) may end in an underscore."""
        query = urllib.parse.urlencode({key.rstrip("_"): value for key, value in parameters.items()})
        status, body = self.http(f"/api/v1/{name}" + (f"?{query}" if query else ""))
        if status != 200:
            raise CollectorError(f"/api/v1/{name}?{query}: {status} {body}")
        return json.loads(body)

    def top(self, **parameters):
        """/api/v1/top over the last hour and the next, so over all that a test has sent by now."""
        now = int(time.time())
        return self.api("top", **{"from_": now - 3600, "to": now + 3600, "limit": 1000, **parameters})

    def metrics(self):
        """{'name{label="x"}': value} of /metrics."""
        status, body = self.http("/metrics")
        if status != 200:
            raise CollectorError(f"/metrics: {status} {body}")
        lines = (line.rsplit(" ", 1) for line in body.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in lines}

    def wait(self, condition, what, timeout_s=30):
        """Asks until condition() is true; returns its value."""
        deadline = time.monotonic() + timeout_s
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise CollectorError(f"waited {timeout_s} s for {what}\n{self.log()}")
            if self.process and self.process.poll() is not None:
                raise CollectorError(f"ended with {self.process.returncode} while a test waited for {what}\n"
                                     f"{self.log()}")
            select.select([], [], [], 0.05)

    def _keep_ports(self):
        for section in LISTENING:
            listen = self.config.get(section, {}).get("listen")
            if listen and section in self.ready:
                self.config[section] = dict(self.config[section], listen=self.ready[section].split(","))
