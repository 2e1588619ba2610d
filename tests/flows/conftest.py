"""One Prefect server for the flow tests of a session; nothing of it is left, nothing leaves the machine."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]  # flows/ belongs to the repository and not to the installed package

os.environ |= {
    "PREFECT_HOME": tempfile.mkdtemp(prefix="kgbuild-prefect-"),
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "240",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}


@pytest.fixture(scope="session")
def prefect_server():
    utilities = pytest.importorskip("prefect.testing.utilities", reason="prefect is not installed")
    with utilities.prefect_test_harness(server_startup_timeout=240):
        yield
