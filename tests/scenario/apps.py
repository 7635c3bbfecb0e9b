"""Configurations and starts that several scenarios share: the `app` of tests/programs with workers and engines."""

from harness import PROGRAMS, children_of
from puppets import Puppet, main_puppet

ENGINE = str(PROGRAMS / "query-engine")


def app_service(name="app", flags=(), more="", hooks="", engine="", rule='match = ["query-engine*"]'):
    """A service that runs the `app` below @tmp/NAME, with one engine rule `prisma`. `more` are keys of the service, `engine` of
    the rule, `hooks` whole tables."""
    words = ", ".join(f'"{word}"' for word in ("@programs/app", "--control", f"@tmp/{name}", *flags))
    return f"""
[services.{name}]
command = [{words}]
budget  = {{ acts = 1000, per = "1h" }}
{more}
{hooks}
[services.{name}.engines.prisma]
{rule}
{engine}
"""


def app_daemon(nest, config, names=("app",), **more):
    """The daemon with its apps ready; their control folders are made first."""
    for name in names:
        (nest.tmp / name).mkdir(exist_ok=True)
    daemon = nest.daemon(config, **more)
    for name in names:
        daemon.wait_ready(name)
    return daemon


def main_of(nest, daemon, name="app"):
    return main_puppet(nest.tmp / name, daemon.service(name)["pid"])


def workers_with_engines(nest, daemon, count, name="app"):
    """{worker: engine pid} once `count` engines are live and each belongs to a worker."""
    def ask():
        engines = daemon.wait_engines(name, count)
        return all(engine["owner"] == "worker" for engine in engines) and engines
    engines = daemon.wait(ask, what=f"{count} engines owned by workers")
    return {Puppet(nest.tmp / name, engine["owner_pid"]): engine["pid"] for engine in engines}


def engine_below(pid):
    """The one child of `pid`."""
    found = children_of(pid)
    assert len(found) == 1, found
    return found[0]
