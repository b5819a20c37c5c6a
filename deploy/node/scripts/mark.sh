# mark: which machine spec this node was made of; nothing where it does not say.
# shellcheck shell=bash
spec_mark
