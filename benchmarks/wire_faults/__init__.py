"""Every fault of the loopback vendors against every command that talks to them."""
