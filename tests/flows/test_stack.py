"""A command loads its flows while its server starts, and still asks the server that it got in the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ASKED = """
from pathlib import Path
import sys
from flows.command import stack
from tasks.config.home import Home
home = Home(Path(sys.argv[1])).prepare()
stack._load(home, 4001)
from prefect.client.orchestration import get_client
for port in (4001, 4002):
    stack._settle(home, port)
    print("flows.migrate" in sys.modules, get_client(sync_client=True).api_url)
"""


@pytest.mark.slow
def test_flows_that_were_loaded_early_ask_the_server_of_the_last_port(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ASKED, str(tmp_path)]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "http://127.0.0.1:4001/api/", "True", "http://127.0.0.1:4002/api/"]
