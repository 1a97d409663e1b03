"""The deployment: where the lake, the registry and the router are. Everything else is the model's spec.

Read from the environment (prefix `CT_`), so that serving, the code location and `ct` agree without an
`if`. The defaults are the embedded ones: all state under `.ct/` of the working directory.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["Settings"]


class Settings(BaseSettings):
    """Addresses of a deployment's parts."""

    model_config = SettingsConfigDict(
        env_prefix="CT_", extra="ignore", frozen=True, use_attribute_docstrings=True
    )

    home: Path = Path(".ct")
    """Folder of all embedded state."""
    lake_url: str = ""
    """`file:///...` or `s3://bucket/prefix`; default: `<home>/lake`."""
    tracking_uri: str = Field(default="", validation_alias="MLFLOW_TRACKING_URI")
    """MLflow tracking and registry; default: SQLite in `<home>/mlflow`."""
    overlay: Path | None = None
    """YAML file, model name -> keys that replace those of its `defs.yaml` (a deployment's differences)."""
    router_dir: Path | None = None
    """Folder that Envoy watches for its routes; default: `<home>/router`."""

    reports_url: str = ""
    """Where a browser finds the objects of the lake, for links in the UI; default: the lake's own URL."""

    @cached_property
    def lake(self) -> str:
        return self.lake_url or f"file://{(self.home / 'lake').absolute()}"

    @cached_property
    def mlflow(self) -> str:
        return self.tracking_uri or f"sqlite:///{(self.home / 'mlflow' / 'mlflow.db').absolute()}"

    @cached_property
    def routes(self) -> Path:
        return (self.router_dir or self.home / "router").absolute()
