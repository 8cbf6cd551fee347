"""Run the `ieat` command: `python -m ieat_data`."""

from ieat_data.cli import main

main()
