"""What the tests with the real application share: one PostgreSQL and one built engine for all of them, a daemon for
each, and the rounds of test_rounds.py, which take minutes and so begin with the session and are judged at its end.
"""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "scenario"))

import engine_build  # noqa: E402
import figures  # noqa: E402
from application import Application, sanitizer_options  # noqa: E402
from harness import Nest, nest as nest_of_a_test  # noqa: E402
from postgres import Postgres  # noqa: E402

nest = nest_of_a_test  # the fixture, under the name that tests ask for
LAST = "test_rounds.py"


@pytest.fixture(scope="session")
def database():
    with Postgres() as made:
        yield made


@pytest.fixture(scope="session")
def engine():
    return engine_build.ready_engine()


@pytest.fixture
def launch(nest, database, engine):  # pylint: disable=redefined-outer-name
    """launch(way, service, hook, rule, args, **of the Application) → (daemon, application), all workers serving."""
    def make(way="unix", service="", hook="", rule="", args=(), **more):
        application = Application(nest, database, engine, **more)
        # Freed memory that a sanitizer keeps would look like a leak of the daemon's.
        environment = sanitizer_options("quarantine_size_mb=1")
        daemon = nest.daemon(application.toml(way, service, hook, rule), args=args, environment=environment)
        application.wait_serving(daemon)
        return daemon, application
    return make


@pytest.fixture(scope="session")
def rounds_from_the_start(database, engine):
    """A daemon with a cycle every 10 s, running beside all other tests."""
    own = Nest()
    try:
        application = Application(own, database, engine)
        daemon = own.daemon(application.toml("unix", rule='settle = "500ms"') + """
[[services.app.cycles]]
do = "reconnect"
every = "10s"
""")
        application.wait_serving(daemon)
        yield daemon, application
    finally:
        own.close()


@pytest.fixture(autouse=True, scope="session")
def begin_the_rounds(request):
    if any(item.path.name == LAST and "rounds_from_the_start" in item.fixturenames for item in request.session.items):
        try:
            request.getfixturevalue("rounds_from_the_start")
        except Exception:  # pylint: disable=broad-except
            pass  # pytest keeps it and raises it again in the test that wants the rounds; the others are not to suffer


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name == LAST)


def pytest_terminal_summary(terminalreporter):
    for line in figures.lines:
        terminalreporter.write_line(line)
