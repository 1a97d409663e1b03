"""A small model with a real lake, a real registry and a real Dagster instance, and a daemon that ticks when told.

The past is 2024: the clock resource stands where a test puts it. A first version is trained once a session; each
test gets a copy of the lake that it was trained on, and a registered model of its own.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.base import PartitionKeyFilter

from ct_assets.drift.archive import read_verdict
from ct_assets.drift.verdict import DriftVerdict
from ct_assets.graph.model_graph import model_graph
from ct_assets.graph.names import Names, day_range_tags
from ct_assets.lake.log import write_records
from ct_assets.lake.production import compact_day
from ct_assets.lake.record import LABEL_LOG, feature_log_schema
from ct_assets.lake.store import Lake
from ct_assets.ledger import Entry, Ledger
from ct_assets.registry import Registry, Version
from ct_assets.resources import Clock, LakeResource, RegistryResource, RouterResource, code_version
from ct_assets.spec import ModelSpec
from ct_assets.training import retrain

DAY = timedelta(days=1)
FIRST = date(2024, 4, 1)
AS_OF = date(2024, 4, 14)
"""Of the first champion: holdout 11-12 April, trained on 1-10 April."""
ROWS = 240
CLOCK = "CT_TEST_CLOCK"
_numbers = itertools.count(1)


def make_spec(model: str = "toy", **parts: Any) -> ModelSpec:
    given: dict[str, Any] = {
        "registered_model": "",
        "drift": {},
        "training": {},
        "gate": {},
        "rollout": {},
        "serving": {},
        "calendar": {},
        **parts,
    }
    rules = [
        {"feature": "amount", "method": "psi", "threshold": 0.2},
        {"feature": "shop", "method": "chisquare", "threshold": 0.05},
        {"feature": "hour", "method": "ks", "threshold": 0.01},
    ]
    return ModelSpec.model_validate(
        {
            "model": model,
            "owners": ["team:toys"],
            "entity": "user",
            "label": "bad",
            "label_delay_days": 2,
            "history_start": FIRST.isoformat(),
            "features": {"amount": "numerical", "shop": "categorical", "hour": "numerical"},
            **given,
            "drift": {
                "rules": rules,
                "min_rows": 100,
                "reference_rows": 2_000,
                "prediction": None,
                **given["drift"],
            },
            "training": {
                "window_days": 10,
                "holdout_days": 2,
                "min_rows": 500,
                "min_positives": 10,
                "parameters": {"max_iter": 15},
                **given["training"],
            },
            "gate": {"threshold": 0.6, **given["gate"]},
            "calendar": {"catch_up_days": 6, **given["calendar"]},
        }
    )


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def rows_of(
    spec: ModelSpec, day: date, *, shift: float, rows: int, seed: int, version: str
) -> tuple[pa.Table, pa.Table]:
    """Feature log and labels of a day; `shift` multiplies the amounts, on which the truth depends."""
    rng = np.random.default_rng(day.toordinal() * 100 + seed)
    amount = rng.lognormal(3, 1, rows) * shift
    shop = rng.choice(["food", "fuel", "toys"], rows, p=[0.5, 0.3, 0.2])
    hour = rng.uniform(0, 24, rows)
    risk = 1 / (1 + np.exp(2.0 - 1.5 * (amount > 30) - 1.5 * (shop == "toys")))
    times = [midnight(day) + timedelta(hours=float(h)) for h in hour]
    ids = [f"{day}-{seed}-{k}" for k in range(rows)]
    logged = {
        "request_id": ids,
        "event_time": times,
        "received_at": times,
        "model_version": [version] * rows,
        "variant": ["champion"] * rows,
        "prediction": risk,
        "entity": [f"u{k % 50}" for k in range(rows)],
        "amount": amount,
        "shop": shop.tolist(),
        "hour": hour,
    }
    known = [t + spec.label_delay - timedelta(hours=1) for t in times]
    labels = {
        "request_id": ids,
        "label": (rng.random(rows) < risk).astype(float),
        "label_time": known,
        "received_at": known,
    }
    return pa.table(logged, schema=feature_log_schema(spec)), pa.table(labels, schema=LABEL_LOG)


@dataclass
class World:
    """One model in one deployment."""

    spec: ModelSpec
    folder: Path
    tracking_uri: str
    instance: dg.DagsterInstance
    trained: Version | None = None
    """The version whose files every version of this world has."""
    cursors: dict[str, str | None] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    """Run keys that were used: a daemon never starts a second run for one."""

    def __post_init__(self) -> None:
        self.names = Names(self.spec.model)
        self.lake = Lake(f"file://{self.folder / 'lake'}")
        self.registry = Registry(self.tracking_uri, self.spec.registered_model)
        self.resources: dict[str, Any] = {
            "clock": Clock(fixed=dg.EnvVar(CLOCK)),
            "lake": LakeResource(url=self.lake.url),
            "registry": RegistryResource(tracking_uri=self.tracking_uri),
            "router": RouterResource(folder=str(self.folder / "router")),
        }
        bound = dg.Definitions(resources=self.resources, executor=dg.in_process_executor)
        self.defs = dg.Definitions.merge(model_graph(self.spec), bound)
        self.repository = self.defs.get_repository_def()

    # What happens outside

    def at(self, day: date, hour: float = 7) -> None:
        """Puts the clock to `hour` o'clock of `day`."""
        os.environ[CLOCK] = (midnight(day) + timedelta(hours=hour)).isoformat()

    def now(self) -> datetime:
        return datetime.fromisoformat(os.environ[CLOCK])

    def damage(self, day: date) -> None:
        """Puts an object that is no Parquet among a day's log objects."""
        key = f"features/{self.spec.model}/{day:%Y/%m/%d}/03/broken.parquet"
        self.lake.put(key, b"PAR1 no more")
        moment = midnight(day + DAY).timestamp()
        os.utime(self.folder / "lake" / key, (moment, moment))

    def log(
        self,
        first: date,
        last: date | None = None,
        *,
        shift: float = 1.0,
        rows: int = ROWS,
        seed: int = 0,
        written: datetime | None = None,
        labels: bool = True,
        version: str = "1",
        null: str | None = None,
    ) -> None:
        """Traffic of some days, written at their ends unless told otherwise."""
        for n in range(((last or first) - first).days + 1):
            day = first + n * DAY
            logged, known = rows_of(self.spec, day, shift=shift, rows=rows, seed=seed, version=version)
            if null:
                at = logged.column_names.index(null)
                logged = logged.set_column(at, logged.field(at), pa.nulls(rows, logged.field(at).type))
            keys = write_records(self.lake, "features", self.spec.model, logged, "event_time")
            if labels:
                keys += write_records(self.lake, "labels", self.spec.model, known, "label_time")
            moment = (written or midnight(day + DAY)).timestamp()
            for key in keys:
                os.utime(self.folder / "lake" / key, (moment, moment))

    def compact(self, first: date, last: date) -> None:
        for n in range((last - first).days + 1):
            compact_day(self.lake, self.spec, first + n * DAY)

    # What Dagster does

    def tick(self, sensor: str) -> dg.SensorResult | Any:
        """One tick of a sensor, without starting what it asks for."""
        definition = self.repository.get_sensor_def(sensor)
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursors.get(sensor),
            repository_def=self.repository,
            resources=self.resources,
        ) as context:
            found = definition.evaluate_tick(context)
        self.cursors[sensor] = found.cursor
        return found

    def tick_schedule(self, schedule: str) -> Any:
        with dg.build_schedule_context(
            instance=self.instance,
            scheduled_execution_time=self.now(),
            repository_def=self.repository,
            resources=self.resources,
        ) as context:
            return self.repository.get_schedule_def(schedule).evaluate_tick(context)

    def daemon(self, sensor: str, *, fail: bool = False) -> list[dg.DagsterRun]:
        """One tick, and the runs that it asks for: each run key once, as the daemon does."""
        found = self.tick(sensor)
        job = self.repository.get_sensor_def(sensor).job_name
        return [
            self.start(job, request, fail=fail) for request in found.run_requests or () if self.fresh(request)
        ]

    def fresh(self, request: dg.RunRequest) -> bool:
        new = request.run_key not in self.started
        self.started.add(str(request.run_key))
        return new

    def start(self, job: str, request: dg.RunRequest, *, fail: bool = False) -> dg.DagsterRun:
        return self.run(job, partition=request.partition_key, tags=request.tags, fail=fail)

    def run(
        self,
        job: str,
        *,
        partition: str | None = None,
        tags: Mapping[str, str] | None = None,
        fail: bool = False,
        assets: list[str] | None = None,
    ) -> dg.DagsterRun:
        """A run in this process; with `fail` one that dies before its first step."""
        if fail:
            given = dict(tags or {}) | ({"dagster/partition": partition} if partition else {})
            return self.ended(job, dg.DagsterRunStatus.FAILURE, given)
        result = self.defs.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            partition_key=partition,
            tags=dict(tags or {}),
            raise_on_error=False,
            asset_selection=[self.names.key(asset) for asset in assets] if assets else None,
        )
        return result.dagster_run

    def ended(self, job: str, status: dg.DagsterRunStatus, tags: Mapping[str, str]) -> dg.DagsterRun:
        """A run in this status, of which nothing else is known."""
        return self.instance.create_run_for_job(
            job_def=self.defs.resolve_job_def(job), tags=dict(tags), status=status
        )

    def by_hand(self, asset: str, day: date, status: dg.DagsterRunStatus) -> dg.DagsterRun:
        """A run of one asset's partition, started in the UI, as far as it came."""
        job = self.defs.resolve_implicit_global_asset_job_def()
        key = self.names.key(asset)
        run = self.instance.create_run_for_job(
            job_def=job.get_subset(asset_selection={key}),
            asset_selection=frozenset({key}),
            tags={"dagster/partition": str(day)},
            status=status,
        )
        return run

    def judge(self, first: date, last: date | None = None) -> dg.DagsterRun:
        run = self.run(self.names.judge_job, tags=day_range_tags(first, last or first))
        assert run.status is dg.DagsterRunStatus.SUCCESS
        return run

    # What there is to see

    def verdict(self, day: date) -> DriftVerdict | None:
        return read_verdict(self.lake, self.spec.model, day)

    def ledger(self, kind: str | None = None) -> list[Entry]:
        return Ledger(self.lake).read(self.spec.model, kind=kind)

    def metadata(self, asset: str, day: date) -> dict[str, Any]:
        """Of the newest materialization of a day."""
        wanted = dg.AssetRecordsFilter(asset_key=self.names.key(asset), asset_partitions=[str(day)])
        (record,) = self.instance.fetch_materializations(wanted, limit=1).records
        assert record.asset_materialization is not None
        return {name: value.value for name, value in record.asset_materialization.metadata.items()}

    def checks(self, asset: str, day: date) -> dict[str, Any]:
        """Check name -> its newest evaluation of a day; None where it was only planned since."""
        found: dict[str, Any] = {}
        for key in self.defs.resolve_asset_graph().asset_check_keys:
            if key.asset_key == self.names.key(asset):
                (newest,) = self.instance.event_log_storage.get_asset_check_execution_history(
                    key, limit=1, partition_filter=PartitionKeyFilter(key=str(day))
                )
                planned = newest.status is AssetCheckExecutionRecordStatus.PLANNED
                found[key.name] = None if planned else newest.evaluation
        return found

    def register(self, **tags: str) -> str:
        """The trained files as another version of this world's model."""
        assert self.trained is not None
        source = self.registry.client.get_model_version("base", self.trained.version).source
        return self.registry.register(
            run_id=self.trained.run_id, source=source, tags={**self.trained.tags, **tags}
        ).version

    def promote(self, version: str) -> None:
        """By hand, past every gate."""
        self.registry.set_alias("champion", version)


@dataclass(frozen=True)
class Base:
    """What every world starts from."""

    folder: Path
    tracking_uri: str
    version: Version


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """Traffic of 1-14 April, compacted, and a version trained on it."""
    folder = tmp_path_factory.mktemp("graph")
    uri = f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}"
    with dg.DagsterInstance.ephemeral() as instance:
        world = World(make_spec(registered_model="base"), folder, uri, instance)
        world.log(FIRST, AS_OF)
        world.compact(FIRST, AS_OF)
        work = folder / "work"
        work.mkdir()
        retrain(
            world.spec,
            lake=world.lake,
            registry=world.registry,
            as_of=AS_OF,
            trigger="test",
            code_version="test",
            work_dir=work,
        )
        return Base(folder, uri, world.registry.get("1"))


@pytest.fixture
def make_world(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick_pages: None
) -> Iterator[Any]:
    """Worlds on one Dagster instance; their version 1 is the trained one, and champion unless told otherwise."""
    monkeypatch.setenv(CLOCK, midnight(AS_OF + DAY).isoformat())
    monkeypatch.setenv("CT_CODE_VERSION", "test")
    code_version.cache_clear()
    with ExitStack() as stack:
        stack.callback(code_version.cache_clear)
        instances: list[dg.DagsterInstance] = []

        def make(*, champion: bool = True, lake: bool = True, disk: bool = False, **parts: Any) -> World:
            """`disk`: an instance of SQLite files, for what another process (or a schedule's context) must open."""
            if not instances:
                folder = tmp_path / "dagster"
                folder.mkdir()
                opened = (
                    dg.DagsterInstance.local_temp(str(folder)) if disk else dg.DagsterInstance.ephemeral()
                )
                instances.append(stack.enter_context(opened))
            spec = make_spec(**{"registered_model": f"toy-{next(_numbers)}", **parts})
            if lake:
                shutil.copytree(base.folder / "lake", tmp_path / "lake")
            world = World(spec, tmp_path, base.tracking_uri, instances[0], base.version)
            if not world.registry.versions():
                world.register()
            if champion:
                world.promote("1")
            return world

        yield make


@pytest.fixture
def world(make_world: Any) -> World:
    made: World = make_world()
    return made


@pytest.fixture
def real_pages() -> None:
    """Asked for by a test that looks at Evidently's page."""


@pytest.fixture
def quick_pages(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Without Evidently (14 CPU s to import) and matplotlib, unless a test asks for `real_pages`."""
    if "real_pages" not in request.fixturenames:
        monkeypatch.setattr(
            "ct_assets.graph.drift_report.html_report", lambda *_, **__: b"<html>quick</html>"
        )
        monkeypatch.setattr("ct_assets.graph.drift_report.plot", lambda _: b"png")
