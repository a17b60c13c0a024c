"""What the runs of a study say, as numbers."""
