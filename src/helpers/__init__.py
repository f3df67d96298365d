"""The numerics behind the book: data flow one way, and the folders are the way.

frames -> potentials -> md -> recipes -> validation, benchmarks -> book -> notebooks,

with ``observables`` (arrays in, results out) and ``report`` (what a page shows) beside it.
"""
