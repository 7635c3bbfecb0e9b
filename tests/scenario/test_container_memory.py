"""The lines of the container that the daemon is in: in a real control group, of whichever version limits memory here."""

import os
import signal

from cgroups import LimitedGroup
from harness import PROGRAMS, alive, children_of, wait_until

MIB = 1 << 20
LIMIT = 400 * MIB  # the soft line at 320, the hard one at 336: 64 MiB are left free


def entrypoint(nest, group, *command, args=()):
    daemon = nest.daemon(command=[str(word) for word in command], args=list(args), prefix=group.prefix())
    daemon.exit_codes = (0, 143)
    return daemon


def main_of(daemon):
    return wait_until(lambda: children_of(daemon.pid), what="the command", report=daemon.report)[0]


def filler(nest):
    """Fills the container in its first run; in a later one it holds 10 MiB. It grows, because what the daemon itself holds
    counts too, and how much that is depends on how it was built."""
    script = 'if mkdir "$1" 2>/dev/null; then exec "$2" --rate 15 --start 230; else exec "$2" --rate 0 --start 10; fi'
    return "sh", "-c", script, "sh", nest.tmp / "ran", PROGRAMS / "leaker"


def test_status_tells_how_full_the_container_is(nest):
    group = LimitedGroup(nest, LIMIT)
    daemon = entrypoint(nest, group, PROGRAMS / "leaker", "--rate", "0", "--start", "100")

    def as_the_kernel_says():
        container = daemon.status()["daemon"]["container"]
        return 100 * MIB < container["used_bytes"] and abs(container["used_bytes"] - group.used()) < 40 * MIB and container
    # It is still being filled at first.
    container = daemon.wait(as_the_kernel_says, what="100 MiB being used, and the group's own figure with ours")
    assert container["limit_bytes"] == LIMIT
    assert "container: " in daemon.ctl("status")[1] and "400 MiB used" in daemon.ctl("status")[1]
    assert "80% of the container's 400 MiB" in daemon.log_text()


def test_without_a_limit_of_its_own_that_of_the_group_above_counts_or_none(nest):
    group = LimitedGroup(nest, None)
    daemon = entrypoint(nest, group, PROGRAMS / "leaker", "--rate", "0", "--start", "100")
    container = daemon.status()["daemon"].get("container")
    assert (container and container["limit_bytes"]) == group.limit_above()
    assert container or "this container has no limit" in daemon.log_text()


def test_a_command_that_fills_its_container_is_restarted_before_the_kernel_kills(nest):
    group = LimitedGroup(nest, LIMIT)
    daemon = entrypoint(nest, group, *filler(nest))
    first = main_of(daemon)
    daemon.wait(lambda: daemon.service("sh")["run"] == 2, what="the next run")
    assert not alive(first)
    event = daemon.wait_event("limit_crossed")
    assert "the container crossed its hard line" in event["why"] and event["limit_bytes"] == 336 * MIB, event
    entry = daemon.wait(lambda: [e for e in daemon.ledger("sh") if e["end"]], what="the end of the ladder")[0]
    assert (entry["cause"], entry["end"]) == ("hard", "worked")
    assert [(rung["rung"], rung["outcome"]) for rung in entry["rungs"]] == [("restart", "worked")]
    assert daemon.service("sh")["last_exit"]["kind"] == "signaled"
    assert daemon.service("sh")["last_exit"]["signal"] == signal.SIGTERM, "it was asked, not killed"
    wait_until(lambda: group.used() < LIMIT // 2, what="the memory being free again")
    os.kill(daemon.pid, signal.SIGTERM)
    assert daemon.wait_exit() == 143


def test_what_somebody_else_in_the_container_holds_is_not_the_commands_fault(nest):
    group = LimitedGroup(nest, LIMIT)
    daemon = entrypoint(nest, group, PROGRAMS / "leaker", "--rate", "0", "--start", "100")
    main = main_of(daemon)
    other = nest.spawn([*group.prefix(), PROGRAMS / "leaker", "--rate", "0", "--start", "250"])
    wait_until(lambda: group.used() > 340 * MIB, what="the container being nearly full")
    mark = daemon.status()["daemon"]["uptime_seconds"]
    # It has read that, three times over: the readings are a second apart.
    daemon.wait(lambda: daemon.status()["daemon"]["uptime_seconds"] > mark + 3.5, what="three readings")
    assert alive(main) and not daemon.ledger() and not daemon.find_event("limit_crossed")
    other.kill()
    wait_until(lambda: group.used() < 200 * MIB, what="its end")


def test_a_cache_of_files_fills_no_container(nest):
    """Read files stay in memory while there is room; the kernel drops them before it kills anybody."""
    group = LimitedGroup(nest, LIMIT)
    big = nest.tmp / "big"
    with open(big, "wb") as file:
        for _ in range(500):
            file.write(os.urandom(MIB))
        file.flush()
        os.fsync(file.fileno())
    script = 'while :; do cat "$1" "$1" > /dev/null; echo read >> "$2"; done'
    daemon = entrypoint(nest, group, "sh", "-c", script, "sh", big, nest.tmp / "rounds")
    rounds = nest.tmp / "rounds"
    wait_until(lambda: rounds.exists() and rounds.read_text().count("read") >= 3, 120, "three rounds",
               report=daemon.report)
    assert daemon.status()["daemon"]["container"]["used_bytes"] < LIMIT // 4
    assert not daemon.ledger() and not daemon.find_event("limit_crossed")


def test_the_soft_line_is_an_event_and_no_more(nest):
    """By a file, with a shorter time than the mode's two minutes. What the daemon itself holds counts too: a little more than the
    soft line of 300 MiB leaves 70 MiB to one that was built with sanitizers."""
    group = LimitedGroup(nest, LIMIT)
    daemon = nest.daemon('[services.full]\ncommand = ["@programs/leaker", "--rate", "0", "--start", "306"]\n'
                         'container = { soft = "75%", for = "2s", hard = "95%", free = "0B" }\n',
                         prefix=group.prefix())
    event = daemon.wait_event("limit_crossed")
    assert "the container has been over 75% for 2s" in event["why"], event
    assert event["limit_bytes"] == LIMIT * 3 // 4 and event["rss_bytes"] >= event["limit_bytes"]
    assert daemon.service("full")["run"] == 1 and not daemon.ledger()
    assert daemon.ctl("status")[0] == 0, "an event is not unwell"


def test_who_the_kernel_kills_for_want_of_memory_is_told_apart_and_started_again(nest):
    group = LimitedGroup(nest, LIMIT)
    script = 'if mkdir "$1" 2>/dev/null; then exec "$2" --rate 0 --start 900; else exec "$2" --rate 0 --start 10; fi'
    daemon = nest.daemon('[services.full]\nrestart = "always"\nbackoff = { first = "10ms" }\noom_score_adj = 1000\n'
                         f'command = ["sh", "-c", \'{script}\', "sh", "{nest.tmp}/ran", "@programs/leaker"]\n'
                         '[services.other]\ncommand = ["@programs/leaker", "--rate", "0", "--start", "10"]\n',
                         prefix=group.prefix())
    daemon.wait(lambda: daemon.service("full")["run"] == 2 and daemon.service("full")["state"] == "ready", what="the next run")
    last = daemon.service("full")["last_exit"]
    assert (last["kind"], last["signal"]) == ("oom_killed", signal.SIGKILL), daemon.report()
    assert "was killed by the kernel for want of memory" in daemon.log_text()
    # SIGKILL from somebody else is not the kernel's, though there was an OOM kill before; a death may explain itself by
    # one of the last two seconds.
    mark = daemon.status()["daemon"]["uptime_seconds"]
    daemon.wait(lambda: daemon.status()["daemon"]["uptime_seconds"] > mark + 3, what="three seconds")
    os.kill(daemon.service("other")["pid"], signal.SIGKILL)
    daemon.wait(lambda: daemon.service("other")["run"] == 2, what="its next run")
    last = daemon.service("other")["last_exit"]
    assert (last["kind"], last["signal"]) == ("signaled", signal.SIGKILL)


def test_observe_says_what_it_would_do(nest):
    group = LimitedGroup(nest, LIMIT)
    daemon = entrypoint(nest, group, *filler(nest), args=["--observe"])
    entry = daemon.wait(lambda: daemon.ledger(), what="a ledger")[0]
    assert entry["would"] and entry["rungs"][0]["rung"] == "restart", entry
    assert daemon.service("sh")["run"] == 1
