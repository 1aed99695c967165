"""Judging methods: comparisons, measures and tables."""
