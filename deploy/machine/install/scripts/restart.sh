# restart: restart the machine; answers before it shuts down.
# shellcheck shell=bash
systemctl --no-block reboot
