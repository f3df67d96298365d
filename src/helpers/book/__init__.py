"""The book: parameters, chapters, their execution, the rendered pages, jobs on a cluster."""
