"""The test's side of tests/programs: speaks with the `app` and its workers, reads a leaker's record, asks an engine for memory."""

import dataclasses
import http.client
import pathlib
import socket
import struct

from harness import SLOW, children_of, engine_port, wait_until


class Puppet:
    """A main process or worker of `app --control FOLDER`."""

    def __init__(self, folder, pid):
        self.folder = pathlib.Path(folder)
        self.pid = int(pid)

    def tell(self, line):
        """Does what `line` says (see app.cpp) and returns the words after "ok"; None when it ended instead of answering."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(30 * SLOW)
            client.connect(str(self.folder / f"{self.pid}.sock"))
            client.sendall(line.encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                got = client.recv(4096)
                if not got:
                    return None
                answer += got
        words = answer.decode().split()
        assert words and words[0] == "ok", f"{self.pid}: {line}: {answer!r}"
        return words[1:]

    def fork(self):
        return Puppet(self.folder, self.tell("fork")[0])

    def engine(self, how, *words):
        """Starts an engine and returns its pid (for `shell` that of the shell)."""
        return int(self.tell(f"engine {how} " + " ".join(map(str, words)))[0])

    def abandon(self, milliseconds, how, *words):
        """Starts an engine and dies of SIGKILL that long after the fork; the engine's pid."""
        return int(self.tell(f"abandon {milliseconds} {how} " + " ".join(map(str, words)))[0])

    def listens(self):
        return (self.folder / f"{self.pid}.sock").exists()


def main_puppet(folder, pid, deadline=30):
    """The app's main process, once it listens."""
    puppet = Puppet(folder, pid)
    wait_until(puppet.listens, deadline, f"the app {pid} listening")
    return puppet


def workers_of(main):
    """The workers that `--workers` started, oldest first; a child that does not listen is an engine."""
    found = [Puppet(main.folder, pid) for pid in sorted(children_of(main.pid))]
    return [puppet for puppet in found if puppet.listens()]


def ask_engine(pid, path, deadline=30):
    """GET `path` of a query-engine, on its `-p` port; the status."""
    connection = http.client.HTTPConnection("127.0.0.1", engine_port(pid), timeout=deadline * SLOW)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def leak(pid, mib):
    """Makes the engine keep `mib` MiB more, once it listens. It may be killed for it before it answers."""
    def ask():
        try:
            return ask_engine(pid, f"/leak?mib={mib}") == 200
        except (ConnectionRefusedError, ValueError):
            return False  # it does not listen yet, or has not even become the engine
        except (http.client.RemoteDisconnected, ConnectionResetError):
            return True
    wait_until(ask, 30, f"the engine {pid} answering")


@dataclasses.dataclass
class Record:
    """record.hpp."""
    rss: int
    crossed_at: int
    touched_at: int
    line: int
    fastest: int


def read_record(path):
    return Record(*struct.unpack("<5Q", pathlib.Path(path).read_bytes()))
