"""The serving bundle: the files of a model version that serving loads. Never a pickle.

model.onnx    inputs `numerical` float32 [rows, k] and, where the model has categorical features,
              `categorical` string [rows, m]; columns in the order of the spec; a missing number is NaN,
              a missing category "". Output `score` float32 [rows], probability of the positive class.
bundle.json   this file's `Bundle`: the feature contract, the graph's digest, and golden rows.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

__all__ = ["BUNDLE_FILE", "MODEL_FILE", "Bundle", "BundleError", "Golden", "read_bundle", "write_bundle"]

MODEL_FILE = "model.onnx"
BUNDLE_FILE = "bundle.json"


class BundleError(ValueError):
    """A bundle that must not be served: says which file and why."""


class Golden(msgspec.Struct, frozen=True):
    """Rows with the scores that this graph must give for them (atol 1e-5) before it serves."""

    numerical: list[list[float | None]]
    categorical: list[list[str | None]]
    scores: list[float]


class Bundle(msgspec.Struct, frozen=True):
    """What a graph expects and what it is."""

    numerical: list[str]
    categorical: list[str]
    onnx_sha256: str
    golden: Golden


def read_bundle(folder: Path) -> Bundle:
    """The bundle of a folder, after the graph's digest was checked; raises BundleError."""
    try:
        bundle = msgspec.json.decode((folder / BUNDLE_FILE).read_bytes(), type=Bundle)
        graph = (folder / MODEL_FILE).read_bytes()
    except FileNotFoundError as error:
        raise BundleError(f"{error.filename}: missing from the model's artifacts") from error
    except msgspec.MsgspecError as error:
        raise BundleError(f"{folder / BUNDLE_FILE}: not readable ({error})") from error
    found = hashlib.sha256(graph).hexdigest()
    if found != bundle.onnx_sha256:
        raise BundleError(
            f"{folder / MODEL_FILE}: digest {found[:12]} is not the registered {bundle.onnx_sha256[:12]}"
        )
    return bundle


def write_bundle(
    folder: Path, graph: bytes, *, numerical: list[str], categorical: list[str], golden: Golden
) -> Bundle:
    """Adds `bundle.json` and the graph to `folder` (made if absent); the digest is taken from the bytes written."""
    folder.mkdir(parents=True, exist_ok=True)
    bundle = Bundle(numerical, categorical, hashlib.sha256(graph).hexdigest(), golden)
    (folder / MODEL_FILE).write_bytes(graph)
    (folder / BUNDLE_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(bundle), indent=1))
    return bundle
