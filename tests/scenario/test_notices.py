"""What a service says of itself: readiness by sd_notify and by a descriptor, keep-alives, another main process, a flood."""

import os
import signal

import pytest
from harness import wait_until

# An app that speaks sd_notify in a few lines of its own, as every app does that carries no library for it. It does what it
# finds written in the file `orders`, one line after the other, and says in `done` how many it has done.
SPEAKER = r'''
import os, socket, sys, time
orders, done = sys.argv[1], sys.argv[2]

def say(text):
    address = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.connect("\0" + address[1:])
        s.send(text.encode().decode("unicode_escape").encode())

def obey(order):
    word, _, rest = order.partition(" ")
    if word == "say":
        say(rest)
    elif word == "child":  # a process of its own says it, and waits until it is told to go on
        if os.fork() == 0:
            say(rest)
            time.sleep(1000000)
    elif word == "hand-on":  # another process is the main one from now on, and this one ends
        child = os.fork()
        if child == 0:
            return
        say("MAINPID=%d" % child)
        with open(done + ".main", "w") as file:
            file.write(str(child))
        time.sleep(1000000)
    elif word == "flood":
        for _ in range(int(rest)):
            say("STATUS=flood")
    elif word == "environment":
        with open(done + ".environment", "w") as file:
            file.write("\n".join(name + "=" + value for name, value in os.environ.items()))

count = 0
while True:
    try:
        with open(orders) as file:
            lines = file.read().splitlines()
    except OSError:
        lines = []
    for line in lines[count:]:
        obey(line)
        count += 1
        with open(done, "w") as file:
            file.write(str(count))
    time.sleep(0.01)
'''


class Speaker:
    """A service `one` that says what it is told to say."""

    def __init__(self, nest, keys, start=True, args=()):
        self.tmp = nest.tmp
        self.orders = 0
        (nest.tmp / "speaker.py").write_text(SPEAKER)
        (nest.tmp / "orders").write_text("")
        self.daemon = nest.daemon(f"""
[services.one]
command = ["@python", "-u", "@tmp/speaker.py", "@tmp/orders", "@tmp/done"]
backoff = {{ first = "100ms", max = "100ms" }}
{keys}
""", start=start, args=args)

    def order(self, text, wait=True):
        with open(self.tmp / "orders", "a", encoding="utf-8") as file:
            file.write(text + "\n")
        self.orders += 1
        if wait:
            wait_until(lambda: self.done() >= self.orders, what=f"'{text}' done", report=self.daemon.log_text)

    def done(self):
        try:
            return int((self.tmp / "done").read_text() or 0)
        except OSError:
            return 0

    def state(self):
        return self.daemon.service("one")["state"]

    def whys(self):
        return [event["why"] for event in self.daemon.events() if event["service"] == "one"]


READY = 'ready = { notify = true, timeout = "10m" }'


def test_ready_by_sd_notify_of_the_main_process(nest):
    one = Speaker(nest, READY)
    one.order("say STATUS=booting 3 of 4")
    one.daemon.wait(lambda: "booting 3 of 4" in one.daemon.service("one")["note"], what="the status")
    assert one.state() == "starting"
    one.order("say READY=1\\nSTATUS=serving")
    one.daemon.wait(lambda: one.state() == "ready", what="ready")
    assert any("READY=1" in why for why in one.whys())
    code, out, _ = one.daemon.ctl("status", "one")
    assert code == 0 and "serving" in out


def test_ready_by_sd_notify_of_a_process_below_it(nest):
    one = Speaker(nest, READY)
    one.order("child READY=1")
    one.daemon.wait(lambda: one.state() == "ready", what="ready")


def test_what_a_stranger_says_is_not_taken_and_told_once(nest):
    one = Speaker(nest, READY)
    one.order("environment")
    variables = dict(line.partition("=")[::2] for line in (nest.tmp / "done.environment").read_text().splitlines())
    import socket
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        stranger.connect("\0" + variables["NOTIFY_SOCKET"][1:])
        for _ in range(20):
            stranger.send(b"READY=1")
    one.daemon.wait(lambda: "is not taken" in one.daemon.log_text(), what="the refusal in the log")
    one.order("say STATUS=still booting")  # behind the stranger's in the queue
    one.daemon.wait(lambda: "still booting" in one.daemon.service("one")["note"], what="the status")
    assert one.state() == "starting"
    assert one.daemon.log_text().count("is not taken") == 1


def test_without_notify_in_the_plan_nothing_is_told_to_the_service(nest):
    one = Speaker(nest, "")
    one.order("environment")
    assert "NOTIFY_SOCKET=" not in (nest.tmp / "done.environment").read_text()


def test_an_app_whose_keep_alives_stay_away_is_restarted_and_one_that_says_so_is_at_once(nest):
    one = Speaker(nest, 'live = { notify = true, timeout = "2s" }\non_hung = ["restart"]\ncool_down = "1ms"\n'
                        'stop = { grace = "1s" }')
    one.daemon.wait(lambda: one.state() == "ready", what="ready")
    one.order("environment")
    assert "WATCHDOG_USEC=2000000" in (nest.tmp / "done.environment").read_text()
    one.daemon.wait(lambda: one.daemon.service("one")["run"] == 2, what="the restart")
    assert any("no keep-alive" in why for why in one.whys())
    (nest.tmp / "orders").write_text("say WATCHDOG_USEC=600000000\\nWATCHDOG=1\nsay WATCHDOG=trigger\n")
    one.daemon.wait(lambda: any("WATCHDOG=trigger" in why for why in one.whys()), what="the trigger")
    one.daemon.wait(lambda: one.daemon.service("one")["run"] >= 3, what="the second restart")


@pytest.mark.parametrize("sources", [[], ["--without", "connector"]], ids=["as it is", "the walk alone"])
def test_a_main_process_that_hands_on_keeps_the_run(nest, sources):
    one = Speaker(nest, READY, args=sources)
    first = one.daemon.service("one")["pid"]
    one.order("say READY=1")
    one.daemon.wait(lambda: one.state() == "ready", what="ready")
    one.order("hand-on")
    main = int(wait_until(lambda: (nest.tmp / "done.main").exists() and (nest.tmp / "done.main").read_text(),
                          what="the new main process"))
    one.daemon.wait(lambda: one.daemon.service("one")["pid"] == main, what="the new main process in the status")
    os.kill(first, signal.SIGKILL)
    one.daemon.wait(lambda: first not in [p["pid"] for p in one.daemon.tree("one")], what="the first one gone")
    assert (one.state(), one.daemon.service("one")["run"]) == ("ready", 1)
    os.kill(main, signal.SIGKILL)
    one.daemon.wait(lambda: one.daemon.service("one")["run"] == 2, what="the next run")


def test_a_flooded_notify_socket_keeps_nobody_else_waiting_and_is_said_once(nest):
    one = Speaker(nest, READY + """
[services.two]
command = ["@programs/crasher", "--after", "1000000"]
""")
    one.order("flood 3000", wait=False)
    one.daemon.wait(lambda: "notifications in a second" in one.daemon.log_text(), what="the complaint")
    assert one.daemon.ctl("restart", "two")[0] == 0, "meanwhile all else is done"
    wait_until(lambda: one.done() >= 1, what="the flood's end", report=one.daemon.log_text)
    one.order("say READY=1")
    one.daemon.wait(lambda: one.state() == "ready", what="ready after the flood")
    assert one.daemon.log_text().count("notifications in a second") == 1


def test_ready_by_a_descriptor(nest):
    daemon = nest.daemon("""
[services.one]
command = ["sh", "-c", "until [ -e @tmp/go ]; do sleep 0.02; done; echo starting >&2; printf 'almost' >&7; printf ' there\\n' >&7; exec 7>&-; exec sleep 100000"]
ready = { fd = 7 }
""")
    daemon.wait(lambda: daemon.service("one")["pid"], what="the launch")
    assert daemon.service("one")["state"] == "starting"
    (nest.tmp / "go").touch()
    daemon.wait(lambda: daemon.service("one")["state"] == "ready", what="ready")
    assert any("descriptor 7" in event["why"] for event in daemon.events())


def test_a_descriptor_that_is_closed_without_a_word_makes_nobody_ready(nest):
    daemon = nest.daemon("""
[services.one]
command = ["sh", "-c", "exec 3>&-; exec sleep 100000"]
ready = { fd = 3, timeout = "500ms" }
""")
    daemon.wait(lambda: daemon.service("one")["state"] == "late", what="late")
