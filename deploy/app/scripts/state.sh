# state APP: print the ActiveState of the slot that serves, and how often systemd restarted it.
# shellcheck shell=bash
app=$1
unit=$app-$(serving_slot "$app").service
printf '%s %s\n' "$(systemctl show -P ActiveState "$unit")" "$(systemctl show -P NRestarts "$unit")"
