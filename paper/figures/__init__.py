"""Figures of the report, each as PDF and PNG."""
