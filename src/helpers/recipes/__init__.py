"""The recipes in data/{sets,potentials,runs}.yaml, and how each is followed."""
