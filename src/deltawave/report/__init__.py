"""Figures of a run, comparisons of machines, pictures of both."""
