# stop-install CONFIG: stop an interrupted installation and remove its Ignition file.
# shellcheck shell=bash
systemctl stop corefab-install.service 2>/dev/null || true
rm -f "$1"
