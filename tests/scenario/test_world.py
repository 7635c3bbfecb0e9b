"""What the processes of a service find around them: each key is seen to hold by a program that looks, and each step that is
refused is named.

As root, services get a user without rights. Without root that is refused, and then the refusal is what is looked at: no test here
is skipped, and each says which of the two it did.
"""

import grp
import json
import os
import pathlib
import pwd
import resource
import shutil
import signal

import pytest

from failing import OWN_MOUNTS
from harness import PYTHON, ROOT, alive, carriers, stat_fields, wait_until

ROOT_TEST = os.geteuid() == 0
NOBODY = pwd.getpwnam("nobody")
DAEMON_GROUP = grp.getgrnam("daemon").gr_gid


def program(nest):
    """Where every user can read it, and with a folder to write to."""
    path = nest.tmp / "world.py"
    if not path.exists():
        shutil.copy(ROOT / "tests" / "programs" / "world.py", path)
        path.chmod(0o644)
    return path


def service(nest, keys, name="one", arguments=""):
    return f'[services.{name}]\ncommand = ["{PYTHON}", "{program(nest)}"{arguments}]\nbackoff = {{ first = "1h", max = "1h" }}\n{keys}\n'


def worlds(daemon):
    return [json.loads(line) for line in daemon.out_text().splitlines() if line.startswith("{")]


def world(daemon, count=1):
    """Of the run whose line is the `count`-th."""
    return wait_until(lambda: len(found := worlds(daemon)) >= count and found[count - 1], what=f"line {count} of the program",
                      report=daemon.report)


def start(nest, keys, **more):
    daemon = nest.daemon(service(nest, keys), **more)
    return daemon, world(daemon)


def refusal(daemon, name):
    """The sentence about the start of that service that failed."""
    event = daemon.wait_event("service_state", service=name, why=lambda why: why.startswith("cannot start"))
    return event["why"].removeprefix("cannot start: ").split(";")[0]


def open_to_all(nest):
    nest.tmp.chmod(0o777)


def test_without_keys_it_finds_what_the_daemon_has(nest):
    ours = {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name)) for name in ("NOFILE", "NPROC", "STACK")}
    daemon, found = start(nest, "", environment={"FROM_THE_DAEMON": "yes"})
    assert found["uids"] == list(os.getresuid()) and found["gids"] == list(os.getresgid())
    assert found["groups"] == sorted(os.getgroups()) and found["nice"] == os.getpriority(os.PRIO_PROCESS, 0)
    for name, limits in ours.items():
        assert found["rlimits"][name.lower()] == ["infinity" if value == resource.RLIM_INFINITY else value for value in limits], name
    assert found["session"] == found["group"] == found["pid"]
    assert found["stdin"] == "/dev/null" and found["stdout"] is True and found["stderr"] is True
    variables = found["environment"]
    assert variables["FROM_THE_DAEMON"] == "yes" and variables["PLIMSOLL_SERVICE"] == "one"
    assert variables["PLIMSOLL_RUN"].endswith(":one:1")
    assert daemon.service("one")["state"] == "ready"


def all_signals_ignored():
    """As nohup does with one of them; and some are blocked."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM, signal.SIGCHLD})


@pytest.mark.parametrize("times", [1, 3], ids=["the first run", "later ones"])
def test_no_signal_is_ignored_or_blocked_though_the_daemon_was_started_so(nest, times):
    looks = '[services.one]\ncommand = ["/bin/grep", "^Sig", "/proc/self/status"]\nkind = "task"\n'
    daemon = nest.daemon(looks, preexec_fn=all_signals_ignored)
    for run in range(1, times + 1):
        if run > 1:
            daemon.ctl("restart", "one")
        lines = wait_until(lambda: len(found := daemon.out_text().splitlines()) >= 5 * run and found[5 * run - 5:],
                           what=f"what run {run} says", report=daemon.report)
        assert set(lines) >= {"SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"}


def test_what_needs_no_rights_holds_for_every_user(nest):
    (nest.tmp / "folder").mkdir()
    _, found = start(nest, f"""
working_directory = "{nest.tmp}/folder"
umask = "0037"
nice = 7
ionice = {{ class = "best-effort", level = 6 }}
oom_score_adj = 900
rlimits = {{ nofile = {{ soft = 100, hard = 200 }}, core = 0, cpu = "1h", as = "3GiB", nproc = {{ soft = 50 }}, rttime = "20ms", stack = {{ hard = "64MiB" }} }}
session = "group"
no_new_privs = true
inherit = ["PATH", "PLIMSOLL_TEST_MARKER"]
environment = {{ OWN = "1", HOME = "/own" }}
""", environment={"FROM_THE_DAEMON": "no"})
    assert found["cwd"] == str(nest.tmp / "folder")
    assert found["umask"] == "037" and found["nice"] == 7 and found["ionice"] == [2, 6] and found["oom_score_adj"] == 900
    limits = found["rlimits"]
    assert limits["nofile"] == [100, 200] and limits["core"] == [0, 0] and limits["cpu"] == [3600, 3600]
    assert limits["as"] == [3 << 30, 3 << 30] and limits["rttime"] == [20_000, 20_000]
    assert limits["nproc"][0] == 50 and limits["stack"][1] == 64 << 20
    assert found["session"] == os.getsid(0) and found["group"] == found["pid"]
    assert found["no_new_privs"]
    assert found["environment"].keys() - {"LC_CTYPE", "PATH", "PLIMSOLL_TEST_MARKER"} == {"OWN", "HOME", "PLIMSOLL_RUN",
                                                                                          "PLIMSOLL_SERVICE"}


def test_a_user_has_its_groups_its_home_its_output_and_no_rights(nest):
    keys = 'user = "nobody"\nenvironment = { LOGNAME = "other" }\nionice = { class = "idle" }'
    if not ROOT_TEST:
        daemon = nest.daemon(service(nest, keys))
        assert refusal(daemon, "one") in ("groups: Operation not permitted", "group: Operation not permitted",
                                          "user: Operation not permitted")
        return
    daemon, found = start(nest, keys)
    assert found["uids"] == [NOBODY.pw_uid] * 3 and found["gids"] == [NOBODY.pw_gid] * 3
    assert found["groups"] == sorted(os.getgrouplist("nobody", NOBODY.pw_gid))
    assert found["capabilities"]["Eff"] == found["capabilities"]["Prm"] == found["capabilities"]["Amb"] == 0
    variables = found["environment"]
    assert (variables["USER"], variables["HOME"], variables["SHELL"]) == ("nobody", NOBODY.pw_dir, NOBODY.pw_shell)
    assert variables["LOGNAME"] == "other", "what is configured wins"
    assert found["stdout"] is True and found["stderr"] is True and found["stdout_owner"] == NOBODY.pw_uid
    assert found["ionice"] == [3, 0]
    assert daemon.ctl("restart", "one")[0] == 0
    assert world(daemon, 2)["uids"] == [NOBODY.pw_uid] * 3


def test_group_and_groups_can_be_written_and_numbers_need_no_entry(nest):
    keys = 'user = 54321\ngroup = 54322\ngroups = ["daemon", 54323]'
    if not ROOT_TEST:
        assert refusal(nest.daemon(service(nest, keys)), "one") == "groups: Operation not permitted"
        return
    _, found = start(nest, keys)
    assert found["uids"] == [54321] * 3 and found["gids"] == [54322] * 3
    assert found["groups"] == sorted([DAEMON_GROUP, 54323])


def test_of_the_bounding_set_only_what_is_named_stays(nest):
    keys = 'capabilities = ["CAP_CHOWN", "NET_BIND_SERVICE"]\n'
    if not ROOT_TEST:
        assert refusal(nest.daemon(service(nest, keys)), "one") == "capabilities: Operation not permitted"
        return
    kept = 1 << 0 | 1 << 10
    daemon = nest.daemon(service(nest, keys, "mighty") + service(nest, keys + 'user = "nobody"', "weak"))
    found = wait_until(lambda: len(lines := worlds(daemon)) == 2 and {line["environment"]["PLIMSOLL_SERVICE"]: line for line in lines},
                       what="both lines", report=daemon.report)
    assert found["mighty"]["capabilities"] == {"Inh": 0, "Prm": kept, "Eff": kept, "Bnd": kept, "Amb": 0}
    assert found["weak"]["capabilities"] == {"Inh": 0, "Prm": 0, "Eff": 0, "Bnd": kept, "Amb": 0}


REFUSALS = {
    "lost-user": ('user = "no-such-user"', "user: no user 'no-such-user'"),
    "lost-number": ("user = 4294967001", "user: user 4294967001 has no entry, so 'group' must be written"),
    "lost-group": ('group = "no-such-group"', "group: no group 'no-such-group'"),
    "lost-groups": ('groups = ["daemon", "no-such-group"]', "groups: no group 'no-such-group'"),
    "lost-file": ('environment_file = "/no/such/env"', "environment_file: /no/such/env: No such file or directory"),
    "no-file": ('environment_file = "/dev/zero"', "environment_file: /dev/zero: Invalid argument"),
    "lost-folder": ('working_directory = "/no/such/folder"', "working_directory: No such file or directory"),
}
# Of a daemon without rights.
DENIED = {
    "limit": ("rlimits = { core = 0, nofile = { hard = 2000000000 } }", "rlimits.nofile: Operation not permitted"),
    "oom": ("oom_score_adj = -1000", "oom_score_adj: Permission denied"),
    "nice": ("nice = -20", "nice: Permission denied"),
    "io": ('ionice = { class = "realtime", level = 0 }', "ionice: Operation not permitted"),
    "groups": ("groups = [54321]", "groups: Operation not permitted"),
    "group": ("group = 54321", "group: Operation not permitted"),
    "user": ("user = 54321\ngroup = GID\ngroups = GROUPS", "user: Operation not permitted"),
    "capabilities": ("capabilities = []", "capabilities: Operation not permitted"),
    "folder": ('working_directory = "CLOSED"', "working_directory: Permission denied"),
}


def test_each_step_that_fails_is_named(nest):
    daemon = nest.daemon("".join(service(nest, keys, name) for name, (keys, _) in REFUSALS.items()))
    for name, (_, sentence) in REFUSALS.items():
        assert refusal(daemon, name) == sentence, name


def test_each_step_that_a_daemon_without_rights_cannot_take_is_named(nest):
    """As root the daemon is started as nobody, and plimsollctl of root does not ask a daemon of nobody's: its log is read. Else it
    is nobody special already."""
    open_to_all(nest)
    closed = nest.tmp / "closed"
    closed.mkdir(mode=0)
    ids = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": [NOBODY.pw_gid]} if ROOT_TEST else {}
    gid = NOBODY.pw_gid if ROOT_TEST else os.getegid()
    groups = [gid] if ROOT_TEST else os.getgroups()

    def fill(keys):
        return keys.replace("GROUPS", str(groups)).replace("GID", str(gid)).replace("CLOSED", str(closed))

    daemon = nest.daemon("".join(service(nest, fill(keys), name) for name, (keys, _) in DENIED.items()) +
                         service(nest, f"user = {ids.get('user', os.geteuid())}\ngroups = {groups}\ngroup = {gid}", "self"), start=False, **ids).launch()
    for name, (_, sentence) in DENIED.items():
        wait_until(lambda: f" {name}: cannot start: {sentence};" in daemon.log_text(), what=f"{name}: {sentence}", report=daemon.log_text)
    wait_until(lambda: worlds(daemon), what="the one that can start", report=daemon.log_text)
    assert worlds(daemon)[0]["environment"]["PLIMSOLL_SERVICE"] == "self", "its own user needs no rights"
    closed.chmod(0o700)


def test_a_start_that_fails_by_its_user_is_counted_by_the_restart_policy(nest):
    daemon = nest.daemon(f"""
[services.one]
command = ["{PYTHON}", "{program(nest)}"]
user = "no-such-user"
backoff = {{ first = "10ms", max = "10ms" }}
give_up = {{ after = 3, within = "1h" }}
""")
    daemon.wait(lambda: daemon.service("one")["state"] == "failed", what="giving up")
    sentences = [event["why"] for event in daemon.events() if "no user 'no-such-user'" in event["why"]]
    assert len(sentences) == 2, "the first one, and the one that ends it"
    assert daemon.service("one")["run"] == 4
    daemon.write(service(nest, ""))
    assert daemon.ctl("reload")[0] == 0
    assert daemon.ctl("restart", "one")[0] == 0
    assert world(daemon)["uids"] == list(os.getresuid())


def test_an_environment_file_is_read_at_each_start_and_loses_against_the_table(nest):
    path = nest.tmp / "env"
    path.write_text("# comment\nA=1 \nB='two words'\nC=\"line\\\n on\"\nTABLE=file\nHOME=/file\nPLIMSOLL_RUN=forged\nexport D=1\n")
    path.chmod(0o600)
    user = 'user = "nobody"\n' if ROOT_TEST else ""
    daemon, found = start(nest, f'{user}environment_file = ["{path}", "-{path}.missing"]\nenvironment = {{ TABLE = "table" }}')
    variables = found["environment"]
    assert (variables["A"], variables["B"], variables["C"]) == ("1", "two words", "line on")
    assert variables["TABLE"] == "table" and variables["HOME"] == "/file" and variables["PLIMSOLL_RUN"] != "forged"
    assert f"cannot take line 9 of {path}" in daemon.log_text() and "D=1" not in daemon.log_text()
    path.write_text("A=changed\n")
    (nest.tmp / "env.missing").write_text("B=there now\n")
    assert daemon.ctl("restart", "one")[0] == 0
    variables = world(daemon, 2)["environment"]
    assert variables["A"] == "changed" and variables["B"] == "there now" and "C" not in variables
    path.unlink()
    assert daemon.ctl("restart", "one")[0] == 1
    assert refusal(daemon, "one") == f"environment_file: {path}: No such file or directory"


SECRET = "hunter2secret"
NUMBER = "9182736455463728"


def test_no_secret_is_printed_by_anything(nest):
    """It is planted in a file of variables (in a line that is taken and in ones that are not), in the table of variables, and in
    mistakes of a configuration that is refused."""
    path = nest.tmp / "env"
    path.write_text(f"TOKEN={SECRET}\n{SECRET}\nexport X={SECRET}\n=Y={SECRET}\n")
    text = f"""
[services.one]
command = ["@programs/app", "--control", "@tmp/app", "--workers", "1"]
environment_file = "{path}"
environment = {{ PASSWORD = "{SECRET}" }}
backoff = {{ first = "10ms", max = "10ms" }}
[services.one.hooks.tell]
exec = ["sh", "-c", "test $TOKEN = {SECRET[:4]}${{TOKEN#{SECRET[:4]}}}"]
to = "service"
"""
    (nest.tmp / "app").mkdir()
    daemon = nest.daemon(text)
    daemon.wait_ready("one")
    outputs = []

    def printed(*args):
        outputs.append(daemon.ctl(*args))
        return outputs[-1]

    assert printed("do", "tell", "one")[0] == 0
    assert printed("restart", "one")[0] == 0
    os.kill(daemon.service("one")["pid"], signal.SIGKILL)
    daemon.wait_event("service_state", service="one", why=lambda why: "SIGKILL" in why)
    daemon.wait_ready("one")
    daemon.write(text.replace(f'PASSWORD = "{SECRET}"', f'PASSWORD = {NUMBER}, LIST = ["{SECRET}"], PLIMSOLL_RUN = "{SECRET}"'))
    code, _, err = printed("reload")
    assert code != 0 and "services.one.environment.PASSWORD" in err, err
    daemon.write(text)
    path.chmod(0o600)
    path.write_text(f"TOKEN={SECRET}\0\n")
    assert printed("restart", "one")[0] == 1
    for verb in (["status"], ["tree", "one"], ["events"], ["why", "one"], ["check", str(daemon.config_path)]):
        printed(*verb)
        printed("--json", *verb)
    for url in ("/v1/daemon", "/v1/services", "/v1/services/one", "/v1/engines", "/v1/events", "/v1/ledger"):
        outputs.append(daemon.http("GET", url))
    assert any("environment_file" in str(output) for output in outputs), "the start that failed is told"
    for output in [*outputs, daemon.log_text(), daemon.out_text()]:
        assert SECRET not in str(output) and NUMBER not in str(output), output
    assert SECRET in daemon.config_path.read_text()


def test_a_change_of_it_restarts_that_service_and_no_other(nest):
    daemon = nest.daemon(service(nest, 'umask = "022"') + service(nest, "", "other"))
    wait_until(lambda: len(worlds(daemon)) == 2, what="both lines", report=daemon.report)
    runs = 1
    for keys in ('umask = "077"', 'umask = "077"\nrlimits = { core = 0 }', 'nice = 1', 'inherit = false', 'no_new_privs = true',
                 'session = "group"', 'environment_file = "-/no/such/env"', 'oom_score_adj = 999', 'ionice = { class = "idle" }'):
        daemon.write(service(nest, keys) + service(nest, "", "other"))
        assert daemon.ctl("reload")[0] == 0
        runs += 1
        daemon.wait(lambda: daemon.service("one")["run"] == runs and daemon.service("one")["state"] == "ready", what=f"a run with {keys}")
    assert daemon.ctl("reload")[0] == 0
    assert daemon.service("one")["run"] == runs and daemon.service("other")["run"] == 1


def test_its_output_belongs_to_its_user_also_when_that_changes(nest):
    user = 'user = "nobody"' if ROOT_TEST else ""
    daemon, found = start(nest, user)
    assert found["stdout_owner"] == (NOBODY.pw_uid if ROOT_TEST else os.geteuid()) and found["stdout"] is True
    daemon.write(service(nest, 'umask = "077"'))
    assert daemon.ctl("reload")[0] == 0
    found = world(daemon, 2)
    assert found["stdout_owner"] == os.geteuid() and found["stdout"] is True
    daemon.write(service(nest, user))
    assert daemon.ctl("reload")[0] == 0
    assert world(daemon, 3)["stdout"] is True


def test_a_command_of_a_hook_finds_the_same(nest):
    """`reconnect` of an engine is the hook; it writes what it finds into a file."""
    open_to_all(nest)
    path = nest.tmp / "env"
    path.write_text("TOKEN=of the file\n")
    user = 'user = "nobody"\n' if ROOT_TEST else ""
    (nest.tmp / "app").mkdir(mode=0o777)
    (nest.tmp / "app").chmod(0o777)
    daemon = nest.daemon(f"""
[services.one]
command = ["@programs/app", "--control", "@tmp/app", "--workers", "1", "--engine", "plain @programs/query-engine -p PORT"]
working_directory = "@tmp"
environment_file = "{path}"
umask = "0027"
{user}
[services.one.hooks.look]
exec = ["{PYTHON}", "{program(nest)}", "@tmp/app/found"]
[services.one.engines.prisma]
preset = "prisma"
reconnect = "hook:look"
""")
    daemon.wait_engines("one", 1)
    path.unlink()
    daemon.ctl("reconnect", "one", "--no-wait")
    found = json.loads(wait_until(lambda: (nest.tmp / "app" / "found").exists() and (nest.tmp / "app" / "found").read_text(),
                                  what="what the hook found", report=daemon.report))
    assert found["uids"] == [NOBODY.pw_uid if ROOT_TEST else os.geteuid()] * 3
    assert found["umask"] == "027" and found["cwd"] == str(nest.tmp)
    assert found["environment"]["TOKEN"] == "of the file" and found["environment"]["PLIMSOLL_SERVICE"] == "one"


def test_what_a_dead_daemon_left_of_another_user_is_found(nest):
    user = 'user = "nobody"\n' if ROOT_TEST else ""
    daemon, found = start(nest, f'{user}leftovers = "end"')
    daemon.kill()
    assert alive(found["pid"])
    daemon.start()
    assert world(daemon, 2)["pid"] != found["pid"]
    wait_until(lambda: not alive(found["pid"]), what="the end of what was left", report=daemon.report)


def test_services_in_one_session_are_told_apart_and_stopped_apart(nest):
    """A daemonised child stands in the daemon's session too: by PLIMSOLL_RUN it is known whose it is."""
    script = "(setsid -f sleep 1000000 &) ; (sleep 1000001 &) ; exec sleep 1000002"
    one = f'command = ["sh", "-c", "{script}"]\nsession = "group"\nstop = {{ grace = "5s" }}\n'
    daemon = nest.daemon(f"[services.first]\n{one}[services.second]\n{one}")
    def only_sleeps(name):
        """The shells on the way are members too, for a moment."""
        pids = daemon.recorded(name)
        return len(pids) == 3 and all(open(f"/proc/{pid}/cmdline", "rb").read().startswith(b"sleep\0") for pid in pids)

    for name in ("first", "second"):
        daemon.wait(lambda: only_sleeps(name), what=f"three processes of {name}")
    second = daemon.recorded("second")
    assert {int(stat_fields(pid)[3]) for pid in second} & {os.getsid(0)}, "the daemon's session"
    assert daemon.ctl("stop", "first")[0] == 0
    assert all(alive(pid) for pid in second) and daemon.recorded("second") == second
    assert daemon.ctl("stop", "second")[0] == 0
    assert not [pid for pid in carriers(nest.marker) if pid in second]


def test_a_user_whose_entry_changes_is_another_one_at_the_next_start(nest):
    """What was looked up is remembered for a while, and no longer than the file stays as it was."""
    entries = pathlib.Path("/etc/passwd").read_text(encoding="utf-8")
    users = nest.tmp / "passwd"
    cover = 'mount --bind "$0" /etc/passwd && exec "$@"'
    users.write_text(entries + "plim:x:54321:65534::/:/bin/sh\n", encoding="utf-8")
    daemon = nest.daemon('[services.one]\ncommand = ["/bin/sleep", "100000"]\nuser = "plim"\n',
                         prefix=[*OWN_MOUNTS, "sh", "-c", cover, str(users)])
    assert os.stat(f"/proc/{daemon.wait_ready('one')['pid']}").st_uid == 54321
    users.write_text(entries + "plim:x:54322:65534::/:/bin/sh\n", encoding="utf-8")
    assert daemon.ctl("restart", "one")[0] == 0
    assert os.stat(f"/proc/{daemon.wait_ready('one')['pid']}").st_uid == 54322
