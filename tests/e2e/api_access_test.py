#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Who may ask the API, and how its answers travel: tokens, the browser's cookie, names in Host, other sites' pages, TLS with a
certificate that is renewed while connections are open; entity tags, packing, methods and the headers that every answer has."""

import concurrent.futures
import gzip
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from collector import Collector, program  # noqa: E402
from tap import Tap  # noqa: E402

TOKEN = "correct horse battery staple"
ENDPOINTS = ("top", "series", "sparklines", "paths", "suspects", "incidents", "compare", "peering", "types", "countries", "complete?dim=type", "changes", "lookup?address=192.0.2.1",
             "routes", "senders", "routers")
SECURITY = {"x-content-type-options": "nosniff", "x-frame-options": "DENY", "referrer-policy": "no-referrer",
            "cross-origin-resource-policy": "same-origin", "cross-origin-opener-policy": "same-origin"}


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()
        self.certificate = None

    def json(self):
        return json.loads(self.body)


class Client:
    def __init__(self, collector, context=None):
        self.host, port = collector.ready["http"].rsplit(":", 1)
        self.port, self.context, self.source = int(port), context, None

    def connect(self):
        if self.context:
            return http.client.HTTPSConnection(self.host, self.port, timeout=20, context=self.context)
        return http.client.HTTPConnection(self.host, self.port, timeout=20, source_address=self.source)

    def ask(self, path, method="GET", connection=None, **headers):
        """headers: names with _ for -; None: not sent."""
        used = connection or self.connect()
        sent = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        used.request(method, path, headers=sent)
        answer = Answer(used.getresponse())
        if self.context:
            answer.certificate = used.sock.getpeercert(binary_form=True) if used.sock else None
        if not connection:
            used.close()
        return answer

    def api(self, name, **options):
        return self.ask("/api/v1/" + name, **options)


def send(collector):
    collector.send({"client": f"203.0.113.{i % 250}", "server": "192.0.2.10", "type": f"type{i % 60}", "bytes_sent": 1000 + i}
                   for i in range(300))


def check_open(tap, collector):
    """Without a token, on loopback."""
    client = Client(collector)
    for name in ENDPOINTS:
        answer = client.api(name)
        tap.check(answer.status == 200 and all(answer.headers.get(key) == value for key, value in SECURITY.items()) and
                  answer.headers["content-security-policy"].startswith("default-src 'none'"),
                  f"{name}: open on loopback, with the headers of every answer", (answer.status, answer.headers))
    for host, status in (("localhost", 200), ("LOCALHOST.:1", 200), ("x.localhost:8480", 200), ("127.0.0.1:1", 200), ("192.0.2.7", 200),
                         ("[::1]:80", 200), ("dash.example.net", 200), ("Dash.Example.NET:8480", 200), ("evil.example.net", 421),
                         ("localhost.evil.example", 421), ("dash.example.net.evil.example", 421), ("xlocalhost", 421),
                         ("a" * 300, 421), ("127.0.0.1.evil.example", 421)):
        tap.equal(client.api("routers", Host=host).status, status, f"Host: {host[:40]}")
    tap.equal(client.ask("/healthz", Host="evil.example.net").status, 200, "health is anybody's")
    tap.equal([client.api("top", Sec_Fetch_Site=site, Sec_Fetch_Mode=mode).status for site, mode in (
        ("cross-site", "no-cors"), ("cross-site", "navigate"), ("same-origin", "cors"), ("none", "navigate"))], [403, 200, 200, 200],
        "pages of other sites may not ask, links from them may be followed")
    tap.equal(client.api("session").json(), {"token_needed": False, "authorized": True}, "a browser learns that no token is needed")


def check_methods(tap, collector):
    client = Client(collector)
    for path, allow in (("/api/v1/top", "GET, HEAD, OPTIONS"), ("/api/v1/session", "GET, HEAD, POST, DELETE, OPTIONS"), ("/healthz", "GET, HEAD, OPTIONS")):
        options = client.ask(path, method="OPTIONS")
        tap.equal((options.status, options.headers.get("allow"), options.body), (204, allow, b""), f"OPTIONS {path}")
        for method in ("PUT", "PATCH", "TRACE", "CONNECTX") + (("POST", "DELETE") if "session" not in path else ()):
            answer = client.ask(path, method=method)
            tap.check(answer.status == 405 and answer.headers.get("allow") == allow and "error" in answer.json(), f"{method} {path} is refused",
                      answer.status)
        get, head = client.ask(path), client.ask(path, method="HEAD")
        tap.check((head.status, head.body) == (get.status, b"") and head.headers["content-length"] == get.headers["content-length"],
                  f"HEAD {path}: as GET, without the body", (head.headers, get.headers))
    tap.equal(client.ask("/api/v1/session", method="POST", Content_Length="3").status, 413, "a body is refused")
    tap.equal([client.ask(path, method=method).status for path in ("/none", "/api/v1/top/", "/api/v1/") for method in ("GET", "POST", "OPTIONS")],
              [404] * 9, "what is not there is 404 by any method")


def check_caching(tap, collector):
    client = Client(collector)
    path = "top?by=type&limit=100&from=-24h&to=now"
    first = client.api(path)
    tag = first.headers.get("etag", "")
    tap.check(re.fullmatch(r'W/"[0-9a-f]+"', tag) and first.headers["cache-control"] == "private, no-cache" and
              "Accept-Encoding" in first.headers["vary"], "an answer has a tag and may be kept by the browser alone", first.headers)
    length = first.headers["content-length"]
    for wanted in (tag, f'"other", {tag}', tag[2:], "*"):
        same = client.api(path, If_None_Match=wanted)
        if same.headers.get("etag") != tag:   # a minute has ended
            tag, length = same.headers["etag"], same.headers["content-length"]
            same = client.api(path, If_None_Match=tag)
        tap.check((same.status, same.body) == (304, b"") and same.headers.get("etag") == tag and
                  same.headers.get("content-length", length) == length, f"If-None-Match: {wanted[:30]} is the same",
                  (same.status, same.headers))
    tap.equal(client.api(path, If_None_Match='W/"0"').status, 200, "another tag is not")
    send(collector)
    tap.equal(client.api(path, If_None_Match=tag).status, 200, "nor is the same one when there is more traffic")
    old = client.api("top?by=&last=30h", Cache_Control="max-age=600")
    send(collector)
    kept = client.api("top?by=&last=30h", Cache_Control="max-age=600")
    tap.check(kept.body == old.body and "age" in kept.headers and "age" not in old.headers, "who takes an older answer gets it, and its age",
              (kept.headers, old.headers))
    fresh = [client.api("top?by=&last=30h", Cache_Control=value).json()["total"]["records"] for value in (None, "no-cache", "max-age=0")]
    tap.equal(fresh, [old.json()["total"]["records"] + 300] * 3, "who doesn't gets a fresh one")
    tap.check(client.api("top?by=&last=31h", Cache_Control="max-age=600").body != kept.body, "another question has another answer")
    tap.equal(client.api("top?by=%0Alast=30h", Cache_Control="max-age=600").status, 400, "also one whose text is the same but for where a value ends")
    tap.equal(client.api("top?by=x&last=30h", Cache_Control="max-age=600").status, 400, "errors are not kept")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda i: client.api("series?last=30h&by=type", Cache_Control="max-age=600"), range(32)))
    tap.equal((len({answer.body for answer in together}), sum("age" not in answer.headers for answer in together)), (1, 1),
              "of many that ask at once one is answered, and all have that")
    packed = client.api(path, Accept_Encoding="gzip, br")
    plain = client.api(path)
    tap.check(packed.headers.get("content-encoding") == "gzip" and len(packed.body) < len(plain.body) // 4 and
              gzip.decompress(packed.body)[:2] == b'{"', "large answers are packed for who takes that", packed.headers)
    tap.equal([client.api(path, Accept_Encoding=value).headers.get("content-encoding") for value in ("gzip;q=0", "br", "identity", "GZIP;q=0.5")],
              [None, None, None, "gzip"], "and for nobody else")
    table = client.api(path, Accept="text/csv", Accept_Encoding="gzip")
    tap.check(table.headers["content-type"].startswith("text/csv") and gzip.decompress(table.body).startswith(b"type,bytes_sent"), "tables too")
    tap.equal([client.ask(other).headers["cache-control"] for other in ("/healthz", "/metrics", "/api/v1/session", "/none")], ["no-store"] * 4,
              "the rest is not kept")


def check_token(tap, client):
    """With a token, whatever carries it."""
    right = {"Authorization": "Bearer " + TOKEN}
    for name in ENDPOINTS + ("../../metrics",):
        path = "/metrics" if "metrics" in name else "/api/v1/" + name
        tap.equal([client.ask(path, **headers).status for headers in ({}, {"Authorization": "Bearer " + TOKEN[:-1]},
                   {"Cookie": f"whereto_{client.port}=1.00"}, right)], [401, 401, 401, 200], f"{name} needs the token")
    tap.equal([client.ask(path).status for path in ("/", "/healthz", "/api/v1/session")], [200] * 3, "what everybody may ask does not")
    tap.equal(client.api("top", Host="evil.example.net", **right).status, 200, "with a token any name will do")
    tap.equal(client.api("session").json(), {"token_needed": True, "authorized": False}, "a browser learns that it needs one")
    tap.equal(client.api("session", method="POST", Content_Length="0", Authorization="Bearer no").status, 401, "no cookie for a wrong token")
    begun = client.api("session", method="POST", Content_Length="0", **right)
    cookie = begun.headers.get("set-cookie", "")
    value = cookie.split(";")[0]
    tap.check(begun.status == 200 and {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=2592000"} <= set(cookie.split("; ")) and
              value.startswith(f"whereto_{client.port}=") and TOKEN not in cookie and ("Secure" in cookie) == bool(client.context),
              "the right one gives a cookie that scripts and other sites cannot use", cookie)
    tap.equal(client.api("top", Cookie=f"other=1; {value}").status, 200, "it is as good as the token")
    tap.equal(client.api("session", Cookie=value).json(), {"token_needed": True, "authorized": True}, "and says so")
    until, mac = value.split("=")[1].split(".")
    forged = [f"{int(until) + 1}.{mac}", f"{until}.{mac[:-1]}{'0' if mac[-1] != '0' else '1'}", f"{until}.", f"1.{mac}", f"{until}.{mac}0", "",
              f"{until}.{mac.upper()}" if mac.upper() != mac else "x", f"+{until}.{mac}"]
    tap.equal([client.api("top", Cookie=f"whereto_{client.port}={other}").status for other in forged], [401] * len(forged), "changed it is not")
    tap.equal(client.api("session", method="POST", Content_Length="0", Cookie=value).status, 401, "a cookie gives no other cookie")
    gone = client.api("session", method="DELETE", Cookie=value)
    tap.check("Max-Age=0" in gone.headers.get("set-cookie", ""), "and it is let go", gone.headers)


def make_certificate(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", os.path.join(folder, "key.pem"),
                    "-out", os.path.join(folder, "cert.pem")], check=True, capture_output=True)


def trusting(folder):
    return ssl.create_default_context(cafile=os.path.join(folder, "cert.pem"))


def command(*args):
    return subprocess.run([program(), *args], capture_output=True, text=True, timeout=30)


def check_commands(tap, collector, folder, token_file):
    url, ca_file = f"https://{collector.ready['http']}", os.path.join(folder, "cert.pem")
    done = command("senders", "--api", url, "--ca-file", ca_file, "--token-file", token_file, "--json")
    tap.check(done.returncode == 0 and "rows" in json.loads(done.stdout), "the command line comes by HTTPS and with the token", done.stderr)
    done = command("senders", "--api", url, "--token-file", token_file)
    tap.check(done.returncode == 1 and "--ca-file" in done.stderr, "a certificate of nobody it knows is not trusted", done.stderr)
    done = command("senders", "--api", url, "--token-file", token_file, "--ca-file", token_file)
    tap.check(done.returncode == 1 and "PEM" in done.stderr, "nor is a file without certificates", done.stderr)
    done = command("senders", "--api", url, "--ca-file", ca_file)
    tap.check(done.returncode == 1 and "--token-file" in done.stderr, "and it says when the token is missing", done.stderr)
    done = command("senders", "--api", url, "--ca-file", ca_file, "--token-file", collector.key_file)
    tap.check(done.returncode == 1 and f"the token in {collector.key_file} is not the one" in done.stderr, "or wrong", done.stderr)


def certificate_end(client):
    text = client.ask("/metrics", Authorization="Bearer " + TOKEN).body.decode()
    return float(re.search(r"^whereto_http_certificate_end_timestamp_seconds (\S+)$", text, re.M).group(1))


def check_renewal(tap, collector, folder):
    old = Client(collector, trusting(folder))
    kept = old.connect()
    first = old.ask("/healthz", connection=kept)
    make_certificate(folder, "renewed")
    end = certificate_end(old)
    tap.check(abs(end - time.time() - 2 * 86400) < 3600, "the metrics tell when the certificate ends", end)
    tap.check(collector.reload(), "a renewed certificate is taken")
    second = Client(collector, trusting(folder)).ask("/healthz", Connection="keep-alive")
    tap.check(second.status == 200, "it is served to new connections")
    tap.equal(old.ask("/healthz", connection=kept).status, 200, "a connection that was open goes on")
    kept.close()
    try:
        old.ask("/healthz")
        tap.check(False, "the old one is served no more")
    except ssl.SSLError:
        tap.check(first.status == 200, "the old one is served no more")
    with open(os.path.join(folder, "key.pem"), "w", encoding="ascii") as file:
        file.write("nothing\n")
    tap.check(not collector.reload() and "key.pem" in collector.log(), "a key that is none is refused, with its name")
    tap.equal(Client(collector, trusting(folder)).ask("/healthz").status, 200, "and the collector goes on")
    make_certificate(folder, "again")


def check_plain(tap, collector):
    """HTTP to a port of HTTPS, and old TLS."""
    host, port = collector.ready["http"].rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as plain:
        plain.sendall(b"GET /api/v1/top HTTP/1.1\r\nHost: localhost\r\n\r\n")
        tap.check(b"200" not in plain.recv(100), "no answer to plain HTTP")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    warnings.simplefilter("ignore", DeprecationWarning)   # that is the point
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    try:
        Client(collector, old).ask("/healthz")
        tap.check(False, "TLS 1.1 is refused")
    except (ssl.SSLError, ConnectionError):
        tap.check(True, "TLS 1.1 is refused")


def many(tap, client):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda i: client.api("top?by=type&limit=100", Authorization="Bearer " + TOKEN).status, range(64)))
    tap.equal(found, [200] * 64, "many clients at once over TLS")


def own_address():
    """An address of this machine that is not its loopback, or None. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return probe.getsockname()[0]


def check_guessing(tap, collector):
    """Ten wrong tokens within a minute, and none from that address is looked at; others, and who is signed in, notice nothing."""
    local, right = Client(collector), {"Authorization": "Bearer " + TOKEN}
    if not own_address():
        tap.skip("guessed tokens", "no address beside loopback")
        return
    guesser, proxy = Client(collector), Client(collector)
    guesser.host, guesser.source = "127.0.0.1", (own_address(), 0) # as from elsewhere: the two ends' addresses differ
    proxy.host = own_address()
    value = guesser.api("session", method="POST", Content_Length="0", **right).headers["set-cookie"].split(";")[0]
    tap.equal([guesser.api("top", Authorization="Bearer guess").status for _ in range(11)], [401] * 10 + [429], "ten wrong tokens are looked at")
    answer = guesser.api("top", **right)
    tap.equal((answer.status, answer.headers["retry-after"]), (429, "60"), "then no token from there")
    tap.equal(guesser.api("session", method="POST", Content_Length="0", **right).status, 429, "nor for a cookie")
    tap.equal(collector.log().count(f"warning: http: 10 wrong tokens from {own_address()} within a minute"), 1, "the log says from where, once")
    tap.equal(guesser.api("top", Cookie=value).status, 200, "a cookie is as good as before")
    tap.equal(local.api("top", **right).status, 200, "and so is the token from elsewhere")
    for client in (local, proxy):
        tap.equal([client.api("top", Authorization="Bearer guess").status for _ in range(12)], [401] * 12,
                  f"this machine's own addresses are never out: {client.host}")


def check_reload(tap, collector, folder, token_file):
    """Another token, other names and another metrics_top come with a reload."""
    client, old, new = Client(collector), {"Authorization": "Bearer " + TOKEN}, {"Authorization": "Bearer another"}
    value = client.api("session", method="POST", Content_Length="0", **old).headers["set-cookie"].split(";")[0]
    other = os.path.join(folder, "other-token")
    with open(other, "w", encoding="ascii") as file:
        file.write("another\n")
    collector.config["http"].update(token_file=other, metrics_top=0)
    tap.check(collector.reload(), "another token is taken at a reload")
    tap.equal([client.api("top", **headers).status for headers in (old, new, {"Cookie": value})], [401, 200, 401], "the old one and its cookies are void")
    tap.check("whereto_origin_bytes" not in client.ask("/metrics", **new).body.decode(), "and another metrics_top")
    collector.config["http"].update(token_file=token_file, metrics_top=20)
    tap.check(collector.reload() and client.api("top", **old).status == 200, "and back")
    tap.check("whereto_origin_bytes" in client.ask("/metrics", **old).body.decode(), "with the metrics")
    for text, taken, right in (("another\n", True, new), ("", False, new), (TOKEN + "\n", True, old)):
        with open(token_file, "w", encoding="ascii") as file:
            file.write(text)
        tap.check(collector.reload() == taken and [client.api("top", **headers).status for headers in (old, new)] ==
                  [200 if headers is right else 401 for headers in (old, new)], f"the same file, with {text!r} in it")
        tap.check(taken or re.search(r"not reloaded, .*whereto\.yaml:\d+: .*token: is empty", collector.log()), "what is wrong is told, with the line that names the file")


def check_hosts_reload(tap, collector):
    client = Client(collector)
    collector.config["http"]["hosts"] = ["new.example.net"]
    tap.check(collector.reload(), "other names are taken at a reload")
    tap.equal([client.api("top", Host=name).status for name in ("new.example.net", "dash.example.net")], [200, 421], "the old ones are refused")


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        with Collector(os.path.join(folder, "open"), http={"listen": ["127.0.0.1:0"], "hosts": ["dash.example.net"]}) as collector:
            send(collector)
            check_open(tap, collector)
            check_methods(tap, collector)
            check_caching(tap, collector)
            check_hosts_reload(tap, collector)
        token_file = os.path.join(folder, "token")
        with open(token_file, "w", encoding="ascii") as file:
            file.write(TOKEN + "\n")
        make_certificate(folder, "first")
        tls = {"certificate": os.path.join(folder, "cert.pem"), "key": os.path.join(folder, "key.pem")}
        with Collector(os.path.join(folder, "plain"), http={"listen": ["0.0.0.0:0"], "token_file": token_file}) as collector:
            check_token(tap, Client(collector))
            check_guessing(tap, collector)
            check_reload(tap, collector, folder, token_file)
        with Collector(os.path.join(folder, "tls"), http={"listen": ["127.0.0.1:0"], "token_file": token_file, "tls": tls}) as collector:
            send(collector)
            check_token(tap, Client(collector, trusting(folder)))
            check_commands(tap, collector, folder, token_file)
            many(tap, Client(collector, trusting(folder)))
            check_plain(tap, collector)
            check_renewal(tap, collector, folder)
            tap.equal(collector.stop(), 0, "an orderly end")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
