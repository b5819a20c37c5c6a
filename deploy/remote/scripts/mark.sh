# mark: which machine spec this node was made of; nothing where it does not say.
# shellcheck shell=bash
cat /etc/corefab/spec 2>/dev/null || true
