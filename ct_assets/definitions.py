"""The code location: loads `defs/` and binds the resources of this deployment. Nothing else."""

from pathlib import Path

import dagster as dg

from ct_assets.resources import deployment_resources


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions.merge(
        dg.load_from_defs_folder(path_within_project=Path(__file__).parent),
        # A run is a process already: its steps share one, so that each heavy import is paid once.
        dg.Definitions(resources=deployment_resources(), executor=dg.in_process_executor),
    )
