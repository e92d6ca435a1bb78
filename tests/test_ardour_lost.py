"""JACK drops Ardour, or ends: who routes the session is told so, not that Antiphon is not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from antiphon.bridges.ardour import ArdourShell, create_session
from antiphon.bridges.ardour.session import run_action
from antiphon.bridges.ardour.shell import LostJackError

from tests.ardour_rig import HurriedJack
from tests.ardour_takes import needs_programs
from tests.jack_rig import in_environment, wait_until

pytestmark = [pytest.mark.ardour, pytest.mark.jack]


@pytest.mark.patient
def test_a_lost_jack_is_told_at_once(tmp_path: Path) -> None:
    needs_programs()
    with HurriedJack(f"antiphon-lost{os.getpid()}") as jack, in_environment(jack.environment):
        own = {name: str(tmp_path / name.lower()) for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
        ardours = {**os.environ, **own}
        create_session(tmp_path, "Lost", environment=ardours)
        with ArdourShell(ardours) as shell:
            shell.start_engine("JACK")
            shell.tell(f'session = load_session("{tmp_path / "Lost"}", "Lost")')
            jack.kill()
            wait_until(lambda: not shell.engine_runs(), "Ardour sees that JACK is gone")
            with pytest.raises(LostJackError, match="lost JACK; see that JACK runs"):
                run_action(shell)
