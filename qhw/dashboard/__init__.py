"""A page to keep open: runs, jobs and money, read-only, for this machine's own browser."""
