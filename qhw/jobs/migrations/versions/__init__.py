"""One module a revision, named ``<number>_<what>``."""
