#!/usr/bin/python3
"""The demo's application: a parent with two workers, each with a query engine in a process of its own, the way an app with
prisma-client-py looks from outside. Standard library only.

    app.py FOLDER

Worker N serves HTTP on FOLDER/worker-N.sock: GET /orders?rows=R answers how many rows it got, and from which engine. It
 - starts its engine as prisma-client-py does: `--version` first, a port that was free a moment ago, GET /status until it answers;
 - reconnects on SIGRTMIN+1: SIGINT to the engine, wait for it, a new one;
 - heals itself: a query that finds no engine makes it reconnect.
The parent replaces a worker that died, and on SIGTERM lets all of them end in peace.
"""

import http.client
import http.server
import json
import os
import pathlib
import signal
import socket
import socketserver
import sqlite3
import subprocess
import sys
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
ENGINE = str(HERE / "query-engine-sqlite")
RECONNECT = signal.SIGRTMIN + 1
ORDER = "x" * 200  # bytes of payload in each row


def say(text):
    print(text, flush=True)


class EngineClient:
    """What prisma-client-py's engine object is: one process, one port."""

    def __init__(self, database):
        self.database = database
        self.process = None
        self.port = None

    def connect(self):
        subprocess.run([ENGINE, "--version"], check=True, stdout=subprocess.DEVNULL)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        environment = {**os.environ, "DATABASE_URL": f"file:{self.database}", "RUST_LOG": "error"}
        argv = [ENGINE, "-p", str(self.port), "--enable-metrics", "--enable-raw-queries"]
        self.process = subprocess.Popen(argv, env=environment)
        end = time.monotonic() + 30
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise ConnectionError("the engine does not answer")
            time.sleep(0.05)

    def disconnect(self):
        if self.process:
            self.process.send_signal(signal.SIGINT)
            self.process.wait()
            self.process = None

    def answers(self):
        try:
            return self.ask("GET", "/status")[0] == 200
        except OSError:
            return False

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def query(self, sql, *parameters):
        status, text = self.ask("POST", "/", json.dumps({"query": sql, "parameters": parameters}))
        body = json.loads(text)
        if status != 200:
            raise ValueError(body["error"])
        return body["rows"]


class Worker(socketserver.UnixStreamServer):
    """One request at a time, and between two requests a look whether a reconnect or the end was asked for."""

    timeout = 0.1

    def __init__(self, number, folder):
        path = folder / f"worker-{number}.sock"
        path.unlink(missing_ok=True)
        super().__init__(str(path), Handler)
        self.engine = EngineClient(folder / "demo.sqlite")
        self.reconnect_asked = False
        self.end_asked = False
        signal.signal(RECONNECT, lambda *_: setattr(self, "reconnect_asked", True))
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "end_asked", True))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.engine.connect()
        say(f"worker {number} ({os.getpid()}): connected to engine {self.engine.process.pid}")

    def serve(self):
        while not self.end_asked:
            self.handle_request()
            if self.reconnect_asked:
                self.reconnect_asked = False
                self.reconnect("asked to")
        self.engine.disconnect()

    def reconnect(self, why):
        self.engine.disconnect()
        self.engine.connect()
        say(f"worker {os.getpid()}: {why}, reconnected to engine {self.engine.process.pid}")

    def orders(self, rows):
        sql = "SELECT id, payload FROM orders LIMIT ?"
        try:
            return self.engine.query(sql, rows)
        except (OSError, http.client.HTTPException):
            self.reconnect("lost its engine")
            return self.engine.query(sql, rows)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        wanted = int(urllib.parse.parse_qs(url.query).get("rows", ["1"])[0])
        body = {"rows": len(self.server.orders(wanted)), "worker": os.getpid(),
                "engine": self.server.engine.process.pid}
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def seed(path):
    if path.exists():
        return
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, payload TEXT)")
        database.executemany("INSERT INTO orders (payload) VALUES (?)", ((f"{ORDER}{i}",) for i in range(200_000)))


def start_worker(number, folder):
    pid = os.fork()
    if pid == 0:
        try:
            Worker(number, folder).serve()
            os._exit(0)
        except BaseException as error:  # a worker never returns into the parent's code
            say(f"worker {number}: {error!r}")
            os._exit(1)
    return pid


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    seed(folder / "demo.sqlite")
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(True))
    workers = {start_worker(number, folder): number for number in range(2)}
    while not ending:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            time.sleep(0.05)
            continue
        number = workers.pop(pid)
        say(f"parent: worker {number} ({pid}) ended with {os.waitstatus_to_exitcode(status)}, starting another")
        workers[start_worker(number, folder)] = number
    for pid in workers:
        os.kill(pid, signal.SIGTERM)
    for pid in workers:
        os.waitpid(pid, 0)
    say("parent: all workers ended, goodbye")


if __name__ == "__main__":
    main()
