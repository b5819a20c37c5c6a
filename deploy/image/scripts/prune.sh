# prune APP: remove this app's tags without a release, with their images if nothing else uses these;
# untagged images that only had tags of this app; and what interrupted transfers left. Prints a line
# for each.
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
  # An image with another tag stays; one that a container uses loses its tag all the same.
  podman rmi --no-prune "$name" >/dev/null 2>&1 || podman untag "$name" "$name"
  echo "image $name"
done < <(podman image ls --filter "reference=localhost/$app" --format '{{.Repository}}:{{.Tag}}')

# Untagged images that only had tags of this app; one that a container uses stays. Podman does not list
# an image whose layers are the first ones of another: look again while there was one to remove.
removed=yes
while [ -n "$removed" ]; do
  removed=
  while read -r id names; do
    [ -n "$names" ] || continue
    for name in ${names//,/}; do
      if [ "${name#"localhost/$app:"}" = "$name" ]; then continue 2; fi
    done
    if podman rmi --no-prune "$id" >/dev/null 2>&1; then
      echo "image $id, formerly ${names%%,*}"
      removed=yes
    fi
  done < <(podman image ls --filter dangling=true --format '{{.ID}} {{.History}}')
done

# A running transfer holds its lock; an interrupted one does not.
for place in /var/lib/corefab/images/*/; do
  [ -d "$place" ] || continue
  hex=$(basename "$place")
  lock=$(lock_file "image-$hex.lock")
  exec 7<>"$lock"
  flock -n 7 || continue
  size=$(du -sh "$place" | cut -f 1)
  rm -rf "$place"
  echo "interrupted transfer of image ${hex:0:12}, $size"
done
