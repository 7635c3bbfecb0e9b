"""What plimsolld tells the service manager that started it: sd_notify's datagrams, received by a socket of the test."""

import os
import signal
import socket
import time

import pytest

from harness import wait_until

CONFIG = '[services.one]\ncommand = ["@programs/crasher", "--after", "1000000"]\n'


class NotifySocket:
    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path if not self.path.startswith("@") else "\0" + self.path[1:])
        self.socket.setblocking(False)
        self.said = []

    def lines(self):
        try:
            while True:
                self.said.append(self.socket.recv(65536).decode())
        except BlockingIOError:
            pass
        return [line for message in self.said for line in message.splitlines()]

    def hears(self, line, times=1):
        wait_until(lambda: self.lines().count(line) >= times, what=f"{line} ({times} times)",
                   report=lambda: str(self.said))


@pytest.fixture(params=["path", "abstract"])
def manager(nest, request):
    made = NotifySocket(nest.tmp / "notify" if request.param == "path" else f"@plimsoll-test-{os.getpid()}")
    yield made
    made.socket.close()


def test_ready_reloading_and_stopping_are_told(nest, manager):
    daemon = nest.daemon(CONFIG, environment={"NOTIFY_SOCKET": manager.path})
    manager.hears("READY=1")
    pid = daemon.wait_ready("one")["pid"]
    before = time.monotonic_ns() // 1000
    os.kill(daemon.pid, signal.SIGHUP)
    manager.hears("READY=1", 2)
    [reloading] = [message for message in manager.said if "RELOADING=1" in message]
    told = dict(line.split("=", 1) for line in reloading.splitlines())
    assert before <= int(told["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    lines = manager.lines()
    assert lines.index("RELOADING=1") > lines.index("READY=1")
    assert daemon.service("one")["pid"] == pid
    assert daemon.stop() == 0
    manager.hears("STOPPING=1")
    assert not any("WATCHDOG" in message for message in manager.said), "nobody asked for a watchdog"


def test_ready_is_told_even_when_a_reload_was_refused(nest, manager):
    daemon = nest.daemon(CONFIG, environment={"NOTIFY_SOCKET": manager.path})
    manager.hears("READY=1")
    daemon.write("[services.one]\ncommand = 1\n")
    os.kill(daemon.pid, signal.SIGHUP)
    manager.hears("READY=1", 2)
    assert daemon.wait_ready("one")


def test_the_watchdog_is_fed_and_children_do_not_inherit_the_managers_socket(nest, manager):
    daemon = nest.daemon(CONFIG, environment={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "400000"})
    manager.hears("WATCHDOG=1", 4)
    pid = daemon.wait_ready("one")["pid"]
    with open(f"/proc/{pid}/environ", "rb") as file:
        names = {word.split(b"=")[0] for word in file.read().split(b"\0")}
    assert not names & {b"NOTIFY_SOCKET", b"WATCHDOG_USEC", b"WATCHDOG_PID"}


def test_a_watchdog_of_another_pid_is_not_ours(nest, manager):
    nest.daemon(CONFIG, environment={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"})
    manager.hears("READY=1")
    moment = time.monotonic() + 0.5
    wait_until(lambda: time.monotonic() > moment, what="time for a watchdog")
    assert "WATCHDOG=1" not in manager.lines()
