"""Which device to run on, who holds it, and whether it was ours alone."""
