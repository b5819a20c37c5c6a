# Functions that read facts of a node, shared by several scripts. Each prints rows, or JSON; holdings.py
# and others parse it. Each field of a row ends with a zero byte: names and targets of links may contain
# any other.
# shellcheck shell=bash

# answer [JQ OPTION...] PROGRAM: print an answer as JSON. In PROGRAM, `rows(COUNT)` splits text into rows of
# so many fields, `table(NAMES)` makes objects of rows, and `pairs` makes one object of rows of two fields.
answer() {
  jq -cn "${@:1:$#-1}" 'def rows($count): split("\u0000")
      | [range(0; length - 1; $count) as $at | .[$at:$at + $count]];
    def table($names): ($names | split(" ")) as $names
      | rows($names | length) | map([$names, .] | transpose | map({(.[0]): .[1]}) | add);
    def pairs: rows(2) | map({key: .[0], value: .[1]}) | from_entries;
    '"${!#}"
}

# row FIELD...: print a row.
row() { printf '%s\0' "$@"; }

# age FILE: seconds since its last change.
age() { printf '%s' "$((EPOCHSECONDS - $(stat -c %Y "$1")))"; }

# apps: list the apps of this node, those that wait for their first release among them.
apps() {
  local file
  for file in /var/lib/*/current/manifest.json /etc/corefab/pull/*/pull.sh; do
    if [ ! -e "$file" ] || [ -n "$(owner_above "$file")" ]; then continue; fi
    file=${file#/var/lib/} file=${file#/etc/corefab/pull/}
    printf '%s\n' "${file%%/*}"
  done | sort -u
}

# manifest_of APP [PLACE]: print the manifest of the serving release, or of the one at PLACE (releases/…).
# Print null if it is missing or damaged, as after a full disk or a power cut.
manifest_of() {
  jq -ce objects "$(home_of "$1")/${2:-current}/manifest.json" 2>/dev/null || echo null
}

# door_state APP: whether the app's front door leads to the serving slot: `open`, or what it does instead.
door_state() {
  local app=$1 home slot rules address
  home=$(home_of "$app")
  slot=$(serving_slot "$app")
  rules=$(nft list table inet "$app-door" 2>/dev/null) || { echo 'not there' && return; }
  address=$(sed -n 's/^Network=.*:ip=\([0-9.]*\).*/\1/p' \
    "/etc/containers/systemd/$app-${slot:-none}.container" 2>/dev/null)
  if [ -n "$slot" ] && [ -e "$home/$slot/root/etc/corefab/routes/$app.caddy" ]; then
    case $(upstream_of "$app") in
      "$address":* | unix//run/proxy/sockets/"$app-$slot"/*) echo open ;;
      127.0.0.1:1) echo holds ;;
      *) echo 'leads elsewhere' ;;
    esac
    return
  fi
  if nft list set inet "$app-door" held 2>/dev/null | grep -q elements; then
    echo holds
  elif [ -n "$slot" ] && takes_socket "$app" "$slot"; then
    if grep -qF elements <<<"$rules"; then
      echo 'leads elsewhere'
    elif socket_fits "$app" "$slot"; then
      echo open
    else
      echo 'the socket is not open'
    fi
  elif [ -n "$address" ] && grep -qF " : $address . " <<<"$rules"; then
    echo open
  else
    echo 'leads elsewhere'
  fi
}

# spec_hash: print the hash of the machine spec this node was installed from, if it is known.
spec_hash() { cat /etc/corefab/spec 2>/dev/null || true; }

# os_version: print which version of the operating system runs, where it has one of its own.
os_version() { sed -n "s/^OSTREE_VERSION=['\"]\{0,1\}\([0-9.]*\)['\"]\{0,1\}$/\1/p" /etc/os-release | head -n 1; }

# staged_update: print the version of the operating system that the next boot starts, if it is another one.
staged_update() {
  [ -e /run/ostree/staged-deployment ] || return 0
  rpm-ostree status --json 2>/dev/null | jq -r '.deployments[] | select(.staged) | .version' || true
}

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
    as_owner "${own[0]}" bash -uc "$(declare -f row places_here); places_here \"\$@\"" places "${own[@]}" \
      </dev/null || true
  done
}

# places_here PATH...: what places does, with the rights that it has. The content of a file of more than
# 64 MiB is read by root only, from folders that are root's.
places_here() {
  local at=0 path kind sum there files found
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
    while read -r -d "" sum path; do sums[$path]=$sum; done < <(sha256sum -z "${files[@]}")
  fi
  mapfile -d "" -t found < <(find "${there[@]}" -maxdepth 0 -printf '%p\0%y\0%m\0%u:%g\0%T@\0%C@\0%l\0')
  while [ "$at" -lt ${#found[@]} ]; do
    path=${found[at]}
    case ${found[at + 1]} in f) kind="file" ;; d) kind="folder" ;; *) kind="link" ;; esac
    row "$path" "$kind" "${found[@]:at+2:2}" "${found[at + 4]%.*}" "${found[at + 5]%.*}" \
      "${found[at + 6]}" "${sums[$path]:-}"
    at=$((at + 7))
  done
}

# public_key FILE: print the type and the text of a host key, also of one that ssh-keygen does not know here.
public_key() {
  ssh-keygen -y -f "$1" </dev/null 2>/dev/null | cut -d ' ' -f 1,2 || head -n 1 "$1.pub" 2>/dev/null | cut -d ' ' -f 1,2
}

# host_keys: a row for each SSH host key: the key, its age, and yes if it is announced only.
host_keys() {
  local key next public
  for key in /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.corefab-next; do
    [ -f "$key" ] || continue
    case $key in *.corefab-next) next=yes ;; *) next=no ;; esac
    public=$(public_key "$key") || true
    if [[ $public =~ ^[a-z0-9@.-]+\ [A-Za-z0-9+/=]+$ ]]; then row "$public" "$(age "$key")" "$next"; fi
  done
}

# host_keys_changing: print yes until a change of the host keys is finished, its old keys unpinned.
host_keys_changing() {
  local file
  for file in /etc/ssh/sshd_config.d/20-corefab-host-keys.conf /etc/ssh/ssh_host_*_key.corefab-next; do
    if [ -e "$file" ]; then echo yes && return; fi
  done
  echo no
}

# authorized_keys USER...: print the lines of users' authorized_keys files as JSON objects. Files that begin
# with a dot are not passed to sshd. Read as as_owner does, and as sshd does.
authorized_keys() {
  local user place
  for user in "$@"; do
    place=$(getent passwd "$user" | cut -d : -f 6) || continue
    as_owner "$place/.ssh/authorized_keys.d/" \
      bash -uc "$(declare -f age as_lines key_lines); key_lines \"\$@\"" keys "$user" "$place/.ssh" </dev/null \
      || { echo && as_lines "$user" "$place/.ssh" 0 <<<'it could not be read within 20 s'; }
  done | jq -cR 'fromjson? | objects'
}

# key_holders: print the users that can have keys: those with a folder for them.
key_holders() {
  local name place
  getent passwd | while IFS=: read -r name _ _ _ _ place _; do
    if [ -d "$place/.ssh" ]; then printf '%s\n' "$name"; fi
  done
}

# key_lines USER FOLDER: what authorized_keys does, with the rights that it has, for at most 1000 files and
# 1 MiB.
key_lines() {
  local file since size count=1000 left=1048576
  for file in "$2"/authorized_keys "$2"/authorized_keys2 "$2"/authorized_keys.d/*; do
    if [ ! -f "$file" ] || [ ! -r "$file" ]; then continue; fi
    since=$(age "$file")
    size=$(stat -Lc %s "$file")
    if [ $((count -= 1)) -lt 0 ]; then
      as_lines "$1" "$2" 0 <<<'there are too many files to be read'
      return
    fi
    if [ "$size" -gt "$left" ]; then
      as_lines "$1" "$file" "$since" <<<'this file is too large to be read'
      continue
    fi
    left=$((left - size))
    head -c "$size" "$file" | as_lines "$1" "$file" "$since"
  done
}

# as_lines USER FILE AGE: print each line of stdin as a JSON object, without comments and empty ones; of
# very many lines the first, and one that says so.
as_lines() {
  jq -Rsc --arg user "$1" --arg file "$2" --arg age_seconds "$3" 'split("\n")
    | map(select(test("^[ \t]*[^ \t#]")))
    | (.[:5000][], if length > 5000 then "there are too many lines to be listed" else empty end)
    | {$user, $file, $age_seconds, line: .}'
}

# compared_credentials APP: compare credentials with the sealed ones of the serving release. On stdin a
# line for each: name, and value in base64 or `-`. Print the name and absent, unreadable, present, same or
# different.
compared_credentials() {
  local name value sealed found
  while read -r name value; do
    sealed=$(home_of "$1")/current/credentials/$name
    found=absent
    if [ -e "$sealed" ]; then
      found=$(decrypted "$name" "$sealed" | compared "$value") || found=unreadable
    fi
    row "$name" "$found"
  done
}

# decrypted NAME FILE: print what is in a sealed credential; fail where this node cannot decrypt it.
decrypted() { systemd-creds decrypt --name="$1" "$2" - 2>/dev/null; }

# compared VALUE: compare a credential on stdin with a value in base64, or with none, which is `-`.
compared() {
  if [ "$1" = - ]; then
    echo present
  elif cmp -s - <(printf '%s' "$1" | base64 -d); then
    echo same
  else
    echo different
  fi
  cat >/dev/null
}

# sealed_credentials APP: a row for each sealed credential of the serving release: name, age, the first
# 16 bytes (what it is sealed with), and whether this node can decrypt it.
sealed_credentials() {
  local file name opens
  for file in "$(home_of "$1")"/current/credentials/*; do
    [ -f "$file" ] || continue
    name=${file##*/}
    opens=no
    if decrypted "$name" "$file" >/dev/null; then opens=yes; fi
    row "$name" "$(age "$file")" \
      "$(base64 -d "$file" 2>/dev/null | head -c 16 | od -An -v -tx1 | tr -d ' \n')" "$opens"
  done
}
