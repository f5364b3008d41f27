"""Error mitigation: one file a technique."""
