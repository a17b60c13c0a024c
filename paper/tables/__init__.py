"""LaTeX tables of the report."""
