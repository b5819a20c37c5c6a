# undo APP: put back what served before an unfinished deploy, and forget that deploy.
# shellcheck shell=bash
app=$1
one_at_a_time "$app"
home=$(home_of "$app")
[ -e "$home/deploying" ] || exit 0
release=$(jq -r .release "$home/deploying")
previous=$(jq -r .previous "$home/deploying")
if [ -e "$home/switching" ] && [ -n "$previous" ]; then
  install_release "$app" "$previous"
  restart_app "$app"
elif [ -e "$home/switching" ]; then
  systemctl stop "$app.service" 2>/dev/null || true
  systemctl reset-failed "$app.service" 2>/dev/null || true
  rm -f "$home/current"
  podman untag "localhost/$app:live" "localhost/$app:live" 2>/dev/null || true
fi
if podman image exists "localhost/$app:$release"; then
  # Kept, so that the next try need not send it again; one at the most.
  podman tag "localhost/$app:$release" "localhost/$app:failed"
  podman untag "localhost/$app:$release" "localhost/$app:$release"
fi
rm -rf "$home/releases/${release:?}" "$home/releases/${release:?}.new"
rm -f "$home/switching" "$home/deploying"
