"""The page: one file that shows a study in a browser, without a network and without LaTeX."""
