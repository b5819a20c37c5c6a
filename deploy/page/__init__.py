"""The status page of a node: what it tells its operators without a login."""
