import pytest

from cycling import LongRun
from harness import FIGURES, nest

__all__ = ["nest"]  # the fixture

LONG = "test_twenty_rounds_every_ten_seconds_stay_on_their_grid"


@pytest.fixture(scope="session")
def long_run():
    made = LongRun()
    yield made
    made.nest.close()


def pytest_collection_modifyitems(items):
    """The long run starts before the first test and is looked at after the last one."""
    items.sort(key=lambda item: item.name == LONG)
    if len(items) > 1 and items[-1].name == LONG:
        items[0].fixturenames.append("long_run")


def pytest_terminal_summary(terminalreporter):
    for text in FIGURES:
        terminalreporter.write_line(f"figure: {text}")
