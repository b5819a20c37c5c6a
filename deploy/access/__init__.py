"""Verbs: who may log in to the nodes, and which key a node shows."""
