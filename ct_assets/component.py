"""The Dagster component of one model: a `defs.yaml` in, that model's whole asset graph out."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from pydantic import BaseModel

from ct_assets.catalog import apply_overlay, read_overlay
from ct_assets.graph.model_graph import model_graph
from ct_assets.settings import Settings
from ct_assets.spec import ModelSpec

__all__ = ["ContinuousTraining", "ContinuousTrainingScaffolder"]

TEMPLATE = Path(__file__).with_name("scaffold.yaml")


class ContinuousTrainingScaffolder(dg.Scaffolder):
    """Writes a filled `defs.yaml`, every default spelled out, for `dg scaffold defs`."""

    def scaffold(self, request: dg.ScaffoldRequest) -> None:
        folder = request.target_path
        folder.mkdir(parents=True, exist_ok=True)
        text = TEMPLATE.read_text().replace("__TYPE__", request.type_name).replace("__MODEL__", folder.name)
        (folder / "defs.yaml").write_text(text)


@dg.scaffold_with(ContinuousTrainingScaffolder)
class ContinuousTraining(dg.Component):
    """Continuous training of one model: production features, drift report, retraining, gate, canary, champion."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        return ModelSpec

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> ContinuousTraining:
        """Puts the deployment's overlay over the file's attributes, so that one file serves every deployment."""
        if not isinstance(attributes, ModelSpec):
            raise TypeError("ContinuousTraining needs `attributes`: the model's spec, see ct_assets/spec.py")
        overlay = read_overlay(Settings().overlay).get(attributes.model)
        if not overlay:
            return cls(attributes)
        merged = apply_overlay(attributes.model_dump(exclude_unset=True), overlay)
        return cls(ModelSpec.model_validate(merged))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        return model_graph(self.spec)
