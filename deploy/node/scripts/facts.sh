# Functions that read facts of a node, shared by several scripts. Each prints rows with tabs between the
# fields, or JSON; holdings.py and others parse it.
# shellcheck shell=bash

# answer [JQ OPTION...] PROGRAM: print an answer as JSON. In PROGRAM, `rows` splits text into rows, and
# `table(NAMES)` makes objects of them.
answer() {
  jq -cn "${@:1:$#-1}" 'def rows: split("\n") | map(select(. != "") | split("\t"));
    def table($names): ($names | split(" ")) as $names
      | rows | map([$names, .] | transpose | map({(.[0]): .[1]}) | add);
    '"${!#}"
}

# age FILE: seconds since its last change.
age() { printf '%s' "$((EPOCHSECONDS - $(stat -c %Y "$1")))"; }

# manifest_of APP [PLACE]: print the manifest of the serving release, or of the one at PLACE (releases/…).
# Print null if it is missing or damaged, as after a full disk or a power cut.
manifest_of() {
  jq -ce objects "$(home_of "$1")/${2:-current}/manifest.json" 2>/dev/null || echo null
}

# spec_hash: print the hash of the machine spec this node was installed from, if it is known.
spec_hash() { cat /etc/corefab/spec 2>/dev/null || true; }

# places PATH...: a row for each path that exists: path, kind, mode, owner, mtime, ctime, link target,
# SHA-256. Read as as_owner does.
places() {
  local path folder uid own
  local -A known paths
  for path in "$@"; do
    folder=${path%/*}/
    [ -n "${known[$folder]+x}" ] || known[$folder]=$(owner_above "$path")
    uid=${known[$folder]:-0}
    paths[$uid]+=$path$'\n'
  done
  for uid in "${!paths[@]}"; do
    mapfile -t own <<<"${paths[$uid]%$'\n'}"
    as_owner "${own[0]}" bash -uc "$(declare -f places_here); places_here \"\$@\"" places "${own[@]}" \
      </dev/null || true
  done
}

# places_here PATH...: what places does, with the rights that it has. The content of a file of more than
# 64 MiB is read by root only, from folders that are root's.
places_here() {
  local path kind mode owner mtime ctime target sum there files
  local -A sums
  mapfile -t there < <(for path in "$@"; do
    if [ -L "$path" ] || [ -f "$path" ] || [ -d "$path" ]; then printf '%s\n' "$path"; fi
  done)
  mapfile -t files < <(for path in "$@"; do
    if [ -f "$path" ] && [ ! -L "$path" ] \
      && { [ "$EUID" -eq 0 ] || [ "$(stat -c %s "$path")" -le 67108864 ]; }; then printf '%s\n' "$path"; fi
  done)
  [ ${#there[@]} -gt 0 ] || return 0
  if [ ${#files[@]} -gt 0 ]; then
    while read -r sum path; do sums[$path]=$sum; done < <(sha256sum "${files[@]}")
  fi
  find "${there[@]}" -maxdepth 0 -printf '%p\t%y\t%m\t%u:%g\t%T@\t%C@\t%l\n' \
    | while IFS=$'\t' read -r path kind mode owner mtime ctime target; do
      case $kind in f) kind="file" ;; d) kind="folder" ;; *) kind="link" ;; esac
      printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$path" "$kind" "$mode" "$owner" "${mtime%.*}" \
        "${ctime%.*}" "$target" "${sums[$path]:-}"
    done
}

# host_keys: a row for each SSH host key: the key, its age, and yes if it is announced only.
host_keys() {
  local key next
  for key in /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.corefab-next; do
    [ -f "$key" ] || continue
    case $key in *.corefab-next) next=yes ;; *) next=no ;; esac
    printf '%s\t%s\t%s\n' "$(ssh-keygen -y -f "$key" | cut -d ' ' -f 1,2)" "$(age "$key")" "$next"
  done
}

# authorized_keys USER...: a row for each line of a user's authorized_keys files: user, file, age, line.
# Files that begin with a dot are not passed to sshd. Read as as_owner does, and as sshd does.
authorized_keys() {
  local user place
  for user in "$@"; do
    place=$(getent passwd "$user" | cut -d : -f 6) || continue
    as_owner "$place/.ssh/authorized_keys.d/" bash -uc "$(declare -f age key_lines); key_lines \"\$@\"" \
      keys "$user" "$place/.ssh" </dev/null \
      || printf '%s\t%s\t0\tit could not be read within 20 s\n' "$user" "$place/.ssh"
  done
}

# key_lines USER FOLDER: what authorized_keys does, with the rights that it has, for at most 1000 files and
# 1 MiB.
key_lines() {
  local file line since size count=1000 left=1048576
  for file in "$2/authorized_keys" "$2"/authorized_keys.d/*; do
    if [ ! -f "$file" ] || [ ! -r "$file" ]; then continue; fi
    since=$(age "$file")
    size=$(stat -Lc %s "$file")
    if [ $((count -= 1)) -lt 0 ]; then
      printf '%s\t%s\t0\tthere are too many files to be read\n' "$1" "$2"
      return
    fi
    if [ "$size" -gt "$left" ]; then
      printf '%s\t%s\t%s\tthis file is too large to be read\n' "$1" "$file" "$since"
      continue
    fi
    left=$((left - size))
    while read -r line; do
      case $line in '' | '#'*) continue ;; esac
      printf '%s\t%s\t%s\t%s\n' "$1" "$file" "$since" "${line//$'\t'/ }"
    done < <(head -c "$size" "$file" && echo)
  done
}

# compared_credentials APP: compare credentials with the sealed ones of the serving release. On stdin a
# line for each: name, and value in base64 or `-`. Print the name and absent, present, same or different.
compared_credentials() {
  local name value sealed
  while read -r name value; do
    sealed=$(home_of "$1")/current/credentials/$name
    if [ ! -e "$sealed" ]; then
      printf '%s\tabsent\n' "$name"
    elif [ "$value" = - ]; then
      printf '%s\tpresent\n' "$name"
    elif cmp -s <(systemd-creds decrypt --name="$name" "$sealed" - 2>/dev/null) \
      <(printf '%s' "$value" | base64 -d); then
      printf '%s\tsame\n' "$name"
    else
      printf '%s\tdifferent\n' "$name"
    fi
  done
}

# sealed_credentials APP: a row for each sealed credential of the serving release: name, age, the first
# 16 bytes (what it is sealed with), and whether this node can decrypt it.
sealed_credentials() {
  local file name opens
  for file in "$(home_of "$1")"/current/credentials/*; do
    [ -f "$file" ] || continue
    name=${file##*/}
    opens=no
    if systemd-creds decrypt --name="$name" "$file" - >/dev/null 2>&1; then opens=yes; fi
    printf '%s\t%s\t%s\t%s\n' "$name" "$(age "$file")" \
      "$(base64 -d "$file" 2>/dev/null | head -c 16 | od -An -v -tx1 | tr -d ' \n')" "$opens"
  done
}
