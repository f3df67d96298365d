"""Potentials: DeePMD-kit's program, finished ones, trainings, their errors on frames."""
