# state APP: one word on the app's unit, and how often systemd started it again.
# shellcheck shell=bash
app=$1
printf '%s %s\n' "$(systemctl show -P ActiveState "$app.service")" \
  "$(systemctl show -P NRestarts "$app.service")"
