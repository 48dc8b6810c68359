"""Reports: what is to be seen of runs as one page, for people who have no notebook."""
