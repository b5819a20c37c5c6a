"""Verbs: new certificates, from where they come to the proof that they are served."""
