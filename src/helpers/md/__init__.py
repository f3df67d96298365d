"""Molecular dynamics: a heating run as data, as LAMMPS' input, made and resumed, read again."""
