"""From YAML to cells: what grid and pair files may say, which rules a cell keeps, the work folder."""
