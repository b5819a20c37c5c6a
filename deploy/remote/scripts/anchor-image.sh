# anchor-image APP ID: name an image localhost/APP:anchor, safe from prune; deltas are put on top of
# it. The anchor before it goes where nothing else needs it; deltas keep the layers they stand on.
# shellcheck shell=bash
app=$1 id=$2
one_at_a_time "$app"
anchor=localhost/$app:anchor
before=$(podman image inspect --format '{{.Id}}' "$anchor" 2>/dev/null || true)
podman tag "$id" "$anchor"
if [ -n "$before" ] && [ "$before" != "${id#sha256:}" ]; then
  names=$(podman image inspect --format '{{len .RepoTags}}' "$before" 2>/dev/null || echo 1)
  if [ "$names" -eq 0 ]; then podman rmi --no-prune "$before" >/dev/null 2>&1 || true; fi
fi
