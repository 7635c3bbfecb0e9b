"""The test programs do what they claim: without this, a scenario that passes might have tested nothing."""

import os
import signal
import subprocess
import time

from harness import PROGRAMS, alive, arguments, children_of, is_zombie, parent_of, rss_bytes, stat_fields, wait_until
from puppets import leak, main_puppet, read_record, workers_of

ENGINE = PROGRAMS / "query-engine"


def start_app(nest, *flags):
    folder = nest.tmp / "control"
    folder.mkdir()
    process = nest.spawn([PROGRAMS / "app", "--control", folder, *flags])
    return main_puppet(folder, process.pid)


def session_of(pid):
    return int(stat_fields(pid)[3])


def test_a_leaker_records_what_it_holds_and_the_record_outlives_its_sigkill(nest):
    path = nest.tmp / "record"
    process = nest.spawn([PROGRAMS / "leaker", "--rate", 100, "--line", 64, "--record", path])
    wait_until(lambda: path.exists() and path.stat().st_size == 40 and read_record(path).rss > 80 << 20, what="80 MiB")
    held = rss_bytes(process.pid)
    process.kill()
    process.wait()
    record = read_record(path)
    assert record.rss >= held - (2 << 20)
    assert record.crossed_at and record.crossed_at <= record.touched_at <= time.time_ns()
    assert record.fastest <= 100_000 + 2 * 64 * 1024


def test_a_leaker_that_starts_big_is_big_at_once_and_stays(nest):
    path = nest.tmp / "record"
    process = nest.spawn([PROGRAMS / "leaker", "--start", 50, "--record", path])
    wait_until(lambda: path.exists() and path.stat().st_size == 40 and read_record(path).rss >= 50 << 20, what="50 MiB")
    assert abs(rss_bytes(process.pid) - (50 << 20)) < 4 << 20


def test_engines_are_spawned_in_each_way_and_stand_where_they_should(nest):
    app = start_app(nest)
    worker = app.fork()
    for how in ("plain", "thread", "pool", "setsid", "exec-thread"):
        pid = worker.engine(how, ENGINE)
        wait_until(lambda: "query-engine" in arguments(pid)[0:1][0] if arguments(pid) else False, what=f"exec by {how}")
        assert parent_of(pid) == worker.pid, how
        assert (session_of(pid) == pid) == (how == "setsid"), how
    sister = worker.engine("sister", ENGINE)
    assert parent_of(sister) == app.pid
    for how in ("double", "hop"):
        pid = worker.engine(how, ENGINE)
        wait_until(lambda: arguments(pid)[:1] == [str(ENGINE)], what=f"exec by {how}")
        assert parent_of(pid) not in (worker.pid, app.pid), how
        assert (session_of(pid) == session_of(worker.pid)) == (how == "hop"), how
        os.kill(pid, signal.SIGKILL)
    shell = worker.engine("shell", ENGINE)
    wait_until(lambda: [arguments(pid)[:1] for pid in children_of(shell)] == [[str(ENGINE)]], what="an engine below sh")
    assert os.path.basename(os.readlink(f"/proc/{shell}/exe")) in ("dash", "bash")
    os.kill(children_of(shell)[0], signal.SIGKILL)  # a shell that waits hears no SIGINT: why a wrapper breaks disconnect()
    worker.tell("disconnect")
    assert not children_of(worker.pid)
    os.kill(app.pid, signal.SIGTERM)
    wait_until(lambda: not nest.left(), what="a polite end")


def test_a_worker_heals_reaps_replaces_and_leaves_as_it_is_told(nest):
    app = start_app(nest, "--workers", 2, "--replace", 1, "--heal", 50, "--engine", f"plain {ENGINE} -p PORT")
    first, second = wait_until(lambda: len(found := workers_of(app)) == 2 and found, what="two workers")
    engine = wait_until(lambda: children_of(first.pid), what="its engine")[0]
    os.kill(engine, signal.SIGKILL)
    wait_until(lambda: [pid for pid in children_of(first.pid) if pid != engine], what="the healed engine")
    assert not alive(engine) and not is_zombie(engine)
    first.tell("set reap 0")
    engine = children_of(first.pid)[0]
    os.kill(engine, signal.SIGKILL)
    wait_until(lambda: is_zombie(engine), what="a zombie")
    orphan = children_of(second.pid)[0]
    os.kill(second.pid, signal.SIGKILL)
    wait_until(lambda: len(found := workers_of(app)) == 2 and second.pid not in [w.pid for w in found] and found,
               what="a new worker")
    assert alive(orphan)
    os.kill(app.pid, signal.SIGTERM)
    wait_until(lambda: not alive(app.pid), what="a polite end")
    assert len(nest.sweep()) == 1  # the orphan


def test_an_engine_keeps_what_it_is_asked_to_leak_and_ends_as_it_is_told(nest):
    app = start_app(nest, "--main-engine", f"plain {ENGINE} -p PORT --on-term 143")
    engine = wait_until(lambda: children_of(app.pid), what="an engine")[0]
    before = wait_until(lambda: rss_bytes(engine), what="its memory")
    leak(engine, 30)
    assert rss_bytes(engine) > before + (29 << 20)
    alone = nest.spawn([ENGINE, "--on-term", "143", "--on-int", "0"])
    wait_until(lambda: int(open(f"/proc/{alone.pid}/status").read().split("SigCgt:")[1].split()[0], 16) & 1 << 14,
               what="its handlers")
    alone.send_signal(signal.SIGTERM)
    assert alone.wait(30) == 143
    assert subprocess.run([ENGINE, "--version"], check=True, capture_output=True).stdout.startswith(b"query-engine")
    os.kill(app.pid, signal.SIGTERM)
    wait_until(lambda: not alive(engine), what="a polite end")


def test_a_hopper_is_somewhere_else_each_time_and_a_burst_is_counted(nest):
    last = nest.tmp / "last"
    hopper = nest.spawn([PROGRAMS / "hopper", "--hops", 20, "--stay", "--last", last])
    assert hopper.wait(30) == 0
    pid = int(wait_until(lambda: last.exists() and last.read_text(), what="the last generation"))
    assert alive(pid) and parent_of(pid) != os.getpid()
    ready = nest.tmp / "ready"
    burst = nest.spawn([PROGRAMS / "burst", "--count", 50, "--life", 300, "--ready", ready])
    wait_until(lambda: ready.exists(), what="the program")
    burst.send_signal(signal.SIGUSR1)
    wait_until(lambda: ready.read_text() == "1\n", what="the burst")
    assert len(children_of(burst.pid)) == 50
    wait_until(lambda: not children_of(burst.pid), what="their end")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid), what="the hopper's end")


def test_the_crasher_the_stubborn_and_the_speaker(nest):
    assert nest.spawn([PROGRAMS / "crasher", "--exit", 3]).wait(30) == 3
    assert nest.spawn([PROGRAMS / "crasher", "--after", 20, "--signal", "SEGV"]).wait(30) == -signal.SIGSEGV
    ready = nest.tmp / "ready"
    stubborn = nest.spawn([PROGRAMS / "stubborn", "--children", 2, "--ready", ready])
    wait_until(lambda: ready.exists() and len(children_of(stubborn.pid)) == 2, what="its children")
    stubborn.send_signal(signal.SIGTERM)
    speaker = nest.spawn([PROGRAMS / "speaker", "--lines", 3, "--width", 8, "--split"], stdout=subprocess.PIPE)
    assert speaker.stdout.read(24) == b"0 xxxxx\n1 xxxxx\n2 xxxxx\n"
    assert alive(stubborn.pid)
    for pid in children_of(stubborn.pid):
        os.kill(pid, signal.SIGKILL)
