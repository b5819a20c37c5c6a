# stop-install CONFIG: end an installation that its operator gave up, and forget its Ignition file.
# shellcheck shell=bash
systemctl stop corefab-install.service 2>/dev/null || true
rm -f "$1"
