"""How long `bot run` takes to be ready, and how much memory it has then, with every channel off.

python benchmarks/start.py [rounds]
"""

import sys
import time
from pathlib import Path

from harness import BOT, Figures, folder, process, read_until, resident_megabytes


def main(rounds: int = 10) -> bool:
    seconds, memory = Figures("seconds until it serves"), Figures("resident memory, MB")
    for number in range(rounds + 1):
        with folder() as name:
            began = time.monotonic()
            with process([BOT, "run"], Path(name), {"PORT": "0", "LOG_LEVEL": "WARNING"}) as running:
                read_until(running, "curl")
                if number:
                    seconds.values.append(time.monotonic() - began)
                    memory.values.append(resident_megabytes(running.pid))
    return all(
        [
            seconds.say("under 2", lambda value: value < 2),
            memory.say("under 100", lambda value: value < 100),
        ]
    )


if __name__ == "__main__":
    main(*(int(value) for value in sys.argv[1:]))
