#!/usr/bin/env bash
# Gives the users and groups that packages would number as they come the same numbers in each
# generation, as on Fedora CoreOS: a node keeps its /etc/passwd when its /usr is replaced.
# Usage: system-users.sh ROOT, before the packages are installed.
set -euo pipefail
root=$1
id=980
for name in systemd-journal _ssh wheel systemd-network messagebus sshd; do
  echo "$name:x:$id:" >>"$root/etc/group"
  case $name in
    systemd-network | messagebus | sshd)
      echo "$name:x:$id:$id::/nonexistent:/usr/sbin/nologin" >>"$root/etc/passwd"
      ;;
  esac
  id=$((id + 1))
done
