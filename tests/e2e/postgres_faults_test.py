#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A collector and a PostgreSQL that does not do as it should: a server that is not who it says, a wrong password, one killed in
the middle of a batch or of a merge, one that does not answer, one whose disk is full. Everything acknowledged arrives once."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from away import RECORDS, send, stored  # noqa: E402
from collector import Collector, program  # noqa: E402
from disk import fill  # noqa: E402
from postgres import Server, unavailable  # noqa: E402
from tap import Tap, skip_all  # noqa: E402


def check_url(url):
    done = subprocess.run([program(), "store", "migrate", url], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


# ---- TLS and passwords ----

def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def make_ca(folder, name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.crt")
    return f"{folder}/{name}.crt"


def make_certificate(server, folder, ca):
    """For `localhost` alone, signed by the CA, where the server reads it."""
    extensions = os.path.join(folder, "extensions")
    with open(extensions, "w", encoding="utf-8") as file:
        file.write("subjectAltName=DNS:localhost\n")
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
            "-keyout", f"{server.folder}/tls.key", "-out", f"{folder}/request")
    openssl("x509", "-req", "-in", f"{folder}/request", "-CA", ca, "-CAkey", ca.replace(".crt", ".key"), "-CAcreateserial", "-days", "2",
            "-extfile", extensions, "-out", f"{server.folder}/tls.crt")
    for name in ("tls.key", "tls.crt"):
        os.chmod(f"{server.folder}/{name}", 0o600)
        if server.user:
            os.chown(f"{server.folder}/{name}", server.user.pw_uid, server.user.pw_gid)


def check_tls(tap, folder):
    ca, other = make_ca(folder, "ours"), make_ca(folder, "theirs")
    with contextlib.closing(Server(start=False, tcp=True)) as server:
        make_certificate(server, folder, ca)
        server.options += ["-c", "ssl=on", "-c", f"ssl_cert_file={server.folder}/tls.crt", "-c", f"ssl_key_file={server.folder}/tls.key"]
        with open(os.path.join(server.folder, "data", "pg_hba.conf"), "w", encoding="utf-8") as file:
            file.write("local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n")
        server.start()
        server.ask("CREATE ROLE keeper LOGIN PASSWORD 'right'")
        server.ask("CREATE DATABASE traffic OWNER keeper")
        server.ask("CREATE DATABASE plain OWNER keeper")
        subprocess.run([os.path.join(server.programs, "psql"), server.url.replace("/postgres", "/traffic"), "-qc",
                        "CREATE EXTENSION ip4r"], check=True)

        def url(password="right", host="localhost", mode="verify-full", root=ca, database="traffic"):
            return f"postgresql://keeper:{password}@{host}:{server.port}/{database}?sslmode={mode}&sslrootcert={root}"

        for what, address, words in (
                ("another name than its certificate's", url(host="127.0.0.1"), "does not match host name"),
                ("a certificate of another CA", url(root=other), "certificate verify failed"),
                ("no TLS", url(mode="disable"), "no encryption"),
                ("a wrong password", url(password="wrong"), "password authentication failed"),
                ("no ip4r", url(database="plain"), "psql -d 'plain' -c 'CREATE EXTENSION ip4r'")):
            status, text = check_url(address)
            tap.check(status == 1 and words in text and ":right" not in text and "wrong" not in text, f"refused: {what}", text)
        passfile = os.path.join(folder, "passfile")
        with open(passfile, "w", encoding="utf-8") as file:
            file.write(f"localhost:{server.port}:traffic:keeper:right\n")
        os.chmod(passfile, 0o600)
        with Collector(os.path.join(folder, "tls"), store={"url": url().replace(":right", "") + f"&passfile={passfile}"}) as collector:
            tap.check(send(collector, 0) == 0, "verify-full, the password in a file")
            stored(collector, RECORDS)
            tap.equal(server.ask("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
                                 " WHERE application_name = 'whereto'"), "t", "every connection is under TLS")


# ---- in the middle of it ----

def sums(server, table):
    return server.ask(f"SELECT coalesce(sum(requests), 0) FROM whereto.{table}")


class Held:
    """A lock that stops whoever writes to the table, as a person's session may have it."""

    def __init__(self, server, table):
        self.psql = subprocess.Popen([os.path.join(server.programs, "psql"), server.url, "-Atq"], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.psql.stdin.write(f"BEGIN; LOCK TABLE whereto.{table} IN SHARE MODE; SELECT 'held';\n")
        self.psql.stdin.flush()
        if self.psql.stdout.readline().strip() != "held":
            raise RuntimeError(f"no lock on {table}")

    def end(self):
        with contextlib.suppress(BrokenPipeError):
            self.psql.stdin.close()
        self.psql.wait()
        self.psql.stdout.close()


def waits(server):
    return server.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'whereto' AND wait_event_type = 'Lock'") != "0"


def check_killed(tap, folder):
    """Batches write their tables one after the other and `flow` last: a lock there holds one in its middle."""
    with contextlib.closing(Server()) as server, Collector(os.path.join(folder, "killed"), store={"url": server.url}) as collector:
        count = 0
        for number in (signal.SIGKILL, signal.SIGQUIT, signal.SIGKILL):
            held = Held(server, "flow_new")
            tap.check(send(collector, count * RECORDS) == 0, "acknowledged before a batch is through")
            count += 1
            collector.wait(lambda: waits(server), "a batch that waits in its middle")
            server.end(number)
            held.end()
            server.start()
            stored(collector, count * RECORDS)
        # A merge: the third of its tables is held, and what the others got is undone with it.
        held = Held(server, "total_day_merged")
        merge = subprocess.Popen([program(), "store", "vacuum", server.url], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        collector.wait(lambda: waits(server), "a merge that waits in its middle")
        server.end(signal.SIGKILL)
        held.end()
        _, text = merge.communicate()
        tap.check(merge.returncode == 1 and "merging rows" in text, "a merge that is killed says so", (merge.returncode, text))
        server.start()
        status = subprocess.run([program(), "store", "vacuum", server.url], stdout=subprocess.DEVNULL).returncode
        tap.equal(status, 0, "and is done again")
        for table in ("total_minute", "total_day_merged", "country_hour", "flow_minute_merged", "flow_day"):
            tap.equal(sums(server, table), str(count * RECORDS), f"{table} has every record once")


def check_slow(tap, folder):
    """The server takes what is sent and does not answer: records are acknowledged meanwhile, the collector can be stopped, and all
    arrive when the server goes on."""
    with contextlib.closing(Server()) as server, Collector(os.path.join(folder, "slow"), store={"url": server.url}) as collector:
        tap.check(send(collector, 0) == 0, "slow: at first all is well")
        stored(collector, RECORDS)
        backends = [int(pid) for pid in server.ask("SELECT pid FROM pg_stat_activity WHERE application_name = 'whereto'").split()]
        for pid in backends:
            os.kill(pid, signal.SIGSTOP)
        try:
            tap.check(send(collector, RECORDS) == 0, "acknowledged while the server does not answer")
            collector.wait(lambda: collector.metrics()["whereto_journal_backlog"] >= 1, "a backlog that is shown")
            tap.equal(collector.stop(60), 0, "a collector ends although the server does not answer")
        finally:
            for pid in backends:
                os.kill(pid, signal.SIGCONT)
        collector.start()
        stored(collector, 2 * RECORDS)
        tap.equal(sums(server, "flow_day"), str(2 * RECORDS), "slow: every record once")


def check_full(tap, folder):
    server = Server(start=False, disk="160m", settings=["max_wal_size=32MB", "min_wal_size=32MB"])
    with contextlib.closing(server):
        if server.no_disk:
            tap.skip("a full disk", server.no_disk)
            return
        server.start()
        with Collector(os.path.join(folder, "full"), store={"url": server.url}) as collector:
            tap.check(send(collector, 0) == 0, "full: at first all is well")
            stored(collector, RECORDS)
            filler = fill(server.folder)
            count = 1
            while collector.metrics()["whereto_store_up"]:   # until what is preallocated is used up
                send(collector, count * RECORDS)
                count += 1
            tap.check(send(collector, count * RECORDS) == 0, "acknowledged while the server's disk is full")
            count += 1
            error = collector.api("senders")["backlog"]["store_error"]
            tap.check(error, "the API says that the store is away, and why", error)
            os.unlink(filler)
            if server.process.poll() is not None:   # without room for its log it may end
                server.process = None
                server.start()
            stored(collector, count * RECORDS)
            for table in ("total_minute", "flow_day"):
                tap.equal(sums(server, table), str(count * RECORDS), f"full: {table} has every record once")


def main():
    tap = Tap()
    reason = unavailable()
    if reason:
        return skip_all(reason)
    with tempfile.TemporaryDirectory() as folder:
        check_tls(tap, folder)
        check_killed(tap, folder)
        check_slow(tap, folder)
        check_full(tap, folder)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
