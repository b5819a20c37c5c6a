# undo APP: put back what served before an unfinished deploy, and forget that deploy.
# shellcheck shell=bash
app=$1
one_at_a_time "$app"
home=$(home_of "$app")
[ -e "$home/deploying" ] || exit 0
# A marker that cannot be read still says that something was begun; `current` says what serves.
release=$(jq -re .release "$home/deploying" 2>/dev/null || true)
previous=$(jq -re .previous "$home/deploying" 2>/dev/null || current_of "$app")
if [ -e "$home/switching" ] && [ -n "$previous" ]; then
  install_release "$app" "$previous"
  restart_app "$app"
elif [ -e "$home/switching" ]; then
  systemctl stop "$app.service" 2>/dev/null || true
  systemctl reset-failed "$app.service" 2>/dev/null || true
  rm -f "$home/current"
  podman untag "localhost/$app:live" "localhost/$app:live" 2>/dev/null || true
fi
if [ -n "$release" ] && podman image exists "localhost/$app:$release"; then
  # Kept, so that the next try need not send it again; one at the most.
  podman tag "localhost/$app:$release" "localhost/$app:failed"
  podman untag "localhost/$app:$release" "localhost/$app:$release"
fi
if [ -n "$release" ]; then rm -rf "$home/releases/$release"; fi
rm -rf "$home"/releases/*.new
rm -f "$home/switching" "$home/deploying"
