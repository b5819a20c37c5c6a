# Helpers that the scripts of an app share: marks of an unfinished deploy, host files, slots, sockets.
# shellcheck shell=bash

# refuse_another APP PREVIOUS: fail when another deploy is unfinished, or when the release that serves
# is not the one this deploy was planned on.
refuse_another() {
  local found
  [ ! -e "$(home_of "$1")/deploying" ] || fail "another deploy of $1 is unfinished"
  found=$(current_of "$1")
  [ "$found" = "$2" ] \
    || fail "the release on this node is ${found:-none}, not ${2:-none}: another deploy ran meanwhile"
}

# mark_deploying APP RELEASE PREVIOUS: note an unfinished deploy, for undo.
# shellcheck disable=SC2154
mark_deploying() {
  local mark
  mark=$(home_of "$1")/deploying
  jq -cn --argjson schema_version "$schema_version" --arg release "$2" --arg previous "$3" \
    '{$schema_version, $release, $previous}' >"$mark.new"
  sync "$mark.new"
  mv -fT "$mark.new" "$mark"
}

# mark_switching APP SLOT SWITCH: note which slot is started, and how. The schema version is on a line
# of its own, which older scripts do not read.
mark_switching() {
  local mark
  mark=$(home_of "$1")/switching
  printf '%s %s\n%s\n' "$2" "$3" "$schema_version" >"$mark.new"
  sync "$mark.new"
  mv -fT "$mark.new" "$mark"
}

# install_file SOURCE TARGET MODE: write a file atomically, with its SELinux label.
install_file() {
  install -D -m "$3" -o root -g root "$1" "$2.corefab-new"
  label_as "$2" "$2.corefab-new"
  mv -fT "$2.corefab-new" "$2"
}

# relink TARGET LINK: point a link elsewhere, atomically. A link that is right already is left alone:
# the disk may be full.
relink() {
  if [ "$(readlink "$2" || true)" = "$1" ]; then return; fi
  ln -sfnT "$1" "$2.new"
  mv -fT "$2.new" "$2"
}

# aim_socket APP SLOT: have the app's socket start this slot, where its release takes sockets.
aim_socket() {
  local drop_in=/etc/systemd/system/$1.socket.d/current.conf beside=/run/corefab/$1.aim
  takes_socket "$1" "$2" || return 0
  printf '[Socket]\nService=%s-%s.service\n' "$1" "$2" >"$beside"
  if ! cmp -s "$beside" "$drop_in"; then
    install_file "$beside" "$drop_in" 0644
    sync "$drop_in"
    systemctl daemon-reload
  fi
  rm -f "$beside"
  # systemd opens no socket for a service that runs: stop it, and the socket starts it again.
  if ! systemctl -q is-active "$1.socket"; then
    systemctl reset-failed "$1.socket" 2>/dev/null || true
    free_ports "$1" "$2"
    systemctl start "$1.socket" || systemctl stop "$1-$2.service"
  fi
}

# free_ports APP SLOT: end podman's name server where it holds the ports of the slot's sockets: it inherits
# those of the container that it was started for. Podman starts it again with the next container.
free_ports() {
  local port holder
  for port in $(socket_ports "$1" "$2"); do
    for _ in $(seq 50); do
      holder=$(ss -Hltnp "sport = :$port" | grep -om 1 'aardvark-dns",pid=[0-9]*' || true)
      [ -n "$holder" ] || break
      kill "${holder##*=}" 2>/dev/null || true
      sleep 0.1
    done
  done
}

# drop_socket APP: stop the app's socket where the release that serves takes none.
drop_socket() {
  if takes_socket "$1" "$(serving_slot "$1")"; then return; fi
  systemctl stop "$1.socket" 2>/dev/null || true
  if [ -e "/etc/systemd/system/$1.socket.d" ]; then
    rm -rf "/etc/systemd/system/$1.socket.d"
    systemctl daemon-reload
  fi
  systemctl reset-failed "$1.socket" 2>/dev/null || true
}

# install_route APP RELEASE: install the release's route in the node's proxy.
install_route() {
  local staged path
  staged=$(home_of "$1")/releases/$2/root
  [ -d "$staged/etc/corefab/routes" ] || return 0
  while IFS= read -r -d '' path; do
    cmp -s "$staged/$path" "/$path" || install_file "$staged/$path" "/$path" 0644
  done < <(cd "$staged" && find etc/corefab/routes -type f -print0)
}

# remove_route APP: remove an app's route from the node's proxy.
remove_route() {
  rm -rf "/etc/corefab/routes/$1.caddy" "/etc/corefab/routes/$1.pem" "/etc/corefab/routes/$1"
  [ ! -e /etc/corefab/proxy/proxy.sh ] || bash /etc/corefab/proxy/proxy.sh reload
}

# has_route APP RELEASE: test whether the node's proxy has to lead to a release.
has_route() { [ -e "$(home_of "$1")/releases/$2/root/etc/corefab/routes/$1.caddy" ]; }

# proxy VERB APP RELEASE: have the node's proxy see to the route of a release.
proxy() {
  [ -e /etc/corefab/proxy/proxy.sh ] || fail "this node has no proxy; run \`fab proxy-deploy\`"
  bash /etc/corefab/proxy/proxy.sh "$1" "$2" "$(home_of "$2")/releases/$3"
}

# install_files APP RELEASE [SLOT]: install a staged release's host files, and reload systemd and the
# firewall for those that changed. With SLOT, which still serves another release, its unit and door rules are
# left out, and the route.
install_files() {
  local app=$1 staged path target units=no rules=no door=no folders=no timer=no
  staged=$(home_of "$app")/releases/$2
  while IFS= read -r -d '' path; do
    target=/$path
    case $path in
      */"$app-${3:-none}.container" | */doors/*/"${3:-none}.nft") continue ;;
      */routes/*) if [ -n "${3:-}" ]; then continue; fi ;;
    esac
    [ -z "$(owner_above "$target")" ] \
      || fail "$target: others can change a folder above it; put it into an overlay, for \`fab converge\`"
    if cmp -s "$staged/root/$path" "$target" \
      && [ "$(stat -c '%a %u %g' "$target")" = "$(stat -c '%a 0 0' "$staged/root/$path")" ]; then
      continue
    fi
    case $target in
      */systemd/*.timer) units=yes timer=yes ;;
      */systemd/*) units=yes ;;
      */firewall.d/*) rules=yes ;;
      */doors/*) door=yes ;;
      */tmpfiles.d/*) folders=yes ;;
    esac
    install_file "$staged/root/$path" "$target" "$(stat -c %a "$staged/root/$path")"
  done < <(cd "$staged/root" && find . -type f -printf '%P\0')
  systemd-sysusers "/etc/sysusers.d/$app.conf"
  # It gives a folder its usual label, not the one that the container needs: so not while it is in use.
  if [ $folders = yes ] || [ ! -d "$(home_of "$app")/data" ]; then
    systemd-tmpfiles --create "/etc/tmpfiles.d/$app.conf"
    chcon -t container_file_t -l s0 "$(home_of "$app")/data" 2>/dev/null || true
  fi
  # A unit may have been removed as well: systemd reports that it needs a reload.
  if [ $units = yes ] || [ "$(systemctl show -P NeedDaemonReload "$app-blue" "$app-green" \
    | sort -u | tail -n 1)" = yes ]; then
    systemctl daemon-reload
  fi
  if [ $timer = yes ]; then systemctl try-restart "$app-pull.timer"; fi
  if [ $rules = yes ] && systemctl -q is-enabled corefab-firewall.service 2>/dev/null; then
    systemctl reload-or-restart corefab-firewall.service
  fi
  if [ $door = yes ]; then systemctl try-restart "$app-door.service"; fi
}

# remove_files APP GONE KEPT: remove the host files of release GONE that release KEPT does not have.
remove_files() {
  local home path
  home=$(home_of "$1")
  [ -d "$home/releases/$2/root" ] || return 0
  while IFS= read -r -d '' path; do
    if [ -e "$home/releases/$3/root/$path" ] || [ -n "$(owner_above "/$path")" ]; then continue; fi
    case $path in *.timer) systemctl stop "${path##*/}" 2>/dev/null || true ;; esac
    rm -f "/$path"
  done < <(cd "$home/releases/$2/root" && find . -type f -printf '%P\0')
}

# names_user APP RELEASE: test whether a release runs as the user that its image names.
names_user() { ! grep -q ^User= "$(home_of "$1")/releases/$2/root/etc/containers/systemd/$1-blue.container"; }

# image_user APP RELEASE: print UID:GID of the user that a release's image names. Names are looked up in the
# image; podman reads its files, so no link in it leads to a file of this machine.
image_user() {
  local image=localhost/$1:$2 look=$1-lookup named user group uid gid
  named=$(podman image inspect --format '{{.Config.User}}' "$image")
  IFS=: read -r user group <<<"$named"
  user=${user:-0}
  podman rm --force --ignore "$look" >/dev/null
  podman create --quiet --pull=never --network=none --name "$look" --entrypoint '["/"]' "$image" >/dev/null
  read -r uid gid < <(in_image "$look" passwd \
    | awk -F: -v one="$user" '$1 == one || $3 == one { print $3, $4; exit }') || true
  if [ -n "$group" ]; then
    gid=$(in_image "$look" group | awk -F: -v one="$group" '$1 == one || $3 == one { print $3; exit }') || true
  fi
  podman rm --force "$look" >/dev/null
  uid=${uid:-$user} gid=${gid:-${group:-0}}
  # podman takes numbers below 2^31.
  if ! [[ $uid:$gid =~ ^[0-9]{1,10}:[0-9]{1,10}$ ]] || [ "$uid" -gt 2147483647 ] \
    || [ "$gid" -gt 2147483647 ]; then
    fail "the image runs as $named, whom its /etc/passwd and /etc/group do not name; correct USER in the image"
  fi
  printf '%s' "$uid:$gid"
}

# in_image CONTAINER NAME: print a file in the /etc of a container that does not run.
in_image() { podman cp "$1:/etc/$2" - 2>/dev/null | tar -xO 2>/dev/null || true; }

# own_by OWNER APP RELEASE: give key file, data and the volumes in it to a user, UID:GID. A key of the node's
# proxy stays root's, and without TLS there is none. A folder with files
# of another user is left alone, because the release that serves may use it; a line says so.
own_by() {
  local home key volumes folder
  home=$(home_of "$2")
  key=$home/releases/$3/tls/server.key.enc
  [ ! -e "$key" ] || has_route "$2" "$3" || chown "$1" "$key"
  volumes=$(volumes_of "$2" "$3")
  for folder in "$home/data" $volumes; do
    # Of what is in the data, volumes do not count, nor what lies on a partition by itself.
    if [ -z "$(find "$folder" -mindepth 1 -maxdepth 1 ! -name lost+found ! -name .corefab-proxy | grep -vxFm 1 "$volumes" || true)" ]; then
      chown -h "$1" "$folder"
    elif [ "$(stat -c %u "$folder")" != "${1%:*}" ]; then
      echo "${folder#"$home"} belongs to user $(stat -c %u "$folder"), and the image runs as ${1%:*}; if the app has to write there: sudo chown -R $1 $folder"
    fi
  done
}

# volumes_of APP RELEASE: list the folders that a release has as volumes, a line each.
volumes_of() {
  sed -n "s,^d \($(home_of "$1")/data/[^ ]*\) .*,\1,p" "$(home_of "$1")/releases/$2/root/etc/tmpfiles.d/$1.conf"
}

# check_files APP RELEASE: compare names, contents and modes of a release's project files with its manifest.
check_files() {
  local release problems
  release=$(home_of "$1")/releases/$2
  problems=$(cd "$release/files" && jq -rn --slurpfile manifest ../manifest.json \
    --rawfile hashes <(find . -type f -print0 | xargs -0r sha256sum -z --) \
    --rawfile others <(find . ! -type d -printf '%y %#m\0%l\0%P\0') '
    def hash: {key: .[68:], value: .[:64]};
    ($hashes | split("\u0000")[:-1] | map(hash) | from_entries) as $hash
    | $manifest[0].files as $wanted
    | ($others | split("\u0000") | [range(0; length - 1; 3) as $at | .[$at:$at + 3] | {key: .[2], value: (
        if .[0][:1] == "l" then "link \(.[1])"
        elif .[0] == "f 0644" then $hash[.[2]]
        elif .[0] == "f 0755" then "\($hash[.[2]]) x"
        else .[0] end)}] | from_entries) as $found
    | [$wanted + $found | keys[] | select($wanted[.] != $found[.])]
    | if . == [] then empty else "\(length), such as \(.[0] | tojson)" end') \
    || fail "the project files of release $2 cannot be compared with its manifest"
  [ -z "$problems" ] || fail "project files of release $2 on this node are not those that were listed: $problems"
}

# check_credentials APP RELEASE: require that this node can decrypt the credentials of a release.
check_credentials() {
  local sealed
  for sealed in "$(home_of "$1")/releases/$2"/credentials/*; do
    [ ! -e "$sealed" ] || decrypted "${sealed##*/}" "$sealed" >/dev/null \
      || fail "credential ${sealed##*/} of release $2 cannot be decrypted on this node: its key or TPM has changed; \`fab creds-seal\` seals those of the release that serves again"
  done
}

# stop_slot APP SLOT: stop a slot, note when, and remove what would start it again.
stop_slot() {
  local home link
  home=$(home_of "$1")
  link=$home/$2
  systemctl stop "$1-$2.service" 2>/dev/null || true
  systemctl reset-failed "$1-$2.service" 2>/dev/null || true
  if [ -e "$link/ran" ] && [ "$(wc -w <"$link/ran")" -eq 2 ]; then
    printf '%s\n' "$(date +%s)" >>"$link/ran"
  fi
  rm -f "$link"
  podman untag "localhost/$1:$2" "localhost/$1:$2" 2>/dev/null || true
}

# write_manifest APP RELEASE: replace a release's manifest atomically by the one on stdin.
write_manifest() {
  local manifest
  manifest=$(home_of "$1")/releases/$2/manifest.json
  cat >"$manifest.new"
  jq -e objects "$manifest.new" >/dev/null || fail "the manifest of release $2 did not arrive whole"
  sync "$manifest.new"
  mv -fT "$manifest.new" "$manifest"
}

# refused_units ROOT WORKING NAME...: print why this node's Quadlet generator or systemd-analyze refuses the units
# of a tree; nothing where both accept them. The names of apps in messages do not count as errors.
refused_units() {
  local root=$1 made=$2 said known name accepted
  shift 2
  said=$(QUADLET_UNIT_DIRS="$root/etc/containers/systemd" \
    /usr/lib/systemd/system-generators/podman-system-generator --dryrun 2>&1 >/dev/null) \
    && accepted=yes || accepted=no
  said=$(sed '/Loading source unit file/d' <<<"$said")
  known=$said
  for name in "$@"; do known=${known//"$name"/}; done
  if [ "$accepted" = no ] || grep -qiE 'error|unsupported|converting|invalid' <<<"$known"; then
    printf 'the Quadlet generator of this node refuses the units:\n%s\n' "$said"
    return
  fi
  # Verify the generated units and the plain ones: at boot, systemd would ignore what it cannot parse.
  rm -rf "$made" && install -d "$made"
  QUADLET_UNIT_DIRS="$root/etc/containers/systemd" \
    /usr/lib/systemd/system-generators/podman-system-generator "$made" "$made" "$made" 2>/dev/null || true
  find "$root/etc/systemd/system" -type f ! -path '*.d/*' -exec cp -t "$made" {} +
  said=$(find "$made" -maxdepth 1 -type f -print0 \
    | xargs -0 systemd-analyze verify --man=no --recursive-errors=no 2>&1) && accepted=yes || accepted=no
  rm -rf "$made"
  [ "$accepted" = yes ] || printf 'systemd-analyze of this node refuses the units:\n%s\n' "$said"
}
