# converge apply ID SECONDS: read a convergence from stdin (tar: `acts`, new/, keys/) and apply its
#   acts. Unless `keep` comes from a new login within SECONDS, everything is undone, even when this
#   machine restarts in between.
# converge keep ID LINE: a new login succeeded: keep the changes; append LINE (JSON) to the journal.
# converge put-back ID: undo the changes.
# shellcheck shell=bash
mode=$1 id=$2
one_at_a_time node
place=/var/lib/corefab/converge
timer=corefab-put-back.timer
units=/etc/systemd/system

key_file() { printf '%s/.ssh/authorized_keys.d/ignition' "$(getent passwd "$1" | cut -d : -f 6)"; }

# acts WORD...: the acts of these words, with the path of what they change.
acts() {
  local word subject mode owner target wanted
  while IFS='|' read -r word subject mode owner target; do
    for wanted in "$@"; do
      [ "$word" != "$wanted" ] || printf '%s|%s|%s|%s\n' "$subject" "$mode" "$owner" "$target"
    done
  done < <(tr '\t' '|' <"$place/acts")
}
has() { [ -n "$(acts "$1")" ] || cut -f 1 "$place/acts" | grep -qx "$1"; }

# Save everything that the acts may change.
save() {
  local path
  : >"$place/absent"
  install -d -m 0700 "$place/old"
  while IFS= read -r path; do
    if [ -d "$path" ] && [ ! -L "$path" ]; then
      printf '%s|%s|%s\n' "$path" "$(stat -c %a "$path")" "$(stat -c %u:%g "$path")" \
        >>"$place/folders"
    elif [ -e "$path" ] || [ -L "$path" ]; then
      cp -a --parents "$path" "$place/old"
    else
      printf '%s\n' "$path" >>"$place/absent"
    fi
  done < <(
    acts file folder link remove | cut -d '|' -f 1
    acts keys | while IFS='|' read -r user _; do key_file "$user" && echo; done
  )
}

arm() {
  printf '%s\n' "${script:?}" >"$place/script"
  printf '[Unit]\nDescription=Undo a convergence without a new login\n[Service]\nType=oneshot\nExecStart=/usr/bin/bash %s/script put-back %s\n' \
    "$place" "$id" >"$units/corefab-put-back.service"
  printf '[Unit]\nDescription=Undo a convergence without a new login\n[Timer]\nOnActiveSec=%s\nAccuracySec=1s\n[Install]\nWantedBy=timers.target\n' \
    "$1" >"$units/$timer"
  label "$units/corefab-put-back.service" "$units/$timer"
  printf '%s\n' "$id" >"$place/armed"
  sync
  systemctl daemon-reload
  systemctl -q enable --now "$timer"
}

disarm() {
  rm -f "$place/armed"
  systemctl -q disable --now "$timer" 2>/dev/null || true
  rm -f "$units/corefab-put-back.service" "$units/$timer"
  systemctl daemon-reload
}

write_places() {
  local subject mode owner target user
  while IFS='|' read -r subject mode owner _; do
    install -d -m "$mode" -o "${owner%:*}" -g "${owner#*:}" "$subject"
    label "$subject"
  done < <(acts folder)
  while IFS='|' read -r subject mode owner _; do
    install -D -m "$mode" -o "${owner%:*}" -g "${owner#*:}" "$place/new$subject" "$subject.corefab-new"
    label "$subject.corefab-new"
    mv -fT "$subject.corefab-new" "$subject"
  done < <(acts file)
  while IFS='|' read -r subject _ _ target; do
    ln -sfnT "$target" "$subject.corefab-new"
    mv -fT "$subject.corefab-new" "$subject"
  done < <(acts link)
  while IFS='|' read -r subject _; do rm -f "$subject"; done < <(acts remove)
  while IFS='|' read -r user _; do write_keys "$user"; done < <(acts keys)
}

write_keys() {
  local user=$1 file folder
  file=$(key_file "$user")
  folder=$(dirname "$file")
  for folder in "$(dirname "$folder")" "$folder"; do
    [ -d "$folder" ] || install -d -m 0700 -o "$user" -g "$(id -gn "$user")" "$folder"
  done
  install -m 0600 -o "$user" -g "$(id -gn "$user")" "$place/keys/$user" "$folder/.corefab-new"
  label "$folder/.corefab-new"
  mv -fT "$folder/.corefab-new" "$file"
}

# Reload what reads the changed files.
reload() {
  local name
  systemctl daemon-reload
  if has sysusers; then systemd-sysusers; fi
  if has tmpfiles; then systemd-tmpfiles --create; fi
  if has firewall; then systemctl reload-or-restart corefab-firewall.service; fi
  # The comparison that follows reports parameters that this kernel lacks.
  if has sysctl; then systemctl restart systemd-sysctl.service || true; fi
  if has sshd; then
    /usr/sbin/sshd -t
    for name in sshd ssh; do
      if systemctl -q is-active "$name.service"; then systemctl reload "$name.service" && break; fi
    done
  fi
  while IFS='|' read -r name _; do
    if systemctl -q is-active "$name"; then systemctl restart "$name"; fi
  done < <(acts restart)
}

put_back() {
  local path mode owner name
  while IFS= read -r -d '' path; do
    cp -aT "$place/old/$path" "/$path.corefab-new"
    mv -fT "/$path.corefab-new" "/$path"
  done < <(cd "$place/old" && find . -mindepth 1 ! -type d -printf '%P\0')
  while IFS= read -r path; do
    if [ -d "$path" ]; then rmdir --ignore-fail-on-non-empty "$path"; else rm -f "$path"; fi
  done < <(tac "$place/absent")
  if [ -e "$place/folders" ]; then
    while IFS='|' read -r path mode owner; do
      chmod "$mode" "$path"
      chown "$owner" "$path"
    done <"$place/folders"
  fi
  while IFS='|' read -r name _; do systemctl -q disable --now "$name" || true; done < <(acts enable)
  while IFS='|' read -r name _; do systemctl -q enable --now "$name" || true; done < <(acts disable)
  reload
  audit "$(jq -cn --arg id "$id" --arg at "$(date -u +%Y-%m-%dT%H:%M:%S+0000)" \
    '{at: $at, app: "node", what: "converge put back", who: "node", result: "ok",
      detail: "\($id): no new login succeeded in time"}')"
  disarm
}

case $mode in
  apply)
    if [ -e "$place/armed" ]; then put_back; fi
    rm -rf "$place"
    install -d -m 0755 /var/lib/corefab
    install -d -m 0700 "$place" "$place/new" "$place/keys"
    tar -x -f - -C "$place" --no-same-owner
    [ -e "$place/acts" ] || fail "the convergence did not arrive whole"
    rules=$place/new/etc/corefab/firewall.nft
    if [ -e "$rules" ]; then
      said=$(nft --check --file "$rules" 2>&1) || fail "nft refuses the firewall: $said"
    fi
    save
    arm "$3"
    trap 'put_back' EXIT
    while IFS='|' read -r name _; do systemctl -q disable --now "$name"; done < <(acts disable)
    write_places
    systemctl daemon-reload
    while IFS='|' read -r name _; do systemctl -q enable --now "$name"; done < <(acts enable)
    reload
    trap - EXIT
    ;;
  keep)
    [ "$(cat "$place/armed" 2>/dev/null || true)" = "$id" ] \
      || fail "convergence $id was put back already: it took too long to prove it"
    disarm
    rm -rf "$place"
    audit "$3"
    ;;
  put-back)
    if [ "$(cat "$place/armed" 2>/dev/null || true)" = "$id" ]; then put_back; fi
    ;;
esac
