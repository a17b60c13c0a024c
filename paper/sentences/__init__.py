"""Sentences of the paper: which one stands depends on what was measured; every measured number in it is a macro."""
