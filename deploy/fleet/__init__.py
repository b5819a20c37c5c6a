"""Several nodes: which instances and nodes a command is for."""
