"""The engine's side of prisma-client-py 0.11, as its users get it: one engine process for each client, forked from
the thread that connects, found again by a port that was free a moment before, asked every 100 ms whether it serves, and
put away with SIGINT and a wait that has no end and blocks the event loop. What is odd here is odd there; it is what the
daemon has to live with.
"""
import asyncio
import atexit
import os
import signal
import socket
import subprocess
import sys

import httpx

CONNECT_TRIES = 100  # of 0.1 s
QUERY_TIMEOUT = 30.0


class AlreadyConnected(Exception):
    pass


class CannotConnect(Exception):
    pass


def _open_port():
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


class QueryEngine:
    def __init__(self, binary):
        self.binary = os.path.abspath(binary)
        self.process = None
        self.pid = None  # of the last process, also when it is gone
        self._url = None
        self._session = None
        atexit.register(self.close)

    async def connect(self):
        if self.process is not None:
            raise AlreadyConnected("disconnect first")
        subprocess.run([self.binary, "--version"], check=True, stdout=subprocess.DEVNULL)
        self._spawn(_open_port())
        self._session = httpx.AsyncClient(timeout=QUERY_TIMEOUT, limits=httpx.Limits(max_connections=1000))
        try:
            await self._until_it_serves()
        except BaseException:
            await self.aclose()
            raise

    def _spawn(self, port):
        self._url = f"http://localhost:{port}"
        env = os.environ.copy()
        schema = os.path.join(os.path.dirname(self.binary), "prisma", "schema.prisma")
        env.update(PRISMA_DML_PATH=schema, RUST_LOG="error", RUST_LOG_FORMAT="json", PRISMA_CLIENT_ENGINE_TYPE="binary",
                   PRISMA_ENGINE_PROTOCOL="graphql")
        self.process = subprocess.Popen(
            [self.binary, "-p", str(port), "--enable-metrics", "--enable-raw-queries"], env=env,
            stdout=sys.stdout, stderr=sys.stderr,
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT, signal.SIGTERM]))
        self.pid = self.process.pid

    async def _until_it_serves(self):
        for _ in range(CONNECT_TRIES):
            try:
                answer = await self._session.get(self._url + "/status")
                if answer.status_code == 200 and not answer.json().get("Errors"):
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.1)
        raise CannotConnect("could not connect to the query engine")

    async def query(self, text):
        if self._session is None:
            raise httpx.ConnectError("not connected")
        content = {"query": text, "operation_name": "query", "variables": {}}
        answer = await self._session.post(self._url + "/", json=content)
        body = answer.json()
        if body.get("errors"):
            raise RuntimeError(str(body["errors"]))
        return body["data"]["result"], len(answer.content)

    def close(self):
        """Blocks until the process is gone, however long that is."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait()
            self.process = None

    async def aclose(self):
        self.close()
        if self._session is not None:
            await self._session.aclose()
            self._session = None

    def died(self):
        """Whether the process is dead, without reaping it."""
        if self.process is None or self.process.returncode is not None:
            return self.process is not None
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def reap(self):
        if self.process is not None:
            self.process.poll()
