# load-image: take an image archive from stdin, compressed by zstd, into this node's storage.
# shellcheck shell=bash
zstd -dcq | podman load --quiet
