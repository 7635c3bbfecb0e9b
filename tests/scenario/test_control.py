"""The control socket and plimsollctl: who may, what is refused, and that nobody can hang it."""

import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import time

import pytest

from apps import ENGINE, app_daemon, app_service, main_of, workers_with_engines
from harness import PLIMSOLLCTL, PLIMSOLLD, SLOW, alive, clean_environment, figure, wait_until

LONG = '["@programs/crasher", "--after", "1000000"]'
ONE = f"[services.one]\ncommand = {LONG}\n"
TWO = ONE + f"[services.two]\ncommand = {LONG}\n"

STARTS = {"GET": b"GET /v1/daemon HTTP/1.1\r\nHost: x\r\n",
          "POST": b"POST /v1/services/one/actions HTTP/1.1\r\nHost: x\r\n"}
NOISE = random.Random(7)


def post(body):
    return STARTS["POST"] + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


MALFORMED = {
    "nothing": b"",
    "one byte": b"G",
    "a newline": b"\n",
    "only line ends": b"\r\n" * 20,
    "zeroes": b"\0" * 64,
    "noise": NOISE.randbytes(512),
    "a lot of noise": NOISE.randbytes(200_000),
    "TLS hello": bytes.fromhex("16030100a5010000a10303") + NOISE.randbytes(160),
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "no version": b"GET /v1/daemon\r\n\r\n",
    "another version": b"GET /v1/daemon HTTP/9.9\r\n\r\n",
    "letters as version": b"GET /v1/daemon HTTP/x.y\r\n\r\n",
    "no method": b" /v1/daemon HTTP/1.1\r\n\r\n",
    "an unknown method": b"EAT /v1/daemon HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method that is not this path's": b"DELETE /v1/daemon HTTP/1.1\r\nHost: x\r\n\r\n",
    "an unknown path": b"GET /v2/nothing HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path without a slash": b"GET v1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a broken escape": b"GET /v1/services/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
    "a zero in the path": b"GET /v1/services/%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "an unknown query": b"GET /v1/daemon?more=1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a query that is no number": b"GET /v1/events?since=abc HTTP/1.1\r\nHost: x\r\n\r\n",
    "a number that is too big": b"GET /v1/events?since=99999999999999999999999 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header without a colon": STARTS["GET"] + b"nonsense\r\n\r\n",
    "a header with a blank in its name": STARTS["GET"] + b"A : b\r\n\r\n",
    "a header of 64 KiB": STARTS["GET"] + b"X: " + b"a" * 65536 + b"\r\n\r\n",
    "ten thousand headers": STARTS["GET"] + b"X: a\r\n" * 10_000 + b"\r\n",
    "a path of 64 KiB": b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\n\r\n",
    "a negative length": STARTS["POST"] + b"Content-Length: -1\r\n\r\n{}",
    "a length in letters": STARTS["POST"] + b"Content-Length: many\r\n\r\n{}",
    "a huge length": STARTS["POST"] + b"Content-Length: 99999999999\r\n\r\n",
    "two lengths": STARTS["POST"] + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "length and chunks": STARTS["POST"] + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bad chunk": STARTS["POST"] + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a body of 1 MiB": STARTS["POST"] + b"Content-Length: 1048576\r\n\r\n" + b" " * 1048576,
    "a body cut short": STARTS["POST"] + b"Content-Length: 100\r\n\r\n{\"do\":",
    "no JSON": post(b"hello"),
    "JSON of another shape": post(b"[1,2,3]"),
    "an unknown act": post(b'{"do":"fly"}'),
    "an unknown key": post(b'{"do":"stop","when":"no"}'),
    "a key of another type": post(b'{"do":["stop"]}'),
    "no key": post(b"{}"),
    "deep JSON": post(b"[" * 20000),
    "no service": b"POST /v1/services/nobody/actions HTTP/1.1\r\nContent-Length: 13\r\n\r\n{\"do\":\"stop\"}",
}


def send_raw(path, sent):
    """All that comes back until the daemon closes, or we are sure that it waits for nothing more."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30 * SLOW)
        client.connect(path)
        try:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it closed in our mid-sentence
        answer = b""
        try:
            while got := client.recv(65536):
                answer += got
        except ConnectionError:
            pass
        return answer


def test_malformed_bytes_get_a_4xx_or_a_close_and_change_nothing(nest):
    assert len(MALFORMED) >= 30
    daemon = nest.daemon(ONE)
    before = daemon.wait_ready("one")
    for name, sent in MALFORMED.items():
        answer = send_raw(daemon.socket_path, sent)
        assert answer == b"" or re.match(rb"HTTP/1\.1 4\d\d ", answer), f"{name}: {answer[:200]!r}"
        assert daemon.running(), f"{name}\n{daemon.log_text()}"
    assert daemon.service("one")["pid"] == before["pid"] and daemon.service("one")["run"] == before["run"]


def test_64_clients_hanging_in_mid_request_do_not_keep_the_next_one_out(nest):
    daemon = nest.daemon(ONE)
    clients = []
    nest.finally_(lambda: [client.close() for client in clients])
    for i in range(64):
        client = socket.socket(socket.AF_UNIX)
        client.connect(daemon.socket_path)
        client.sendall((STARTS["GET"] if i % 2 else b"G") + b"X-Half:")
        clients.append(client)
    began = time.monotonic()
    code, _, err = daemon.ctl("ping")
    took = time.monotonic() - began
    assert code == 0, err
    figure(f"with 64 clients hanging in mid-request the next one was served after {took * 1000:.0f} ms")
    for _ in range(5):
        assert daemon.ctl("status")[0] == 0


def test_an_unknown_service_is_a_404_with_the_known_names_and_exit_2(nest):
    daemon = nest.daemon(TWO)
    code, body = daemon.http("GET", "/v1/services/three")
    assert code == 404 and "one" in body["error"] and "two" in body["error"]
    for verb in ("status", "start", "stop", "restart", "why", "tree"):
        code, out, err = daemon.ctl(verb, "three")
        assert code == 2, (verb, out, err)
        assert "one" in err and "two" in err, (verb, err)


def test_wrong_usage_exits_2_and_help_0(nest):
    daemon = nest.daemon(TWO)
    for words in (["fly"], ["stop", "one", "two", "three"], ["--bogus"], ["hold", "--for", "soon"], ["do"]):
        assert daemon.ctl(*words)[0] == 2, words
    code, out, err = daemon.ctl("stop")
    assert code == 2 and "one" in err and "two" in err, "the name may be left out only when there is one"
    code, out, _ = daemon.ctl("--help")
    assert code == 0 and "events" in out
    assert daemon.ctl("version")[0] == 0


def test_without_a_daemon_ctl_exits_4_and_names_the_sockets_it_tried(nest):
    path = str(nest.tmp / "nobody.sock")
    done = subprocess.run([PLIMSOLLCTL, "--socket", path, "status"], capture_output=True, text=True, check=False,
                          timeout=30 * SLOW)
    assert done.returncode == 4 and path in done.stderr and "--socket" in done.stderr and done.stdout == ""
    done = subprocess.run([PLIMSOLLCTL, "ping"], capture_output=True, text=True, check=False, timeout=30 * SLOW,
                          env=clean_environment({"PLIMSOLL_SOCKET": path}))
    assert done.returncode == 4 and path in done.stderr


def test_the_version_is_said_without_a_daemon(nest):
    said = [subprocess.run([PLIMSOLLCTL, "--socket", str(nest.tmp / "nobody.sock"), *words], capture_output=True, text=True,
                           check=True, timeout=30 * SLOW).stdout for words in (["--version"], ["version"])]
    assert re.fullmatch(r"plimsollctl \d+\.\d+\.\d+\n", said[0]) and said[1] == said[0], said
    version = said[0].split()[1]
    daemon = nest.daemon("")
    assert daemon.ctl("--version")[:2] == (0, said[0])
    code, out, _ = daemon.ctl("version")
    assert code == 0 and out.startswith(f"{said[0]}plimsolld {version} (") and f"pid {daemon.pid})" in out, out
    assert daemon.json("version") == {"schema": 1, "version": version}


# --- roles ------------------------------------------------------------------------------------------------------------

def as_nobody(*groups):
    asked = ["--groups", ",".join(groups)] if groups else ["--clear-groups"]
    return ["setpriv", "--reuid", "nobody", "--regid", "nogroup", *asked]


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@needs_root
def test_a_user_outside_every_group_is_refused(nest):
    daemon = nest.daemon("[daemon]\noperators = [\"games\"]\nobservers = [\"adm\"]\n" + ONE)
    pid = daemon.wait_ready("one")["pid"]
    for words in (["status"], ["stop", "one"], ["events"], ["reload"]):
        code, out, err = daemon.ctl(*words, prefix=as_nobody())
        assert code == 5 and out == "", (words, code, out, err)
    assert alive(pid)
    request = b"GET /v1/services HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    done = subprocess.run([*as_nobody(), "/usr/bin/python3", "-c",
                           "import socket,sys;s=socket.socket(socket.AF_UNIX);s.connect(sys.argv[1]);s.sendall(bytes.fromhex(sys.argv[2]));"
                           "print(s.recv(999).decode())", daemon.socket_path, request.hex()], capture_output=True,
                           text=True, check=True)
    assert done.stdout.startswith("HTTP/1.1 403 ")


@needs_root
def test_observers_look_and_operators_act(nest):
    daemon = nest.daemon("[daemon]\noperators = [\"games\"]\nobservers = [\"adm\"]\n" + ONE)
    pid = daemon.wait_ready("one")["pid"]
    assert daemon.ctl("status", prefix=as_nobody("adm"))[0] == 0
    assert daemon.ctl("events", prefix=as_nobody("adm"))[0] == 0
    code, _, err = daemon.ctl("stop", "one", prefix=as_nobody("adm"))
    assert code == 5 and err
    assert alive(pid)
    assert daemon.ctl("stop", "one", prefix=as_nobody("games"))[0] == 0
    assert not alive(pid)
    assert "nobody" in daemon.find_event("operator", service="one")["why"]


# --- the socket -------------------------------------------------------------------------------------------------------

def test_a_second_daemon_on_the_same_socket_is_refused_and_the_first_not_disturbed(nest):
    daemon = nest.daemon(ONE)
    pid = daemon.wait_ready("one")["pid"]
    second = nest.spawn([PLIMSOLLD, "--config", daemon.config_path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert second.wait(30 * SLOW) == 75
    assert daemon.socket_path.encode() in second.stderr.read()
    assert daemon.ctl("ping")[0] == 0 and daemon.service("one")["pid"] == pid


def test_a_stale_socket_is_replaced(nest):
    daemon = nest.daemon("")
    daemon.kill()
    assert os.path.exists(daemon.socket_path)
    assert daemon.ctl("ping")[0] == 4
    daemon.start()
    assert daemon.stop() == 0
    assert not os.path.exists(daemon.socket_path)


def test_the_socket_is_open_to_all_and_its_folder_holds_no_secret(nest):
    daemon = nest.daemon(ONE)
    assert pathlib.Path(daemon.socket_path).stat().st_mode & 0o777 == 0o666
    code, body = daemon.http("GET", "/v1/daemon")
    assert code == 200 and body["schema"] == 1
    everything = json.dumps([daemon.http("GET", path)[1] for path in ("/v1/services", "/v1/services/one",
                                                                      "/v1/events", "/v1/ledger")])
    assert "1000000" not in everything, "no argv in any answer"


@needs_root
def test_a_stale_socket_does_not_hide_the_only_daemon(nest):
    """A /run of its own, in which a daemon that was killed has left its socket."""
    left = 'import socket; socket.socket(socket.AF_UNIX).bind("/run/plimsoll/dead.sock")'
    script = (f"mount -t tmpfs none /run && mkdir /run/plimsoll && /usr/bin/python3 -c '{left}' && test -S /run/plimsoll/dead.sock && "
              'exec "$0" -- sh -c \'"$0" status; "$0" stop nothing; "$0" --name dead status\' "$1"')
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script, PLIMSOLLD, PLIMSOLLCTL], capture_output=True, text=True,
                          env=clean_environment({}), check=False, timeout=60 * SLOW)
    assert re.match(r"(?s)well\nsh \d", done.stdout), done.stdout + done.stderr
    assert done.returncode == 4 and "dead.sock: nobody listens" in done.stderr, done.stderr
    assert done.stderr.count("there is: --name sh") == 2 and "--name dead" not in done.stderr, done.stderr


# --- looking ----------------------------------------------------------------------------------------------------------

def test_status_json_has_the_documented_shape(nest):
    daemon = app_daemon(nest, app_service(flags=["--workers", "1", "--engine", f"plain {ENGINE}"]))
    daemon.wait_engines("app", 1)
    status = daemon.status()
    assert status["schema"] == 1
    assert {"name", "version", "pid", "uptime_seconds", "config", "mode", "sources"} <= set(status["daemon"])
    assert status["daemon"]["pid"] == daemon.pid and status["daemon"]["mode"] == "act"
    assert status["daemon"]["config"] == str(daemon.config_path)
    [service] = status["services"]
    assert {"name", "state", "pid", "run", "restarts", "uptime_seconds", "rss_bytes", "tree_rss_bytes", "last_exit",
            "engines"} <= set(service)
    assert service["last_exit"] is None and service["tree_rss_bytes"] > service["rss_bytes"] > 0
    [engine] = service["engines"]
    assert {"rule", "pid", "owner", "owner_pid", "state", "rss_bytes", "peak_rss_bytes", "age_seconds"} <= set(engine)
    assert engine["age_seconds"] >= 1 and engine["peak_rss_bytes"] >= engine["rss_bytes"] > 0


def test_a_brief_status_says_of_each_service_what_the_whole_one_does_and_less_of_it(nest):
    daemon = app_daemon(nest, app_service(flags=["--workers", "1", "--engine", f"plain {ENGINE}"]) + ONE)
    daemon.wait_engines("app", 1)
    daemon.wait_ready("one")
    assert daemon.ctl("stop", "one")[0] == 0
    whole, code, brief = daemon.status(), *daemon.http("GET", "/v1/services?brief=1")
    assert code == 200 and brief["daemon"].keys() == whole["daemon"].keys()
    moving = {"uptime_seconds", "rss_bytes", "tree_rss_bytes", "engines"}
    for short, full in zip(brief["services"], whole["services"], strict=True):
        assert {key: short[key] for key in short.keys() - moving} == {key: full[key] for key in short.keys() - moving}
        assert full.keys() - short.keys() <= {key for key, value in full.items() if not value} | {"run", "budget_acts"}
        assert all(short.values()), short
    app, one = brief["services"]
    assert app["engines"][0].keys() == whole["services"][0]["engines"][0].keys()
    assert app["pid"] and "pid" not in one and one["state"] == "stopped" and one["last_exit"]["kind"] == "signaled"
    assert daemon.http("GET", "/v1/services?brief=yes") == (400, {"schema": 1, "error": "brief: must be 0 or 1"})


def test_status_and_tree_for_people_name_everything_and_exit_0_when_well(nest):
    daemon = app_daemon(nest, app_service(flags=["--workers", "2", "--engine", f"plain {ENGINE}"]))
    pairs = workers_with_engines(nest, daemon, 2)
    daemon.wait(lambda: daemon.status()["daemon"]["well"], what="being well")
    code, out, _ = daemon.ctl()
    assert code == 0 and "app" in out and "ready" in out
    assert all(str(engine) in out for engine in pairs.values())
    code, out, _ = daemon.ctl("tree", "app")
    assert code == 0
    lines = out.splitlines()
    for worker, engine in pairs.items():
        below = next(i for i, line in enumerate(lines) if re.search(rf"\b{worker.pid}\b", line))
        assert re.search(rf"\b{engine}\b", lines[below + 1]) and "engine" in lines[below + 1], out
    code, of_all, _ = daemon.ctl("tree")
    assert code == 0 and len(of_all.splitlines()) == len(lines)


def test_events_follow_what_happens_and_since_leaves_out_what_was_seen(nest):
    daemon = nest.daemon(TWO)
    daemon.wait_ready("two")
    follower = nest.spawn([PLIMSOLLCTL, "--socket", daemon.socket_path, "--json", "events", "-f"],
                          stdout=subprocess.PIPE)
    os.set_blocking(follower.stdout.fileno(), False)
    heard = []

    def hears(word):
        heard.append(follower.stdout.read() or b"")  # None: nothing yet
        return word in b"".join(heard).decode()
    mark = daemon.mark()
    assert daemon.ctl("stop", "one")[0] == 0
    wait_until(lambda: hears('"stopped"') or hears("stopped"), what="the follower hearing of the stop")
    new = daemon.events(mark)
    assert new and all(event["id"] > mark for event in new)
    assert [event["id"] for event in new] == sorted(event["id"] for event in new)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["at"]) for event in new)
    assert len({event["boot"] for event in daemon.events()}) == 1
    assert {event["kind"] for event in new} <= set(
        "daemon config operator service_state engine_found engine_gone engine_disconnected engine_lost engine_orphaned engine_hung "
        "limit_crossed rung hook cycle budget census".split())
    logged = daemon.log_text()
    assert all(event["why"] in logged for event in new), "the log prints the same sentence"
    os.kill(daemon.pid, signal.SIGTERM)
    assert daemon.wait_exit() == 0
    follower.wait(30 * SLOW)


def test_events_of_one_service_and_only_the_last(nest):
    daemon = nest.daemon(TWO)
    daemon.wait_ready("two")
    for name in ("one", "two", "one"):
        assert daemon.ctl("restart", name)[0] == 0
    of_one = [event for event in daemon.events() if event["service"] == "one"]
    assert len(of_one) > 4 and daemon.json("events", "one")["events"] == of_one
    assert daemon.json("events", "one", "-n", 2)["events"] == of_one[-2:]
    assert daemon.json("events", "-n", 3)["events"] == daemon.events()[-3:]
    assert daemon.json("events", "one", "--since", of_one[1]["id"], "-n", 99)["events"] == of_one[2:]
    code, out, _ = daemon.ctl("events", "one", "-n", 2)
    assert code == 0 and [line.split()[3] for line in out.splitlines()] == ["one", "one"], out
    assert of_one[-1]["why"] in out.splitlines()[-1]
    code, _, err = daemon.ctl("events", "three")
    assert code == 2 and "one" in err and "two" in err
    assert daemon.ctl("events", "-n", 0)[0] == 2


def test_a_follower_of_one_service_hears_of_no_other(nest):
    daemon = nest.daemon(TWO)
    daemon.wait_ready("two")
    follower = nest.spawn([PLIMSOLLCTL, "--socket", daemon.socket_path, "--json", "events", "two", "-f", "-n", "1"],
                          stdout=subprocess.PIPE)
    os.set_blocking(follower.stdout.fileno(), False)
    heard = []

    def ids():
        heard.append(follower.stdout.read() or b"")  # None: nothing yet
        return [json.loads(line)["id"] for line in b"".join(heard).split(b"\n")[:-1]]
    last = [event["id"] for event in daemon.events() if event["service"] == "two"][-1]
    wait_until(lambda: ids() == [last], what="the last of before", report=lambda: str(heard))
    assert daemon.ctl("stop", "one")[0] == 0 and daemon.ctl("stop", "two")[0] == 0
    after = [event["id"] for event in daemon.events() if event["service"] == "two" and event["id"] >= last]
    wait_until(lambda: ids() == after, what="all of two and nothing of one", report=lambda: str(heard))


# --- hold -------------------------------------------------------------------------------------------------------------

def test_hold_withholds_acts_and_says_so_until_released(nest):
    daemon = app_daemon(nest, app_service())
    main = main_of(nest, daemon)
    worker = main.fork()
    engine = worker.engine("plain", ENGINE, "-p", "PORT")
    daemon.wait_engines("app", 1)
    code, out, err = daemon.ctl("hold")
    assert code == 0, out + err
    assert daemon.status()["daemon"]["hold"]["until"] is None
    code, out, _ = daemon.ctl("status")
    assert code == 3 and "hold" in out.lower() or "held" in out.lower(), "held is not well"
    os.kill(worker.pid, signal.SIGKILL)
    daemon.wait(lambda: [e for e in daemon.events() if e.get("would") and e.get("pid") == engine],
                what="what it would do")
    assert alive(engine) and daemon.engines("app")[0]["state"] == "orphan"
    assert daemon.ctl("release")[0] == 0
    wait_until(lambda: not alive(engine), what="the orphan's end after the release", report=daemon.report)
    daemon.wait(lambda: daemon.ctl("status")[0] == 0, what="being well again")


def test_hold_for_a_time_ends_by_itself(nest):
    daemon = nest.daemon(ONE)
    daemon.wait_ready("one")
    code, out, _ = daemon.ctl("hold", "--for", "2h", "--except", "hard")
    assert code == 0, out
    until = daemon.status()["daemon"]["hold"]["until"]
    assert re.fullmatch(r"interventions are held for 2h, but for hard limits, until .* \((in 2h|in 1h 59m)\)\n", out), out
    assert until[14:19] in out, "its minute and second, in the zone of whoever asks"
    assert "until released" in daemon.ctl("hold")[1]
    assert daemon.ctl("hold", "--for", "1s")[0] == 0
    assert daemon.status()["daemon"]["hold"]["until"]
    daemon.wait(lambda: not daemon.status()["daemon"].get("hold"), what="its end")
    assert daemon.ctl("status")[0] == 0


def test_hold_except_hard_lets_hard_lines_through_and_what_an_operator_asks(nest):
    config = app_service(more='backoff = { first = "10ms" }') + """
[services.leaker]
command = ["@programs/leaker", "--start", "40", "--rate", "100"]
restart = "never"
backoff = { first = "10ms" }
memory  = { hard = "120MiB" }
on_hard = ["kill"]
"""
    daemon = app_daemon(nest, config)
    assert daemon.ctl("hold", "--except", "hard")[0] == 0
    assert daemon.status()["daemon"]["hold"]["except_hard"] is True
    run = daemon.service("leaker")["run"]
    daemon.wait(lambda: daemon.service("leaker")["run"] > run, what="a hard line being acted on")
    assert daemon.ctl("restart", "app")[0] == 0, "a command is no act of our judgement"
