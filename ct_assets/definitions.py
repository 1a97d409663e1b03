"""The code location: loads `defs/` and binds the resources of this deployment. Nothing else."""

import dagster as dg

import ct_assets.defs
from ct_assets.resources import deployment_resources


@dg.definitions
def defs() -> dg.Definitions:
    return dg.Definitions.merge(
        dg.components.load_defs(ct_assets.defs),
        # A run is a process already: its steps share one, so that each heavy import is paid once.
        dg.Definitions(resources=deployment_resources(), executor=dg.in_process_executor),
    )
