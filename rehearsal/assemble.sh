#!/usr/bin/env bash
# In a private mount namespace: puts a node's tree together at ROOT, then becomes the command.
# Usage: assemble.sh BASE NODE ROOT COMMAND...
# /usr is the shared base's and read-only like the root itself; /etc and /var are the node's.
set -euo pipefail
base=$1 node=$2 root=$3
shift 3

# A file system of its own: every node has another root inode, which systemd-nspawn locks, and
# Ignition, which writes as the user it writes for, need not pass through folders of mode 0700.
outside=$(dirname "$root")
mount -t tmpfs -o mode=0755,size=1m rehearsal "$outside"
mkdir "$root"
for entry in "$base"/*; do
  if [ -h "$entry" ]; then
    cp --no-dereference "$entry" "$root/"
  else
    mkdir "$root/${entry##*/}"
  fi
done

# A mount of its own, so that the root alone becomes read-only.
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount --bind "$base/usr" "$root/usr"
mount -o remount,bind,ro "$root/usr"
mount --bind "$node/etc" "$root/etc"
mount --bind "$node/var" "$root/var"
# File systems of the machine's own, which outlive the node: a folder on the workstation for each.
if [ -e "$node/kept" ]; then
  while IFS=$'\t' read -r source target; do
    mkdir -p "$source" "$root$target"
    mount --bind "$source" "$root$target"
  done <"$node/kept"
fi

# Ignition hands its state from stage to stage in the workstation's /run, whichever node it is for.
install -d -m 0700 /run/ignition "$node/ignition.state"
mount --bind "$node/ignition.state" /run/ignition
exec "$@"
