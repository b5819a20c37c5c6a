"""SSH access to nodes: people's keys, the operator's own key, and the nodes' host keys."""
