"""Rehearsal nodes for an operator's folder, and faults of the sample app to rehearse with."""
