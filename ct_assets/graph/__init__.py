"""The Dagster layer: one file a node of the lineage. It calls the rooms and records what they said."""
