"""Targets, placement and schedules, shared by every vendor."""
