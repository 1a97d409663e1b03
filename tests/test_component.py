"""A folder with a `defs.yaml` becomes a model's graph; a fault is told with file, key and fix."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from click.testing import CliRunner

from ct_assets.catalog import load_spec
from ct_assets.resources import deployment_resources

ROOT = Path(__file__).parents[1]
MINIMAL = """\
type: ct_assets.component.ContinuousTraining
attributes:
  model: {model}
  owners: [team:growth]
  entity: customer_id
  label: churned
  features: {{age: numerical, plan: categorical}}
  drift:
    rules:
      - {{feature: age, method: psi, threshold: 0.2}}
"""


class Project:
    """A project of its own with models of its own; the package is the one under test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.defs = folder / "team" / "defs"
        self.defs.mkdir(parents=True)
        for init in (self.defs.parent / "__init__.py", self.defs / "__init__.py"):
            init.touch()
        (folder / "pyproject.toml").write_text(
            '[project]\nname = "team"\nversion = "1"\n'
            '[tool.dg]\ndirectory_type = "project"\n'
            '[tool.dg.project]\nroot_module = "team"\nregistry_modules = ["ct_assets"]\n'
            '[tool.dg.cli]\nsuppress_warnings = ["missing_dg_plugin_module_in_manifest"]\n'
        )

    def model(self, name: str, *replaced: tuple[str, str]) -> Path:
        text = MINIMAL.format(model=name)
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        folder = self.defs / name
        folder.mkdir()
        path = folder / "defs.yaml"
        path.write_text(text)
        return path

    def load(self) -> dg.Definitions:
        resources = dg.Definitions(resources=deployment_resources())
        return dg.Definitions.merge(dg.load_from_defs_folder(path_within_project=self.folder), resources)

    def dg(self, *command: str) -> Any:
        """The output of a `dg` command, in this process: it starts in seconds, not in a dozen of them."""
        from dagster_dg_cli.cli import cli

        with contextlib.chdir(self.folder):
            return CliRunner().invoke(cli, list(command))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("CT_HOME", str(tmp_path / "ct"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    shutil.copy(ROOT / "dagster.yaml", tmp_path)
    yield Project(tmp_path)
    for name in [name for name in sys.modules if name == "team" or name.startswith("team.")]:
        del sys.modules[name]


def told(error: BaseException) -> str:
    """The messages of an error and of what it came from."""
    said = []
    while error is not None:
        said.append(str(error))
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return "\n".join(said)


def test_two_models_live_side_by_side_in_one_code_location(project: Project) -> None:
    for name in ("churn", "upsell"):
        project.model(name)
    loaded = project.load()
    keys = {key.to_user_string() for key in loaded.resolve_asset_graph().get_all_asset_keys()}
    assert {f"{model}/drift_report" for model in ("churn", "upsell")} < keys
    assert len(keys) == 14
    repository = loaded.get_repository_def()
    names = [sensor.name for sensor in repository.sensor_defs]
    assert len(names) == len(set(names)) == 6
    assert repository.get_job("upsell_canary_rollout").name == "upsell_canary_rollout"


def test_the_overlay_of_a_deployment_is_put_over_the_file(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.model("churn")
    overlay = project.folder / "overlay.yaml"
    overlay.write_text("churn: {calendar: {schedule: '30 5 * * *'}}")
    monkeypatch.setenv("CT_OVERLAY", str(overlay))
    (schedule,) = project.load().schedules or ()
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert schedule.cron_schedule == "30 5 * * *"


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        ("churn: {rollout: {bake: 60}}", "rollout.bake: unknown key; did you mean 'bake_s'?"),
        ("churn: {gate: {threshold: 2}}", "gate.threshold: "),
        ("chrun: {rollout: {bake_s: 60}}", "there is no model 'chrun' to put keys over (known: churn)"),
    ],
)
def test_a_fault_of_the_overlay_names_the_overlay_and_the_key(
    project: Project, monkeypatch: pytest.MonkeyPatch, overlay: str, said: str
) -> None:
    project.model("churn")
    path = project.folder / "overlay.yaml"
    path.write_text(overlay)
    monkeypatch.setenv("CT_OVERLAY", str(path))
    with pytest.raises(Exception) as caught:  # noqa: PT011 - Dagster wraps it
        project.load().resolve_asset_graph()
    message = told(caught.value)
    assert str(path) in message
    assert said in message


@pytest.mark.parametrize(
    ("replaced", "said"),
    [
        (
            ("feature: age", "feature: aeg"),
            "drift.rules: feature 'aeg' does not exist; this model has age, plan",
        ),
        (("model: churn", "model: chrun"), "model is 'chrun', its folder 'churn': give both the same name"),
        (("entity: customer_id", "entities: customer_id"), "unknown key; did you mean 'entity'?"),
        (("threshold: 0.2", "threshold: -1"), "threshold"),
    ],
)
def test_a_fault_of_the_file_names_the_file_and_the_key(
    project: Project, replaced: tuple[str, str], said: str
) -> None:
    path = project.model("churn", replaced)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - Dagster wraps it
        project.load().resolve_asset_graph()
    message = told(caught.value)
    assert str(path) in message
    assert said in message


def test_dg_check_yaml_shows_file_line_and_key(project: Project) -> None:
    path = project.model(
        "churn", ("entity: customer_id", "entities: customer_id"), ("threshold: 0.2", "threshold: -1")
    )
    result = project.dg("check", "yaml")
    assert result.exit_code == 1
    assert f"{path}:5" in result.output
    assert "'entities' was unexpected" in result.output
    assert f"{path}:10" in result.output
    assert "threshold -1 is less than or equal to the minimum of 0" in result.output, result.output


def test_dg_scaffold_writes_a_model_that_loads_and_says_every_default(project: Project) -> None:
    result = project.dg("scaffold", "defs", "ct_assets.component.ContinuousTraining", "churn")
    assert result.exit_code == 0, result.output
    path = project.defs / "churn" / "defs.yaml"
    document = yaml.safe_load(path.read_text())
    assert document["type"] == "ct_assets.component.ContinuousTraining"
    assert document["attributes"]["model"] == "churn"
    assert load_spec("churn", defs=project.defs).registered_model == "churn"
    assert project.dg("check", "yaml").exit_code == 0
    assert len(project.load().resolve_asset_graph().get_all_asset_keys()) == 7
