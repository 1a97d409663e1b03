"""How long the loop takes from a failed check to a new champion, without bake time, and what the time goes into.

Plays the demo's `drift` scenario by the real daemon, with a bake time of zero, and reads the stages off Dagster's own
records. What a run's process imports is measured beside it, in fresh interpreters: the share of the loop that
no change of its logic could save.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.cost import ROOT
from benchmarks.harness import Bench, Spread, command, main_of, spread

ROUNDS = 3
LOADING = "import ct_assets.definitions as d; d.defs()"
IMPORTS = {
    "retraining": f"{LOADING}; import mlflow.tracking, sklearn.ensemble, skl2onnx, pandas, onnxruntime",
    "rollout": f"{LOADING}; import mlflow.tracking",
}
STAGES = (
    "drift sensor reacts",
    "queue and process of the retraining",
    "train, export, register, judge",
    "canary sensor reacts",
    "queue and process of the rollout",
    "shadow, three steps, promotion",
)


def main(bench: Bench) -> None:
    """Rows: a stage, its seconds, its share. Target: the loop against the imports of its own two processes."""
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(1 if bench.quick else ROUNDS):
        for stage, value in _play().items():
            seconds[stage].append(value)
        for run, code in IMPORTS.items():
            seconds[f"imports: {run}"].append(command([sys.executable, "-c", code]).wall_s)
    rounds = range(len(seconds[STAGES[0]]))
    totals = [sum(seconds[stage][n] for stage in STAGES) for n in rounds]
    imports = [sum(seconds[f"imports: {run}"][n] for run in IMPORTS) for n in rounds]
    for stage in (*STAGES, *(f"imports: {run}" for run in IMPORTS)):
        bench.row(stage=stage, seconds=spread(seconds[stage]), share_of_loop=_share(seconds[stage], totals))
    bench.row(stage="failed check to champion", seconds=spread(totals), share_of_loop=1.0)
    bench.target(
        "loop over the imports of its two processes",
        spread([total / cost for total, cost in zip(totals, imports, strict=True)]),
        "<=",
        6.0,
    )


def _share(part: list[float], totals: list[float]) -> Spread:
    return spread([value / total for value, total in zip(part, totals, strict=True)])


def _play() -> dict[str, float]:
    """One story; seconds by stage."""
    from rich.console import Console

    from ct_assets.demo.command import Demo

    home = ROOT / ".ct" / "bench" / "loop"
    with Path(os.devnull).open("w") as nowhere:
        ok = Demo(home, Console(file=nowhere), seed=42, tx_per_day=1_500, bake_s=0.0).run(
            ["drift"], keep=False, fresh=False
        )
    if not ok:
        raise RuntimeError(f"the loop did not close; see {home / 'demo' / 'verdict.json'}")
    return _stages(home / "demo" / "run" / "dagster")


def _stages(dagster_home: Path) -> dict[str, float]:
    import dagster as dg

    os.environ["DAGSTER_HOME"] = str(dagster_home)
    with dg.DagsterInstance.get() as instance:
        judged, trained, rolled = (
            _newest(instance, f"fraud_detector_{job}")
            for job in ("judge_days", "retraining", "canary_rollout")
        )
        marks = [
            judged.end_time,
            trained.create_timestamp.timestamp(),
            _first_step(instance, trained),
            trained.end_time,
            rolled.create_timestamp.timestamp(),
            _first_step(instance, rolled),
            rolled.end_time,
        ]
    return {stage: after - before for stage, (before, after) in zip(STAGES, pairwise(marks), strict=True)}


def _newest(instance: Any, job: str) -> Any:
    import dagster as dg

    return instance.get_run_records(dg.RunsFilter(job_name=job), limit=1)[0]


def _first_step(instance: Any, record: Any) -> float:
    import dagster as dg

    events = instance.all_logs(record.dagster_run.run_id, of_type=dg.DagsterEventType.STEP_START)
    return float(events[0].timestamp)


if __name__ == "__main__":
    sys.exit(main_of("loop", main))
