"""Jupyter widgets: controls that say a query, and views of what it finds."""
