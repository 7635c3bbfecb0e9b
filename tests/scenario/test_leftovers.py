"""After a crash of the daemon: what it supervised lives on and can write, and the next daemon knows it."""

import time

from apps import ENGINE, app_daemon, app_service, main_of, workers_with_engines
from harness import alive, is_zombie, parent_of, wait_until
from puppets import read_record

TALKER = """
[services.talker]
command = ["@programs/speaker", "--pause", "200", "--record", "@tmp/record"]
leftovers = "{policy}"
stop = {{ signal = "SIGTERM", grace = "1s" }}
"""


def test_hold_names_what_is_left_and_does_not_start_beside_it(nest):
    daemon = app_daemon(nest, app_service(flags=["--workers", "1", "--engine", f"plain {ENGINE} -p PORT"]))
    (worker, engine), = workers_with_engines(nest, daemon, 1).items()
    left = [daemon.service("app")["pid"], worker.pid, engine]
    daemon.kill()
    assert all(alive(pid) for pid in left), "nothing that it supervises dies because the daemon died"
    daemon.start()
    event = daemon.wait(lambda: next(e for e in daemon.events() if str(left[0]) in e["why"]),
                        what="an event that names them")
    assert event["service"] == "app"
    service = daemon.service("app")
    assert service["pid"] is None and service["state"] != "ready" and service["run"] == 0
    assert daemon.ctl("status")[0] == 3
    assert daemon.ctl("start", "app")[0] in (1, 5), "start without --force is refused while they live"
    assert all(alive(pid) for pid in left)
    code, out, err = daemon.ctl("start", "app", "--force")
    assert code == 0, out + err
    assert daemon.wait_ready("app")["pid"] not in left
    assert all(alive(pid) for pid in left), "forced means beside it, not instead of it"
    nest.daemons[0].stop()
    assert len(nest.sweep()) == 3


def test_end_ends_what_is_left_and_then_starts(nest):
    more = 'leftovers = "end"\nstop = { signal = "SIGTERM", grace = "2s" }'
    daemon = app_daemon(nest, app_service(flags=["--workers", "2", "--engine", f"plain {ENGINE} -p PORT"], more=more))
    pairs = workers_with_engines(nest, daemon, 2)
    left = [daemon.service("app")["pid"], *pairs.values(), *(worker.pid for worker in pairs)]
    main = main_of(nest, daemon)
    bystander = nest.spawn([ENGINE])
    daemon.kill()
    daemon.start()
    daemon.wait_ready("app")
    assert not any(alive(pid) for pid in left), "none of the old tree is left when the new run starts"
    assert not main.listens(), "its own shutdown ran"
    assert alive(bystander.pid)
    assert len(workers_with_engines(nest, daemon, 2)) == 2
    entries = [entry for entry in daemon.ledger("app") if entry["cause"] == "leftover"]
    assert entries and daemon.service("app")["budget_spent"] == 0


def test_end_kills_what_does_not_listen(nest):
    daemon = nest.daemon("""
[services.deaf]
command = ["@programs/stubborn", "--children", "2", "--ready", "@tmp/ready"]
leftovers = "end"
stop = { signal = "SIGTERM", grace = "500ms" }
""")
    pid = daemon.wait_ready("deaf")["pid"]
    wait_until(lambda: (nest.tmp / "ready").exists(), what="its signals being ignored")
    daemon.kill()
    daemon.start()
    assert daemon.wait_ready("deaf")["pid"] != pid
    assert not alive(pid)


def test_leftovers_of_another_daemons_name_are_not_ours(nest):
    first = nest.daemon('[services.one]\ncommand = ["@programs/crasher", "--after", "1000000"]\n')
    pid = first.wait_ready("one")["pid"]
    first.kill()
    second = nest.daemon('[services.one]\ncommand = ["@programs/crasher", "--after", "1000000"]\nleftovers = "end"\n')
    assert second.wait_ready("one")["pid"] != pid
    assert alive(pid)
    assert second.stop() == 0
    assert len(nest.sweep()) == 1


def test_a_child_never_sees_epipe_and_writes_on_when_the_next_daemon_drains_its_fifo(nest):
    daemon = nest.daemon(TALKER.format(policy="hold"))
    pid = daemon.wait_ready("talker")["pid"]
    record = nest.tmp / "record"
    wait_until(lambda: record.exists() and read_record(record).rss > 50, what="some lines")
    daemon.kill()
    written = read_record(record).rss
    wait_until(lambda: read_record(record).rss > written + 100, what="lines written into the FIFO of a dead daemon")

    def blocked():
        before = read_record(record).rss
        pause = time.monotonic() + 0.3
        wait_until(lambda: time.monotonic() > pause, what="a moment")
        return read_record(record).rss == before
    wait_until(blocked, 60, "the FIFO being full")
    assert alive(pid) and not is_zombie(pid)
    assert read_record(record).line == 0, f"errno {read_record(record).line}"
    full = read_record(record).rss
    daemon.start()
    wait_until(lambda: read_record(record).rss > full + 50, what="lines written after the next daemon drained it",
               report=daemon.report)
    assert read_record(record).line == 0
    assert len(nest.sweep()) == 1


def test_a_full_fifo_does_not_keep_a_leftover_from_ending(nest):
    daemon = nest.daemon(TALKER.format(policy="end"))
    pid = daemon.wait_ready("talker")["pid"]
    daemon.kill()
    record = nest.tmp / "record"
    wait_until(lambda: record.exists() and read_record(record).rss * 40 > 60_000, what="a full FIFO")
    daemon.start()
    assert daemon.wait_ready("talker")["pid"] != pid
    assert not alive(pid)


def test_each_child_carries_the_daemons_life_in_its_environment(nest):
    daemon = nest.daemon('[services.one]\ncommand = ["sh", "-c", "env > @tmp/env.new; mv @tmp/env.new @tmp/env; exec sleep 1000"]\n')
    daemon.wait_ready("one")
    wait_until(lambda: (nest.tmp / "env").exists(), what="its environment")
    [line] = [line for line in (nest.tmp / "env").read_text().splitlines() if line.startswith("PLIMSOLL_RUN=")]
    for part in (daemon.name, str(daemon.pid), "one"):
        assert part in line, line
    assert parent_of(daemon.service("one")["pid"]) == daemon.pid
