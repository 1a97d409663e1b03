"""The Dagster component of one model: a `defs.yaml` in, that model's whole asset graph out."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from pydantic import BaseModel

from ct_assets.catalog import load_spec
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
        """The spec of the component's folder under the deployment's overlay, read as serving and `ct` read it.

        Dagster has validated `attributes` by then, and names file and line of what is wrong in `defs.yaml`. What
        only the overlay breaks, or the folder's name, is a SpecError that says so.
        """
        return cls(load_spec(context.path.name, overlay=Settings().overlay, defs=context.path.parent))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        return model_graph(self.spec)
