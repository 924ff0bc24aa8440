"""A short run of benchmarks/fleet.py: workers, broker and clock are killed while customers write."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.daemon import needs
from tests.postgres import MISSING, find_binaries
from tests.rabbitmq import SERVER

FLEET = Path(__file__).parent.parent / "benchmarks" / "fleet.py"
PROGRAMS = {"redis": "redis-server", "rabbitmq": SERVER}


def run(broker: str, *options: str) -> str:
    """Run a fleet, and return what it prints."""
    needs(PROGRAMS[broker], f"{broker}-server")
    if find_binaries() is None:
        pytest.skip(MISSING)
    done = subprocess.run(
        [sys.executable, str(FLEET), "--broker", broker, *options], capture_output=True, text=True, timeout=1500
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("broker", PROGRAMS)
def test_a_fleet_under_fire_loses_and_doubles_nothing_and_keeps_the_order(broker: str) -> None:
    said = run(broker, "--customers", "60", "--each", "3", "--kills", "3", "--workers", "2", "--throughput", "")
    assert "lost 0, doubled 0, out of order 0" in said
    assert "'worker': 1, 'broker': 1, 'clock': 1" in said


@pytest.mark.soak
@pytest.mark.parametrize("broker", PROGRAMS)
@pytest.mark.parametrize("seed", ["1", "2"])
def test_a_fleet_under_fire_for_long(broker: str, seed: str) -> None:
    print(run(broker, "--seed", seed, "--kills", "24", "--customers", "600"))
