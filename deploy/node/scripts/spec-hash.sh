# spec-hash: print the hash of the machine spec that this node was installed from, if it is known.
# shellcheck shell=bash
spec_hash
