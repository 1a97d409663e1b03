from __future__ import annotations

import logging

from serving.backoff import Throttle


def test_the_same_failure_is_logged_once_in_a_while_with_the_number_kept_quiet(caplog):
    now = [0.0]
    throttle = Throttle(logging.getLogger("test"), every_s=10, clock=lambda: now[0])
    for second in range(12):
        now[0] = float(second)
        throttle.error("a", f"a at {second}")
    throttle.error("b", "b at once")
    assert [r.message for r in caplog.records] == [
        "a at 0",
        "a at 10 (and 9 more of this kind since the last line)",
        "b at once",
    ]
