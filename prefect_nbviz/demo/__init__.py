"""A private Prefect server with sample runs, to try the package without a server of one's own."""
