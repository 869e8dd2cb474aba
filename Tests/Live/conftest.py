"""What live tests share: how long they run, and where their figures are printed.

`make test` runs a short form of each; `QUELL_LIVE=full` (`make live`) the whole.
"""

import os

import pytest

FIGURES = []


@pytest.fixture(scope="session")
def full():
    """True for the whole length."""
    return os.environ.get("QUELL_LIVE") == "full"


@pytest.fixture
def figure(request):
    """Keeps a line of figures for the end of the run."""
    def keep(text):
        FIGURES.append(f"{request.node.name}: {text}")
    return keep


def pytest_terminal_summary(terminalreporter):
    """Prints acknowledged and lost, whether or not anything failed."""
    if FIGURES:
        terminalreporter.section("figures")
        for line in FIGURES:
            terminalreporter.write_line(line)
