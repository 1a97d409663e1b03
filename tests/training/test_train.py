from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from ct_assets.lake.layout import reference_key
from ct_assets.registry import MODEL_FILE, read_bundle
from ct_assets.training import NotTrainable, find_trained, params_hash, score, train
from ct_assets.training.retrain import retrain
from ct_assets.training.tracking import tracked_run


def _train(spec, dataset, registry, lake, folder: Path, **changed):
    folder.mkdir(exist_ok=True)
    given = {
        "as_of": dataset.window.as_of,
        "trigger": "drift: psi_amount 0.31",
        "code_version": "abc",
    } | changed
    return train(spec, dataset, registry=registry, lake=lake, work_dir=folder, **given)


@pytest.fixture
def trained(spec, dataset, registry, lake, tmp_path):
    return _train(spec, dataset, registry, lake, tmp_path / "work", reuse=False)


def test_a_candidate_is_registered_with_everything_that_tells_where_it_comes_from(
    trained, registry, dataset
) -> None:
    version = registry.get(trained.version)
    assert version.as_of == dataset.window.as_of
    assert version.run_id == trained.run_id
    expected = {
        "ct.trigger": "drift: psi_amount 0.31",
        "ct.code_version": "abc",
        "ct.data_hash": dataset.content_hash,
        "ct.train_start": "2026-03-01",
        "ct.train_end": "2026-03-10",
        "ct.holdout_start": "2026-03-11",
        "ct.holdout_end": "2026-03-12",
        "ct.parity": repr(trained.parity),
    }
    assert expected.items() <= version.tags.items()
    assert trained.parity <= 1e-6
    assert (trained.train_rows, trained.holdout_rows) == (2_000, 400)


def test_what_serving_downloads_gives_the_scores_that_were_measured(
    trained, registry, dataset, tmp_path
) -> None:
    folder = registry.download(trained.version, tmp_path / "serving")
    bundle = read_bundle(folder)
    assert bundle.onnx_sha256 == registry.get(trained.version).tags["ct.onnx_sha256"]
    assert bundle.onnx_sha256 == hashlib.sha256((trained.bundle / MODEL_FILE).read_bytes()).hexdigest()
    assert (bundle.numerical, bundle.categorical) == (["amount", "gap"], ["shop", "country"])
    np.testing.assert_array_equal(score(folder, dataset.holdout), trained.scores)


def test_the_reference_and_the_scores_lie_in_the_lake_under_the_run(trained, spec, lake) -> None:
    assert lake.read_table(reference_key("toy", trained.run_id, "reference.parquet")).num_rows == 150
    kept = lake.read_table(reference_key("toy", trained.run_id, "scores.parquet"))["prediction"].to_pylist()
    assert kept == trained.scores.tolist()


def test_the_mlflow_run_is_finished_and_says_what_was_done(trained, registry) -> None:
    run = registry.client.get_run(trained.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["trainer"] == "hist_gradient_boosting"
    assert run.data.params["parameters.max_iter"] == "30"
    assert run.data.metrics == pytest.approx(dict(trained.metrics))
    assert run.inputs.dataset_inputs[0].dataset.digest == trained.data_hash
    assert {f.path for f in registry.client.list_artifacts(trained.run_id)} == {
        "dataset.json",
        "holdout.png",
        "importance.json",
    }


def test_the_model_carries_a_signature_and_loads_through_mlflow(
    trained, registry, dataset, spec, tmp_path
) -> None:
    from mlflow import pyfunc

    from ct_assets.training.features import onnx_inputs

    model = pyfunc.load_model(str(registry.download(trained.version, tmp_path / "mlflow")))
    assert [i.name for i in model.metadata.signature.inputs.inputs] == ["numerical", "categorical"]
    assert [(o.name, o.type) for o in model.metadata.signature.outputs.inputs] == [
        ("score", np.dtype(np.float32))
    ]
    answered = model.predict(onnx_inputs(dataset.holdout, spec.numerical, spec.categorical))
    np.testing.assert_allclose(answered["score"], trained.scores)


def test_the_same_data_and_recipe_are_not_trained_twice(
    trained, spec, dataset, registry, lake, tmp_path
) -> None:
    again = _train(spec, dataset, registry, lake, tmp_path / "again")
    assert again.reused
    assert (again.version, again.run_id, again.parity) == (trained.version, trained.run_id, trained.parity)
    assert dict(again.metrics) == pytest.approx(dict(trained.metrics))
    np.testing.assert_array_equal(again.scores, trained.scores)
    assert read_bundle(again.bundle) == read_bundle(trained.bundle)


def test_other_data_another_recipe_or_other_code_is_another_model(
    trained, spec, dataset, registry, toys
) -> None:
    recipe, as_of = params_hash(spec, "abc"), dataset.window.as_of
    found = find_trained(registry, as_of, dataset.content_hash, recipe)
    assert found is not None
    assert found.version == trained.version
    assert find_trained(registry, as_of, "0" * 16, recipe) is None
    assert find_trained(registry, dataset.window.train_start, dataset.content_hash, recipe) is None
    recipes = {
        params_hash(s, c)
        for s, c in (
            (spec, "abc"),
            (spec, "abd"),
            (toys.spec(seed=1), "abc"),
            (toys.spec(parameters={"max_iter": 31}), "abc"),
        )
    }
    assert len(recipes) == 4


def test_what_does_not_shape_the_model_does_not_change_the_recipe(spec) -> None:
    other = spec.model_copy(
        update={"description": "other", "gate": spec.gate.model_copy(update={"threshold": 0.5})}
    )
    assert params_hash(other, "abc") == params_hash(spec, "abc")


def test_a_training_that_fails_leaves_a_failed_run_and_no_version(
    toys, dataset, registry, lake, tmp_path
) -> None:
    before = len(registry.versions())
    with pytest.raises(ValueError, match="n_trees"):
        _train(toys.spec(parameters={"n_trees": 1}), dataset, registry, lake, tmp_path / "w")
    run = registry.client.search_runs([registry.experiment()], order_by=["start_time DESC"], max_results=1)[0]
    assert run.info.status == "FAILED"
    assert "n_trees" in run.data.tags["ct.error"]
    assert len(registry.versions()) == before
    assert list(lake.list("references/")) == []


def test_an_interrupted_training_is_killed_not_running(registry) -> None:
    with pytest.raises(KeyboardInterrupt), tracked_run(registry, name="n", tags={}) as run:
        raise KeyboardInterrupt
    assert registry.client.get_run(run.run_id).info.status == "KILLED"


def test_a_graph_that_strays_is_registered_for_the_gate_to_refuse(
    toys, rows, registry, lake, tmp_path, monkeypatch
) -> None:
    """The native model is moved after its export: parity must tell."""
    from ct_assets.training.export import SklearnModel

    spec = toys.spec()
    dataset = toys.dataset(spec, rows)
    native = SklearnModel.predict_proba
    monkeypatch.setattr(SklearnModel, "predict_proba", lambda self, frame: native(self, frame) * 0.9)
    strayed = _train(spec, dataset, registry, lake, tmp_path / "w", reuse=False)
    assert 0.01 < strayed.parity < 0.2
    assert float(registry.get(strayed.version).tags["ct.parity"]) == strayed.parity


def test_a_dataset_cut_for_another_day_is_refused(spec, dataset, registry, lake, tmp_path) -> None:
    with pytest.raises(ValueError, match="not the 2026-03-13"):
        _train(spec, dataset, registry, lake, tmp_path / "w", as_of=dataset.window.train_start)


def test_from_the_lake_to_a_version_and_from_an_empty_lake_to_a_reason(
    spec, rows, registry, lake, tmp_path
) -> None:
    from ct_assets.lake.layout import production_key
    from ct_assets.lake.log import write_records
    from ct_assets.lake.record import LABEL_LOG, feature_log_schema

    given = {"lake": lake, "registry": registry, "trigger": "by hand", "code_version": "abc", "run_id": "r-1"}
    as_of = date(2026, 3, 13)
    (tmp_path / "w").mkdir()
    with pytest.raises(NotTrainable, match="holds 0 labelled rows"):
        retrain(spec, as_of=as_of, work_dir=tmp_path / "w", **given)
    production = rows.select(feature_log_schema(spec).names)
    for k in range(12):
        day = as_of.replace(day=k + 1)
        lake.put_table(production_key(spec.model, day), production.slice(k * 200, 200))
    sent = rows.select(["request_id", "label", "label_time"]).append_column("received_at", rows["label_time"])
    write_records(lake, "labels", spec.model, sent.cast(LABEL_LOG), "label_time")
    said: list[str] = []
    trained = retrain(spec, as_of=as_of, work_dir=tmp_path / "w", log=said.append, **given)
    assert (trained.train_rows, trained.holdout_rows) == (2_000, 400)
    assert said[0].startswith("training on 2,000 rows of 2026-03-01..2026-03-10")
    assert said[1].startswith(f"version {trained.version} ")


def test_importing_training_loads_no_framework() -> None:
    heavy = {"sklearn", "mlflow", "onnx", "skl2onnx", "onnxruntime", "matplotlib", "pandas", "dagster"}
    code = f"import json, sys, ct_assets.training, ct_assets.gate; print(json.dumps(sorted({heavy!r} & set(sys.modules))))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert json.loads(done.stdout) == []
