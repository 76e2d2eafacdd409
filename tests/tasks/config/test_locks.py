"""One writer per AIP, whatever happens to its holder."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

from tasks.config.home import Home
from tasks.config.locks import aip_lock, holders

HOLD = """
import sys, time, uuid
from pathlib import Path
from tasks.config.home import Home
from tasks.config.locks import aip_lock
with aip_lock(Home(Path(sys.argv[1])), uuid.UUID(int=1), uuid.UUID(int=7)) as held:
    print(held, flush=True)
    time.sleep(60)
"""


def test_a_second_holder_is_refused_and_a_killed_one_frees_the_lock(tmp_path: Path) -> None:
    home, aip = Home(tmp_path), uuid.UUID(int=1)
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        with aip_lock(home, aip, uuid.UUID(int=8)) as held:
            assert not held
        assert holders(home) == {str(aip): str(uuid.UUID(int=7))}
    finally:
        other.kill()
        other.communicate()
    with aip_lock(home, aip, uuid.UUID(int=8)) as held:
        assert held
