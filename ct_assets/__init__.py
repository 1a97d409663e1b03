"""Continuous training on Dagster: traffic, drift, retraining, gate, canary, champion."""
