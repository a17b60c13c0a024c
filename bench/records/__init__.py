"""What was measured and every number that is defined on it. No input or output."""
