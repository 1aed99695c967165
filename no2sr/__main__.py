"""Run the command line as ``python -m no2sr``."""

from no2sr.cli import main

main(prog_name="no2sr")
