#!/usr/bin/bash
# auto-update.sh: start the containers that podman updates by itself and that have failed, with what their tag
# names now: podman looks at those only that run, and would leave these down for ever.
set -euo pipefail
folder=/etc/containers/systemd
while IFS= read -r -d '' file; do
  unit=$(sed -n 's/^ServiceName *= *//p' "$file" | tail -n 1)
  unit=${unit:-$(basename "$file" .container)}.service
  [ "$(systemctl show -P ActiveState "$unit")" = failed ] || continue
  image=$(sed -n 's/^Image *= *//p' "$file" | tail -n 1)
  case $image in
    # The name is in a Quadlet of its own.
    *.image) image=$(find "$folder" -name "$image" -exec sed -n 's/^Image *= *//p' {} + | tail -n 1) ;;
  esac
  echo "$unit has failed: starting it with what $image names now"
  # Without the registry too: it may have failed for a reason that is gone.
  timeout 30m podman pull --quiet "$image" >/dev/null || echo "$image cannot be pulled: starting what is here"
  systemctl reset-failed "$unit" || true
  systemctl start "$unit" || true
done < <(grep -rlZ --include='*.container' -E '^(AutoUpdate *= *registry|Label *=.*io\.containers\.autoupdate=registry)' "$folder" || true)
