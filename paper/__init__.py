"""From tracked runs to tables, figures and the report."""
