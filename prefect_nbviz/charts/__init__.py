"""Figures of runs and of their states. Pure functions from frames to plotly figures."""
