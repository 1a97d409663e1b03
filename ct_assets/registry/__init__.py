"""The registry of model versions: what was trained, which version is champion or challenger, and its files."""

from ct_assets.registry.bundle import (
    BUNDLE_FILE,
    MODEL_FILE,
    Bundle,
    BundleError,
    Golden,
    read_bundle,
    write_bundle,
)
from ct_assets.registry.store import Registry
from ct_assets.registry.version import RegistryError, UnknownVersion, Version

__all__ = [
    "BUNDLE_FILE",
    "MODEL_FILE",
    "Bundle",
    "BundleError",
    "Golden",
    "Registry",
    "RegistryError",
    "UnknownVersion",
    "Version",
    "read_bundle",
    "write_bundle",
]
