"""Rewriting passes: each takes an `Editor`, changes the graph to one of the same meaning, and says whether it did."""
