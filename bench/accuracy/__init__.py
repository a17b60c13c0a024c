"""Task accuracy as the field measures it: lm-evaluation-harness's tasks, filters and scores over our models."""
