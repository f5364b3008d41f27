"""How long an IBM device is busy beside the circuits themselves."""

JOB_OVERHEAD_S = 2.0
"""Device time of a job before its first shot."""
REP_DELAY_S = 250e-6
"""Pause between shots that IBM's configurations name as the default; a snapshot holds none."""
