"""Run the `ieat` command: `ieat`, or `python -m ieat_data`."""

import os
import signal
from typing import Any, NoReturn


def main() -> None:
    """Run the command; Ctrl-C while its modules are read is one line, too, as later (`stopping.py`)."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stopped)
    from ieat_data.cli import main as run

    run()


def _stopped(number: int, _: Any) -> NoReturn:
    os.write(2, b"ieat: Stopped.\n")
    os._exit(128 + number)


if __name__ == "__main__":
    main()
