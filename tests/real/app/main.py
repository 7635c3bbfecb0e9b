"""An application as Plimsoll's users have them: FastAPI, several workers, one query engine for each.

It can be asked to put its engine away and take a new one in three ways: by SIGRTMIN+1, at POST /admin/reconnect of a
Unix socket of the worker's own, and at the same path of the port that all workers share, where a worker that is not the
owner of `?engine=PID` answers 409. The worker's own socket serves everything else too, so that a test can talk to one
worker and no other. What the app was asked, and what it did with its engine, it writes down in APP_JOURNAL.

  PRISMA_QUERY_ENGINE_BINARY  the engine
  APP_ADMIN_DIR               where PID.sock is made (none: no such socket)
  APP_JOURNAL                 a file that gets one line of JSON for each thing that happens
  APP_HEAL=SECONDS|never      notices that its engine died, reaps it, and has a new one that much later (never)
  APP_REAP=at_once|never      without healing: whether a dead engine is reaped (never: prisma-client-py does not)
  APP_HOOK=404|hang           what /admin/reconnect does instead of its work
  APP_RECONNECT=new_first     the new engine is started before the old one is put away
  APP_SHUTDOWN_DELAY=SECONDS  how long the shutdown takes before the engine is put away (0)
"""
import asyncio
import json
import os
import signal
import socket
import time

import httpx
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from query_engine import QueryEngine

BINARY = os.environ["PRISMA_QUERY_ENGINE_BINARY"]
HEAL = os.environ.get("APP_HEAL", "never")
REAP = os.environ.get("APP_REAP", "never")
HOOK = os.environ.get("APP_HOOK", "")
NEW_FIRST = os.environ.get("APP_RECONNECT") == "new_first"
RECONNECT_SIGNAL = signal.SIGRTMIN + 1
LOOK_EVERY = 0.02
QUERIES_MAY_END = 10.0  # seconds that a reconnect waits for queries in flight


def note(what, **more):
    """One write to a file opened for appending: lines of several workers do not mix."""
    path = os.environ.get("APP_JOURNAL")
    if path:
        line = json.dumps({"at": time.time(), "pid": os.getpid(), "what": what, **more}) + "\n"
        with open(path, "ab", buffering=0) as file:
            file.write(line.encode())


class Database:
    """The worker's one engine. While it is replaced, queries wait; a replacement waits for the queries in flight."""

    def __init__(self):
        self.engine = QueryEngine(BINARY)
        self._replacing = asyncio.Lock()
        self._in_flight = 0

    async def connect(self):
        await self.engine.connect()
        note("connected", engine=self.engine.pid)

    async def disconnect(self):
        async with self._replacing:
            await self.engine.aclose()
            note("disconnected", engine=self.engine.pid)

    async def reconnect(self, why):
        async with self._replacing:
            before = self.engine.pid
            deadline = time.monotonic() + QUERIES_MAY_END
            while self._in_flight and time.monotonic() < deadline:
                await asyncio.sleep(LOOK_EVERY)
            if NEW_FIRST:
                old, self.engine = self.engine, QueryEngine(BINARY)
                await self.engine.connect()
                await old.aclose()
            else:
                await self.engine.aclose()
                await self.engine.connect()
            note("reconnected", why=why, before=before, engine=self.engine.pid)

    async def query(self, text):
        async with self._replacing:
            self._in_flight += 1
        try:
            return await self.engine.query(text)
        finally:
            self._in_flight -= 1

    async def watch(self):
        """What the app does by itself about an engine that died."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            if self._replacing.locked() or not self.engine.died():
                continue
            if REAP == "at_once" or HEAL != "never":
                self.engine.reap()
            if HEAL != "never":
                await asyncio.sleep(float(HEAL))
                await self.reconnect("healed itself")


class OwnSocket:
    """The same application at APP_ADMIN_DIR/PID.sock, for those who want this worker."""

    def __init__(self, application, folder):
        self.path = os.path.join(folder, f"{os.getpid()}.sock")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            self._socket.bind(self.path)
        finally:
            os.umask(before)
        config = uvicorn.Config(application, lifespan="off", log_config=None, access_log=False)
        self._server = uvicorn.Server(config)
        self._server.install_signal_handlers = lambda: None
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]))

    async def close(self):
        self._server.should_exit = True
        await self._task
        os.unlink(self.path)


app = FastAPI()
database = None
own_socket = None
watcher = None
tasks = set()


def reconnect_by_signal():
    note("asked", by="signal")
    task = asyncio.get_running_loop().create_task(database.reconnect("signal"))
    tasks.add(task)  # the loop itself keeps only a weak reference
    task.add_done_callback(tasks.discard)


@app.on_event("startup")
async def startup():
    global database, own_socket, watcher
    database = Database()
    await database.connect()
    # Set here, after gunicorn's worker has reset the signals it knows.
    asyncio.get_running_loop().add_signal_handler(RECONNECT_SIGNAL, reconnect_by_signal)
    watcher = asyncio.create_task(database.watch())
    folder = os.environ.get("APP_ADMIN_DIR")
    if folder:
        own_socket = OwnSocket(app, folder)
    note("started", engine=database.engine.pid)


@app.on_event("shutdown")
async def shutdown():
    note("stopping")
    watcher.cancel()
    await asyncio.sleep(float(os.environ.get("APP_SHUTDOWN_DELAY", "0")))
    await database.disconnect()
    if own_socket:
        await own_socket.close()
    note("stopped")


def answer(status=200, **body):
    return JSONResponse({"pid": os.getpid(), "engine": database.engine.pid, **body}, status_code=status)


@app.exception_handler(httpx.HTTPError)
async def no_engine(_, error):
    return answer(503, error=f"the engine does not answer: {error!r}")


@app.get("/ready")
async def ready():
    rows, _ = await database.query("query { result: findManyItem(take: 1) { id name } }")
    return answer(ready=len(rows) == 1)


@app.get("/pid")
async def pid():
    return answer()


@app.get("/items")
async def items(rows: int = 1):
    """Light: no payload."""
    found, size = await database.query(f"query {{ result: findManyItem(take: {rows}) {{ id name }} }}")
    return answer(rows=len(found), bytes=size)


@app.api_route("/query", methods=["GET", "POST"])
async def query(rows: int = 1):
    """Heavy: 50 kB of JSON a row."""
    found, size = await database.query(f"query {{ result: findManyItem(take: {rows}) {{ id name payload }} }}")
    return answer(rows=len(found), bytes=size)


@app.post("/admin/reconnect")
async def admin_reconnect(request: Request, engine: int = 0):
    by = "port" if request.client else "unix"
    mine = database.engine.pid
    if HOOK == "404":
        note("asked", by=by, engine=engine, status=404)
        return answer(404)
    if HOOK == "hang":
        note("asked", by=by, engine=engine, status=None)
        await asyncio.Event().wait()
    if engine not in (0, mine):
        note("asked", by=by, engine=engine, status=409)
        return answer(409, error=f"engine {engine} is not mine")
    note("asked", by=by, engine=engine, status=200)
    await database.reconnect(by)
    return answer(before=mine)


@app.post("/admin/disconnect")
async def admin_disconnect():
    await database.disconnect()
    return answer()


@app.post("/admin/connect")
async def admin_connect():
    await database.connect()
    return answer()
