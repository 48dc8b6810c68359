"""Explore what happened to your Prefect runs: DataFrames that are complete or say what is missing, and charts."""
