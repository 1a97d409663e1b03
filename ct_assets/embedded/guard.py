"""Ends what a `Processes` started when the process that held it is gone, however it went: kill -9, a closed terminal.

Run as `python -m ct_assets.embedded.guard MARK`, with a pipe as stdin whose other end only the guarded process
holds: the kernel closes it at its death.
"""

from __future__ import annotations

import signal
import sys

from ct_assets.embedded.marked import end_marked

__all__ = ["GRACE_S", "main"]

GRACE_S = 20.0  # serving writes its log out and dagster ends its runs within this


def main(mark: str) -> None:
    """Waits for the end of stdin; then ends everything with `mark`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    end_marked(mark, grace_s=GRACE_S)


if __name__ == "__main__":
    main(sys.argv[1])
