"""Deltawave."""
