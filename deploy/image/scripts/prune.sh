# prune APP: remove the tags of this app that belong to none of its releases, with their images
# where nothing else refers to them, images that were sent and lost their name to the next, and what
# cut transfers left. Says a line for each.
# shellcheck shell=bash
app=$1
one_at_a_time "$app"
home=$(home_of "$app")
[ ! -e "$home/deploying" ] || fail "a deploy of $app is unfinished: run \`fab deploy\` first"
while IFS= read -r name; do
  tag=${name#"localhost/$app:"}
  [ "$tag" != "$name" ] || continue
  case $tag in
    blue | green) if [ -e "$home/$tag" ]; then continue; fi ;;
  esac
  if [ -e "$home/releases/$tag/manifest.json" ]; then continue; fi
  # Another name keeps the image; where a container does, the name goes all the same.
  podman rmi --no-prune "$name" >/dev/null 2>&1 || podman untag "$name" "$name"
  echo "image $name"
done < <(podman image ls --filter "reference=localhost/$app" --format '{{.Repository}}:{{.Tag}}')

# Images without a name that never had one but of this app; one that a container uses stays.
while read -r id names; do
  [ -n "$names" ] || continue
  for name in ${names//,/}; do
    if [ "${name#"localhost/$app:"}" = "$name" ]; then continue 2; fi
  done
  if podman rmi --no-prune "$id" >/dev/null 2>&1; then echo "image $id, once ${names%%,*}"; fi
done < <(podman image ls --filter dangling=true --format '{{.ID}} {{.History}}')

# A transfer that is under way holds its lock; one that was cut does not.
for place in /var/lib/corefab/images/*/; do
  [ -d "$place" ] || continue
  hex=$(basename "$place")
  exec 7>"/run/corefab/image-$hex.lock"
  flock -n 7 || continue
  size=$(du -sh "$place" | cut -f 1)
  rm -rf "$place"
  echo "a cut transfer of image ${hex:0:12}, $size"
done
