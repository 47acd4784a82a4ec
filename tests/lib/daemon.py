# SPDX-License-Identifier: BSD-2-Clause
"""What the collector and the probe have in common as real processes under test: a log file, one `ready` line on standard
output, an end by their own pid."""

import os
import select
import signal
import subprocess
import time


class Daemon:
    """log_file is its owner's to set, as is process, whose standard output is a pipe."""
    Error = RuntimeError   # raised when it does not do what every test relies on; the text holds what it logged
    process = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.kill()

    def wait_ready(self, timeout_s):
        """Sets ready to what the line says."""
        line = self._read_line(time.monotonic() + timeout_s)
        if not line.startswith("ready "):
            self.kill()
            raise self.Error(f"no `ready` line but {line!r}\n{self.log()}")
        self.ready = dict(word.split("=", 1) for word in line.split()[1:])

    def stop(self, timeout_s=30):
        """SIGTERM, and wait for the end. Returns the exit status."""
        if not self.process:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired as late:
            self.kill()
            raise self.Error(f"still there {timeout_s} s after SIGTERM\n{self.log()}") from late
        self._forget()
        return status

    def kill(self):
        """kill -9, and wait for the end; no-op when it isn't running."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self._forget()

    def log(self):
        with open(self.log_file, encoding="utf-8", errors="replace") as file:
            return file.read()

    def _read_line(self, deadline):
        pipe = self.process.stdout
        data = b""
        while not data.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                break
            byte = os.read(pipe.fileno(), 1)
            if not byte:
                break
            data += byte
        return data.decode(errors="replace")

    def _forget(self):
        self.process.stdout.close()
        self.process = None
