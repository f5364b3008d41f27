"""Numbers that compare: distances, baselines, intervals, the verdict."""
