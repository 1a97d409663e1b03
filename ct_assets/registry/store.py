"""The registry of one model: its versions, the aliases that serving follows, and the files behind a version.

A thin face over MLflow's client, restricted to calls that mlflow-skinny answers, on a SQLite file or a
server alike. mlflow (3-4 s of import) is loaded at the first call, never with this module.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ct_assets.registry.bundle import BundleError, read_bundle
from ct_assets.registry.connect import connect, mlflow_exception, sqlite_file
from ct_assets.registry.version import ONNX_SHA256, RegistryError, UnknownVersion, Version

__all__ = ["Registry"]


class Registry:
    """Versions and aliases of the registered model `name`; safe to share between threads."""

    def __init__(self, tracking_uri: str, name: str) -> None:
        """`tracking_uri`: `sqlite:////absolute/mlflow.db` (made on first use) or `http(s)://server`. Nothing is opened yet."""
        self.tracking_uri = tracking_uri
        self.name = name
        self._file = sqlite_file(tracking_uri)
        self._client: Any = None
        self._opening = threading.Lock()

    @property
    def client(self) -> Any:
        """The `MlflowClient` underneath, opened at the first use (for runs: training logs through it)."""
        if self._client is None:
            with self._opening:
                if self._client is None:
                    self._client = connect(self.tracking_uri)
        return self._client

    def by_alias(self, alias: str) -> Version | None:
        """The version that `alias` names, or None where the alias (or the whole model) does not exist yet.

        About 2 ms on SQLite: cheap enough to be asked every second. A store that cannot be reached raises RegistryError.
        """
        MlflowException = mlflow_exception()  # noqa: N806

        try:
            return _version(self.client.get_model_version_by_alias(self.name, alias))
        except MlflowException as error:
            if _is_absent(error):
                return None
            raise self._failed(f"alias '{alias}'", error) from error

    def get(self, version: str) -> Version:
        """One version; raises UnknownVersion."""
        MlflowException = mlflow_exception()  # noqa: N806

        try:
            return _version(self.client.get_model_version(self.name, version))
        except MlflowException as error:
            if _is_absent(error) or not version.isdigit():
                raise UnknownVersion(f"'{self.name}' has no version {version!r}; {self._known()}") from error
            raise self._failed(f"version {version}", error) from error

    def versions(self) -> list[Version]:
        """Every version, newest first; empty before the first one."""
        found: list[Any] = []
        token: str | None = None
        while True:
            page = self.client.search_model_versions(
                f"name = '{self.name}'", max_results=200, page_token=token
            )
            found.extend(page)
            token = page.token
            if not token:
                return sorted(map(_version, found), key=lambda v: int(v.version), reverse=True)

    def set_alias(self, alias: str, version: str) -> None:
        """Points `alias` at `version`, wherever it pointed before; raises UnknownVersion and moves nothing."""
        self.get(version)
        self.client.set_registered_model_alias(self.name, alias, version)

    def clear_alias(self, alias: str, *, only_if: str | None = None) -> bool:
        """Removes `alias`, where it exists and (given `only_if`) still names that version; True if it was removed.

        MLflow has no compare-and-set: the look and the removal are two calls, so `only_if` guards against a
        newer challenger of minutes ago, not of milliseconds ago.
        """
        current = self.by_alias(alias)
        if current is None or (only_if is not None and current.version != only_if):
            return False
        self.client.delete_registered_model_alias(self.name, alias)
        return True

    def tag(self, version: str, **tags: str) -> None:
        """Sets tags of a version; dotted names go as `tag(version, **{"ct.verdict": "promote"})`."""
        for key, value in tags.items():
            self.client.set_model_version_tag(self.name, version, key, str(value))

    def register(
        self,
        *,
        run_id: str,
        source: str,
        tags: Mapping[str, str],
        model_id: str | None = None,
        description: str = "",
    ) -> Version:
        """A new version of this model (the model itself is made with its first one).

        `source`: where the bundle folder lies, e.g. `runs:/<run_id>/model`; `model_id`: MLflow's logged model, if any.
        """
        MlflowException = mlflow_exception()  # noqa: N806

        try:
            self.client.create_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        created = self.client.create_model_version(
            self.name,
            source,
            run_id=run_id,
            tags=dict(tags),
            description=description or None,
            model_id=model_id,
        )
        return _version(created)

    def download(self, version: str, destination: Path) -> Path:
        """The bundle folder of `version` under `destination`: fetched once, whole or not at all, digests checked.

        Raises BundleError where the files are not the ones that were registered, UnknownVersion, RegistryError.
        """
        known = self.get(version)
        # The run is part of the name: version 1 of a registry that was set up anew is another model.
        folder = destination / f"{self.name}-{known.version}-{known.run_id[:8]}"
        if folder.exists():
            try:
                _verify(folder, known)
            except BundleError:
                shutil.rmtree(folder)
            else:
                return folder
        destination.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=destination, prefix=".download-") as temporary:
            fetched = self._fetch(known, temporary)
            _verify(fetched, known)
            try:
                fetched.rename(folder)
            except OSError:  # another process was first; its copy passed the same checks
                _verify(folder, known)
        return folder

    def experiment(self) -> str:
        """The id of this model's MLflow experiment (same name), made on first use."""
        MlflowException = mlflow_exception()  # noqa: N806

        found = self.client.get_experiment_by_name(self.name)
        if found is not None:
            return str(found.experiment_id)
        location = (self._file.parent / "artifacts" / self.name).as_uri() if self._file else None
        try:
            return str(self.client.create_experiment(self.name, artifact_location=location))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return str(self.client.get_experiment_by_name(self.name).experiment_id)

    def _fetch(self, version: Version, folder: str) -> Path:
        MlflowException = mlflow_exception()  # noqa: N806
        from mlflow.artifacts import download_artifacts

        uri = self.client.get_model_version_download_uri(self.name, version.version)
        try:
            return Path(
                download_artifacts(
                    artifact_uri=uri,
                    dst_path=folder,
                    tracking_uri=self.tracking_uri,
                    registry_uri=self.tracking_uri,
                )
            )
        except (OSError, MlflowException) as error:
            raise self._failed(f"the files of version {version.version} at {uri}", error) from error

    def _failed(self, asked: str, error: Exception) -> RegistryError:
        return RegistryError(f"{self.tracking_uri}: {asked} of '{self.name}' cannot be read: {error}")

    def _known(self) -> str:
        numbers = [v.version for v in self.versions()]
        return f"it has {', '.join(reversed(numbers))}" if numbers else "nothing is registered yet"


def _version(found: Any) -> Version:
    created = datetime.fromtimestamp(found.creation_timestamp / 1_000, tz=UTC)
    return Version(
        version=str(found.version), run_id=found.run_id or "", tags=dict(found.tags), created=created
    )


def _is_absent(error: Any) -> bool:
    """MLflow says RESOURCE_DOES_NOT_EXIST of a missing model or version, INVALID_PARAMETER_VALUE of a missing alias."""
    return error.error_code == "RESOURCE_DOES_NOT_EXIST" or (
        error.error_code == "INVALID_PARAMETER_VALUE" and "not found" in str(error)
    )


def _verify(folder: Path, version: Version) -> None:
    """The graph is the one of bundle.json, and bundle.json is the one that was registered."""
    digest = read_bundle(folder).onnx_sha256
    registered = version.tags.get(ONNX_SHA256, digest)
    if digest != registered:
        raise BundleError(
            f"{folder}: digest {digest[:12]} is not the {registered[:12]} of version {version.version}'s tag {ONNX_SHA256}"
        )
