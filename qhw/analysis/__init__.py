"""Questions a user asks of circuits and devices: a folder each, and the scores they share."""
