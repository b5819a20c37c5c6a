# restart: restart the machine; the answer comes before the end.
# shellcheck shell=bash
systemctl --no-block reboot
