"""Labelled frames: sets on disk, what other programs wrote, checks, labels, sampling."""
