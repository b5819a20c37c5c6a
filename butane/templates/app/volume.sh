# volume.sh SLOT NAME: mount a folder of the app's data where the slot's container takes it from. The app may
# replace the folder by a link at any time; so what is mounted is what was checked, by its inode.
# shellcheck shell=bash
set -euo pipefail
folder=/var/lib/@APP@/data/$2 target=/run/corefab/volumes/@APP@-$1/$2
owner=$(stat -c %u:%g /var/lib/@APP@/data) made=no
if [ ! -e "$folder" ] && [ ! -L "$folder" ]; then
  # It follows no link that is there meanwhile.
  mkdir -m 0700 "$folder"
  made=yes
fi
cd "$folder"
if [ "$(readlink /proc/self/cwd)" != "$folder" ]; then
  echo "$folder is not a folder but a link: remove it, and make the folder" >&2
  exit 1
fi
if [ $made = yes ]; then
  chown "$owner" .
  chmod 0750 .
fi
chcon -t container_file_t -l s0 . 2>/dev/null || true
install -d "$target"
if mountpoint -q "$target"; then umount -l "$target"; fi
mount --no-canonicalize --bind . "$target"
