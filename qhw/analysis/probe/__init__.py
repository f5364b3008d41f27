"""The noise of the day: smaller circuits of known answer beside a job, and what they say."""
