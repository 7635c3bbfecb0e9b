"""An app whose engines are reconnected on schedule, and the run of twenty rounds that goes on beside all other tests."""

from apps import ENGINE, app_daemon, app_service, workers_with_engines
from harness import Nest

HOOK = '[services.app.hooks.reconnect]\nsignal = "SIGRTMIN+1"\ntimeout = "10s"\n'
FLAGS = ["--workers", "2", "--replace", "1", "--reconnect", "SIGRTMIN+1", "--engine", f"plain {ENGINE} -p PORT"]
EVERY = 10
ROUNDS = 20


def config(cycle, flags=FLAGS, more=""):
    hooks = HOOK + f"[[services.app.cycles]]\n{cycle}\n"
    return app_service(flags=flags, hooks=hooks, more='heal = "20s"\n' + more,
                       engine='reconnect = "hook:reconnect"\nexpect = { within = "20s" }')


def cycle_of(daemon):
    return daemon.service("app")["cycles"][0]


class LongRun:
    """Twenty rounds of ten seconds take 200 s: they run beside the other tests, and the test below, which comes last, waits for
    what is left of them."""

    def __init__(self):
        self.nest = Nest()
        self.daemon = app_daemon(self.nest, config(f'do = "reconnect"\nevery = "{EVERY}s"'))
        self.pairs = workers_with_engines(self.nest, self.daemon, 2)
