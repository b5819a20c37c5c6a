# Functions that read and change places in folders of others. Whoever owns a folder can replace what is
# in it by a link at any moment, and root would follow it to any file of the node.
# shellcheck shell=bash

# owner_above PATH: print the user id that owns the first folder above PATH, from / down, that others
# than root can change; nothing if only root can change them all. Only root can replace that folder.
# Print 65534, an id without rights, for a folder of root's that others can write to; in one with the
# sticky bit they cannot replace what root has made.
owner_above() {
  local rest=$1 at='' name uid mode kind links=0 shared=
  while [[ $rest == */* ]]; do
    name=${rest%%/*} rest=${rest#*/}
    case $name in
      '' | .) continue ;;
      ..) at=${at%/*} && continue ;;
    esac
    read -r uid mode kind < <(stat -c '%u %a %F' "$at/$name" 2>/dev/null) || break
    if [ "$uid" -ne 0 ]; then
      echo "$uid"
      return
    fi
    if [ "$kind" = 'symbolic link' ]; then
      [ $((links += 1)) -le 40 ] || break
      name=$(readlink "$at/$name")
      [[ $name != /* ]] || at=
      rest=$name/$rest
      continue
    fi
    shared=
    if [ $((8#$mode & 8#22)) -ne 0 ]; then shared=65534; fi
    at=$at/$name
    if [ -n "$shared" ] && [ $((8#$mode & 8#1000)) -eq 0 ]; then break; fi
  done
  printf '%s' "$shared"
}

# as_owner PATH COMMAND...: run a command that reads or changes PATH: as root if only root can change the
# folders above it, else with the rights of the user that owner_above prints.
as_owner() {
  local uid
  uid=$(owner_above "$1")
  shift
  if [ "${uid:-$EUID}" -eq "$EUID" ]; then
    "$@"
  else
    as_user "$uid" "$(id -g "$uid" 2>/dev/null || echo 65534)" "$@"
  fi
}

# as_user UID GID COMMAND...: run a command with the rights of a user, for at most 20 s. It keeps a
# capability that the user lacks, so that the kernel does not let the user trace it and reach its open
# files.
as_user() {
  local only=-all,+net_bind_service
  timeout --signal=KILL 20 setpriv --reuid "$1" --regid "$2" --clear-groups --no-new-privs \
    --bounding-set=$only --inh-caps=$only --ambient-caps=$only \
    env -i -C / PATH=/usr/bin:/usr/sbin LC_ALL=C "${@:3}" 3>&- 7>&- 8>&- 9>&-
}

# read_place PATH: print a file of at most 1 MiB, as as_owner; fails for what is no such file.
read_place() {
  # shellcheck disable=SC2016
  as_owner "$1" bash -c '[ -f "$1" ] && [ "$(stat -Lc %s "$1")" -le 1048576 ] && exec head -c 1048576 "$1"' \
    read "$1" </dev/null 2>/dev/null
}

# put_place KIND PATH MODE OWNER [TARGET]: as as_owner, put in place a folder, a link to TARGET, or a file
# with the content on stdin; KIND `remove` removes a file, a link or an empty folder.
put_place() {
  local said uid by=
  said=$(
    [ "$1" = file ] || exec </dev/null
    as_owner "$2" bash -euc "$(declare -f label_as place_here); place_here \"\$@\"" place "$@" 2>&1
  ) && return
  uid=$(owner_above "$2")
  if [ -n "$uid" ]; then
    by=" (done with the rights of user $(id -un "$uid" || echo "$uid"), who can change a folder above it)"
  fi
  fail "$1 $2: ${said:-not done within 20 s}$by"
}

# place_here: what put_place does, with the rights that it has.
place_here() {
  local kind=$1 path=$2 mode=${3:-} owner=${4:-} target=${5:-} new=${2##*/}
  # A name has 255 bytes at most.
  new=${path%/*}/.${new:0:200}.corefab-new
  case $kind in
    folder)
      if [ "$EUID" -eq 0 ] && [ -L "$path" ]; then
        echo 'it is a link' >&2
        return 1
      fi
      mkdir -p "$path"
      chown "$owner" "$path"
      chmod "$mode" "$path"
      # Not what is in it: that may be of others.
      restorecon "$path" 2>/dev/null 3>&- 7>&- 8>&- 9>&- || true
      ;;
    file)
      mkdir -p "${path%/*}"
      rm -f "$new"
      (umask 077 && cat >"$new")
      chown "$owner" "$new"
      chmod "$mode" "$new"
      sync "$new"
      label_as "$path" "$new"
      mv -fT "$new" "$path"
      ;;
    link)
      ln -sfnT "$target" "$new"
      mv -fT "$new" "$path"
      ;;
    remove)
      if [ -d "$path" ] && [ ! -L "$path" ]; then
        rmdir --ignore-fail-on-non-empty "$path"
      else
        rm -f "$path"
      fi
      ;;
  esac
}

# home_folder USER: print a user's home folder.
home_folder() {
  local home
  home=$(getent passwd "$1" | cut -d : -f 6) || true
  [ -n "$home" ] || fail "user $1 does not exist on this node"
  printf '%s' "$home"
}

# put_keys USER NAME: write the keys on stdin to the file NAME of the user's authorized_keys.d. sshd reads
# no file that begins with a dot, so never a half-written one.
put_keys() {
  local owner folder
  folder=$(home_folder "$1")/.ssh
  owner=$1:$(id -gn "$1")
  for folder in "$folder" "$folder/authorized_keys.d"; do
    [ -d "$folder" ] || put_place folder "$folder" 0700 "$owner"
  done
  put_place file "$folder/$2" 0600 "$owner"
}
