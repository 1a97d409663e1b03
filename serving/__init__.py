"""The serving room: one process that answers requests with the model an alias names, and logs what it answered.

    request -> predict (contract, predictor) -> feature_log -> shipper -> lake `features/<model>/...`
    label   -> feedback (contract)           -> feature_log -> shipper -> lake `labels/<model>/...`
    registry alias -> follower -> predictor (swapped as one pointer)

It depends on `ct_assets.{spec, catalog, settings, lake, registry}` and never on dagster.
"""

from serving.app import create_app

__all__ = ["create_app"]
