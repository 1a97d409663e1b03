"""Benchmarks: `python -m benchmarks.NAME [--quick]` prints a table and writes `.ct/bench/NAME.json`; `make bench` runs all."""
