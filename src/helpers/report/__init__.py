"""What a page shows: the paper's numbers, figures, tables, structures, claims."""
