"""Findings as tables and sentences for the terminal."""
