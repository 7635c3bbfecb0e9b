"""Nobody reads, the disk is full, the kernel gives no memory: the daemon goes on, says it, and makes good what it can."""

import os
import re
import resource
import threading

import pytest

from failing import fill, limited, said, small_disk
from harness import PLIMSOLLD, alive, wait_until

SPEAKER = '["@programs/speaker", "--width", "1000", "--pause", "20"'
PLAIN = """
[services.plain]
command = ["@programs/crasher", "--after", "100000000"]
"""


def dropped(text):
    """How many lines were said to be dropped, each time it was said."""
    return [int(number) for number in re.findall(r"(\d+) lines of [^\n]* were dropped", text)]


class Reader:
    """Reads a pipe from now on, as a consumer that has come back."""

    def __init__(self, descriptor):
        self.bytes = bytearray()
        self.descriptor = descriptor
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        while got := os.read(self.descriptor, 1 << 16):
            self.bytes += got

    def text(self):
        return self.bytes.decode(errors="replace")




def test_output_that_nobody_reads_is_dropped_counted_and_read_again_later(nest):
    reader, writer = os.pipe()
    daemon = nest.daemon(f'[services.loud]\ncommand = {SPEAKER}]\n' + PLAIN, stdout=writer, start=False)
    daemon.start()
    os.close(writer)
    loud = daemon.wait_ready("loud")["pid"]
    wait_until(lambda: said(daemon, "lines of the services' output were dropped: nobody reads them"), 120, "word of it",
               daemon.report)
    assert daemon.ctl("restart", "plain")[0] == 0
    before = len(dropped(daemon.log_text()))
    assert before <= 2, "not a line for each second of it"
    back = Reader(reader)
    nest.finally_(back.thread.join)
    nest.finally_(lambda: daemon.running() and daemon.stop())
    wait_until(lambda: len(back.bytes) > 4 << 20, what="the service being heard again", report=daemon.report)
    wait_until(lambda: len(dropped(daemon.log_text())) > before, what="the last count", report=daemon.report)
    assert alive(loud) and daemon.service("loud")["pid"] == loud
    assert daemon.stop() == 0
    lines = back.text().splitlines()
    numbers = [int(line.split(" ", 1)[0]) for line in lines]
    assert all(len(line) == 999 for line in lines), "whole lines"
    assert numbers == sorted(numbers)
    missing = numbers[-1] + 1 - len(numbers)
    assert missing == sum(dropped(daemon.log_text())), "each line was passed on, or counted"


def test_a_log_that_nobody_reads_says_what_it_lost_when_it_is_read(nest):
    reader, writer = os.pipe()
    daemon = nest.daemon(f'[services.loud]\ncommand = {SPEAKER}, "--to", "stderr"]\n' + PLAIN, stderr=writer, start=False)
    daemon.start()
    os.close(writer)
    daemon.wait_ready("loud")
    # In the events it is told while the log is stuck.
    daemon.wait_event("daemon", why=lambda why: "lines of the log were dropped: nobody reads them" in why)
    assert daemon.ctl("restart", "plain")[0] == 0
    back = Reader(reader)
    nest.finally_(back.thread.join)
    nest.finally_(lambda: daemon.running() and daemon.stop())
    wait_until(lambda: dropped(back.text()), what="word of it in the log", report=daemon.report)
    assert daemon.ctl("restart", "plain")[0] == 0
    run = daemon.service("plain")["run"]
    wait_until(lambda: f"plain: ready: run {run}," in back.text(), what="the daemon's own lines", report=daemon.report)


def test_a_full_disk_under_the_log_stops_nobody_and_is_written_to_again(nest):
    disk = small_disk(nest, "disk", "size=256k")
    with open(disk / "out", "ab") as out:
        daemon = nest.daemon(f'[services.loud]\ncommand = {SPEAKER}]\n' + PLAIN, stdout=out, start=False)
        ballast = fill(disk)
        daemon.start()
    daemon.wait_event("daemon", 0, 120, why=lambda why: "were dropped: No space left on device" in why)
    assert len(dropped(daemon.log_text())) == 1
    loud = daemon.wait_ready("loud")["pid"]
    assert daemon.ctl("restart", "plain")[0] == 0
    written = os.path.getsize(disk / "out")
    ballast.unlink()
    wait_until(lambda: os.path.getsize(disk / "out") > written, what="being written to again", report=daemon.report)
    assert alive(loud)


def test_a_disk_without_room_for_a_socket_costs_control_until_there_is(nest):
    disk = small_disk(nest, "disk", "size=256k,nr_inodes=4")
    more = [disk / "one", disk / "two", disk / "three"]
    for name in more:
        name.touch()
    with pytest.raises(OSError):
        (disk / "four").touch()
    daemon = nest.daemon('[services.talk]\ncommand = ["@programs/speaker", "--lines", "5", "--width", "40"]\n', start=False)
    daemon.socket_path = str(disk / "d.sock")
    daemon.launch()
    wait_until(lambda: said(daemon, "running without control"), what="word of it", report=daemon.log_text)
    wait_until(lambda: said(daemon, "talk: "), what="the service all the same", report=daemon.log_text)
    for name in more:
        name.unlink()
    daemon.wait(lambda: os.path.exists(daemon.socket_path) and daemon.ctl("ping")[0] == 0, what="control")
    assert len(said(daemon, "running without control")) == 1
    assert len(said(daemon, "control at ")) <= 2


def test_output_goes_through_pipes_where_the_disk_has_no_room_for_its_fifos(nest):
    disk = small_disk(nest, "disk", "size=256k,nr_inodes=4")
    daemon = nest.daemon('[services.talk]\ncommand = ["@programs/speaker", "--lines", "5", "--width", "40"]\n', start=False)
    daemon.socket_path = str(disk / "d.sock")  # with its lock and the folder for FIFOs: no inode is left
    daemon.start()
    wait_until(lambda: len(daemon.out_text()) >= 200, what="five lines", report=daemon.report)


def sanitized():
    return b"__asan_init" in open(PLIMSOLLD, "rb").read()


def virtual_size(pid):
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


@pytest.mark.skipif(sanitized(), reason="a sanitizer's own operator new ends the program where there is no memory")
def test_without_memory_the_daemon_lives_on_its_reserve_and_then_waits(nest):
    daemon = nest.daemon(PLAIN)
    plain = daemon.wait_ready("plain")["pid"]
    services = "".join(f'[services.s{i}]\ncommand = ["@programs/crasher", "--after", "100000000"]\n' for i in range(400))
    with limited(daemon.pid, resource.RLIMIT_AS, virtual_size(daemon.pid)):
        daemon.write(PLAIN + services)
        os.kill(daemon.pid, 1)
        wait_until(lambda: said(daemon, "the kernel gives no") or daemon.log_text().count(": ready: run 1") > 400,
                   what="want of memory", report=daemon.log_text)
        assert daemon.running() and alive(plain)
    daemon.wait(lambda: all(service["state"] == "ready" for service in daemon.status()["services"]), 120, "all of them")
    assert len(daemon.status()["services"]) == 401
    assert daemon.service("plain")["pid"] == plain
    assert said(daemon, "the kernel gives no")
