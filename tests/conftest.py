"""What every test can rely on: no deployment of the developer's, no telemetry, and property tests that repeat in CI."""

from __future__ import annotations

import os

from hypothesis import settings

# A shell that is set up for a deployment must not lead a test to its lake, its registry or its Dagster instance.
for _name in [name for name in os.environ if name.startswith(("CT_", "MLFLOW_", "DAGSTER_"))]:
    del os.environ[_name]
os.environ |= {"DO_NOT_TRACK": "1", "DAGSTER_DISABLE_TELEMETRY": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}

# No deadline: on a loaded machine a slow example is no defect. In CI the same examples each time, so that a change
# fails by its own fault only; at a desk new ones each time, so that the search goes on.
settings.register_profile("house", deadline=None, max_examples=50, derandomize=bool(os.environ.get("CI")))
settings.load_profile("house")
