#!/usr/bin/python3
"""What plimsolld costs beside the least a supervisor can do (programs/least.cpp): the table of `./dev bench lifecycle`.

    lifecycle.py --bin build/bin --programs build/programs [--quick] [--only boot,restart,...] [--json FILE]

Both supervise the same services (programs/mark.cpp), whose first line of main() takes a stamp by CLOCK_MONOTONIC and hands it
over through a FIFO. They run in turn, never at the same time, several rounds, so that another load of the machine falls on
both; what is printed are medians over all rounds, and the ratio of the two. Milliseconds differ by a factor of two from machine
to machine and from hour to hour: the ratios are what can be compared.

Each figure is one function that yields rows; a row is (figure, plimsolld, least, unit, goal). Only processes started here are
ended, through their pidfds. The whole stops by itself within three minutes.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import random
import resource
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from supervisors import Bench, Least, LeastInAWorld, Plimsoll, PlimsollInAWorld, TIME_LIMIT, UnixConnection, Workers, monotonic


def ms(nanoseconds):
    return nanoseconds / 1e6


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def medians(both, get):
    return [statistics.median(get(one) for one in results) for results in both]


def boot_and_stop(bench):
    for count, rounds in ((1, 9), (100, 5), (1000, 3)):
        def measure(supervisor):
            time.sleep(0.3)  # what follows the boot (a first census) is not what the stop costs
            return supervisor.booted, supervisor.stop()
        both = bench.in_turn(count, bench.rounds(rounds), measure)
        for at, what in enumerate(("boot", "stop")):
            ours, least = medians(both, lambda one, at=at: ms(one[at]))
            yield f"{what} of {count:,}", ours, least, "ms", "<= 1.5 x" if count == 1000 else ""


def restart(bench):
    for count, rounds, kills in ((1, 4, 50), (1000, 3, 60)):
        def measure(supervisor, kills=kills):
            time.sleep(2.5)  # young processes are looked at more often: the state a day is spent in comes after that
            latencies = []
            for _ in range(kills):
                latencies.append(supervisor.restart_one())
                time.sleep(random.uniform(0.005, 0.015))
            return latencies
        of_each = bench.in_turn(count, bench.rounds(rounds), measure, (PlimsollInAWorld, Least, LeastInAWorld))
        ours, least, least_in_a_world = (sum(results, []) for results in of_each)
        for name, share, goal in (("p50", 0.5, "<= 1.3 x"), ("p99", 0.99, "<= 1.5 x")):
            row = f"restart at {count:,}, {name}"
            yield row, ms(percentile(ours, share)), ms(percentile(least, share)), "ms", goal
            yield f"{row}, world and world", ms(percentile(ours, share)), ms(percentile(least_in_a_world, share)), "ms", ""


# Some 20,000 page faults a second, as of an application at work: nothing far from its lines may go unread then.
FAULTING = """
import mmap, time
while True:
    with mmap.mmap(-1, 4 << 20) as touched:
        for at in range(0, 4 << 20, mmap.PAGESIZE):
            touched[at] = 1
    time.sleep(0.05)
"""


@contextlib.contextmanager
def machine_at_work():
    worker = subprocess.Popen([sys.executable, "-c", FAULTING])
    try:
        yield
    finally:
        worker.kill()
        worker.wait()


def memory_and_idle(bench):
    for count in (1, 1000):
        def load_of(supervisor):
            (cpu, sleeps), began = supervisor.cpu(), monotonic()
            time.sleep(bench.seconds)
            (cpu_after, sleeps_after), took = supervisor.cpu(), monotonic() - began
            return (cpu_after - cpu) / took * 100, (sleeps_after - sleeps) / took * 1e9

        def measure(supervisor):
            time.sleep(4)  # a look at the young ones, and the first readings, are over
            quiet = load_of(supervisor)
            with machine_at_work():
                time.sleep(1)
                at_work = load_of(supervisor)
            return supervisor.pss(), *quiet, at_work[0]
        both = bench.in_turn(count, 1, measure)
        goals = ("<= 6 MB", "<= 0.3 %", "", "") if count == 1000 else ("<= 4 MB", "", "", "")
        rows = (("own PSS", "MB"), ("idle, of a core", "%"), ("idle, sleeps", "/s"), ("idle, the machine at work", "%"))
        for at, (what, unit) in enumerate(rows):
            ours, least = medians(both, lambda one, at=at: one[at])
            yield f"{what}, at {count:,}", ours, least, unit, goals[at]


def spawn_and_wait(argv):
    """Milliseconds from the start of a program until its end."""
    began = monotonic()
    pid = os.posix_spawn(argv[0], argv, {}, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    took = monotonic() - began
    if os.waitpid(pid, 0)[1] != 0:
        raise RuntimeError(f"{argv} failed")
    return ms(took)


def ask(path, route):
    """Milliseconds of one request over a connection of its own."""
    began = monotonic()
    connection = UnixConnection(path)
    connection.request("GET", route)
    answer = connection.getresponse()
    answer.read()
    took = monotonic() - began
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{route}: {answer.status}")
    return ms(took)


def control(bench):
    """The floor is a program that ends at once, started in the same way."""
    times = 10 if bench.quick else 40
    with Plimsoll(bench, 1000) as supervisor:
        time.sleep(4)
        ctl = [str(bench.bin / "plimsollctl"), "--socket", str(supervisor.socket), "status"]
        rows = {"all": (ctl, "/v1/services?brief=1", "<= 5 ms"), "one": ([*ctl, "s0500"], "/v1/services/s0500", "<= 2 ms")}
        taken = {key: ([], [], []) for key in rows}
        for _ in range(times):
            for key, (argv, route, _) in rows.items():
                for at, took in enumerate((spawn_and_wait(argv), ask(supervisor.socket, route),
                                           spawn_and_wait([str(bench.programs / "mark")]))):
                    taken[key][at].append(took)
                time.sleep(0.02)
        for key, (_, _, goal) in rows.items():
            wall, request, floor = (statistics.median(values) for values in taken[key])
            yield f"ctl status of {key}, at 1,000", wall, floor, "ms", goal
            yield "its HTTP request", request, None, "ms", ""


def orphans(bench):
    """SIGKILL to a worker, until its engine has ended. Nobody else does this: the floor is a SIGKILL of our own."""
    took, floor = [], []
    with Workers(bench, 0) as supervisor:
        for worker, engine in supervisor.pairs():
            end = os.pidfd_open(engine)
            began = monotonic()
            os.kill(worker, signal.SIGKILL)
            if not select.select([end], [], [], TIME_LIMIT)[0]:
                raise TimeoutError(f"the orphan {engine} was not ended")
            took.append(ms(monotonic() - began))
            os.close(end)
            time.sleep(random.uniform(0.02, 0.3))
    for _ in took:
        victim = subprocess.Popen([bench.programs / "mark", bench.stamps.path, "0"])
        bench.stamps.read(1)
        end = os.pidfd_open(victim.pid)
        began = monotonic()
        victim.kill()
        select.select([end], [], [], TIME_LIMIT)
        floor.append(ms(monotonic() - began))
        os.close(end)
        victim.wait()
    yield "orphan ended, p50", percentile(took, 0.5), percentile(floor, 0.5), "ms", "<= 5 ms"
    yield "orphan ended, worst", max(took), max(floor), "ms", ""


def census(bench):
    """By plimsoll_bench, from within: one look at a tree that has not changed, beside the plain listing of /proc."""
    argv = [bench.bin / "plimsoll_bench", "--benchmark_filter=(look_at_a_tree|listing_floor).*/1000",
            "--benchmark_format=json", "--benchmark_min_time=0.3"]
    text = subprocess.run(argv, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=TIME_LIMIT).stdout
    found = {one["name"].split("/")[0]: one["real_time"] / 1e3 for one in json.loads(text)["benchmarks"]}
    floor = found["listing_floor_readdir"]
    yield "census of 1,000 in one tree", found["look_at_a_tree"], floor, "ms", ""
    yield "the same, nothing was forked", found["look_at_a_tree_where_nothing_is_forked"], floor, "ms", ""


FIGURES = {"boot": boot_and_stop, "restart": restart, "idle": memory_and_idle, "control": control, "orphans": orphans,
           "census": census}


def memory_folder():
    """On tmpfs, as /run is, where a daemon's socket and its FIFOs stand."""
    folders = [folder for folder in ("/run", "/dev/shm") if os.access(folder, os.W_OK)]
    kinds = {line.split()[1]: line.split()[2] for line in pathlib.Path("/proc/mounts").read_text().splitlines()}
    return next((folder for folder in folders if kinds.get(folder) == "tmpfs"), None)


def shown(value):
    if value is None:
        return "-"
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def print_row(row):
    figure, ours, least, unit, goal = row
    ratio = f"{ours / least:.2f}" if least else "-"
    print(f"| {figure:30} | {shown(ours):>9} {unit:2} | {shown(least):>9} {unit:2} | {ratio:>6} | {goal:9} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--quick", action="store_true", help="one round of each")
    parser.add_argument("--only", default=",".join(FIGURES), help="some of " + ",".join(FIGURES))
    parser.add_argument("--rt", action="store_true", help="all of it as SCHED_RR 1: on a loaded machine, the supervisors and "
                        "not the run queue are measured")
    parser.add_argument("--json", type=pathlib.Path, help="the rows, one JSON object a line")
    options = parser.parse_args()
    chosen = options.only.split(",")
    if unknown := set(chosen) - set(FIGURES):
        sys.exit(f"lifecycle.py: no figure {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    if options.rt:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    print(f"Linux {platform.release()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
          f"{hard} descriptors, {'SCHED_RR' if options.rt else 'SCHED_OTHER'}, {time.strftime('%Y-%m-%d')}\n")
    print(f"| {'figure':30} | {'plimsolld':>12} | {'least':>12} | {'ratio':>6} | {'goal':9} |")
    print(f"|{'-' * 32}|{'-' * 13}:|{'-' * 13}:|{'-' * 7}:|{'-' * 11}|")
    with tempfile.TemporaryDirectory(prefix="plb-", dir=memory_folder()) as folder:
        bench = Bench(options, pathlib.Path(folder))
        for name in chosen:
            for row in FIGURES[name](bench):
                print_row(row)
                if options.json:
                    with options.json.open("a") as out:
                        out.write(json.dumps(dict(zip(("figure", "plimsolld", "least", "unit", "goal"), row))) + "\n")


if __name__ == "__main__":
    main()
