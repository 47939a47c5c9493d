"""Benchmarks against peers and limits, measured side by side."""
