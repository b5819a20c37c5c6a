# converge apply ID SECONDS: read a convergence from stdin (tar: `acts`, new/, keys/) and apply its
#   acts. An act that this machine refuses is printed with the reason, as `not done: …`. Unless `keep` comes within
#   SECONDS, everything is undone, even when this machine restarts in between.
# converge keep ID LINE: the changes are proven, by a new login or by the updater of a bundle: keep them; append LINE
#   (JSON) to the journal.
# converge put-back ID [WHY]: undo the changes.
# shellcheck shell=bash
mode=$1 id=$2 why='no new login succeeded in time'
one_at_a_time node
place=/var/lib/corefab/converge
timer=corefab-put-back.timer
units=/etc/systemd/system

# acts WORD...: the acts of these words, with what they change.
acts() {
  local word subject mode owner target wanted
  while IFS='|' read -r word subject mode owner target; do
    for wanted in "$@"; do
      [ "$word" != "$wanted" ] || printf '%s|%s|%s|%s\n' "$subject" "$mode" "$owner" "$target"
    done
  done < <(tr '\t' '|' <"$place/acts")
}
has() { [ -n "$(acts "$1")" ] || cut -f 1 "$place/acts" | grep -qx "$1"; }

# save: write what puts back everything that the acts may change, as acts of its own and old files. What
# did not exist is removed in reverse order, its folder last.
save() {
  local path found kind mode owner target
  install -d -m 0700 "$place/old"
  : >"$place/back"
  while IFS= read -r path; do
    mapfile -d "" -t found < <(places "$path")
    if [ ${#found[@]} -eq 0 ]; then
      printf 'remove|%s|||\n' "$path" | cat - "$place/back" >"$place/back.new"
      mv -fT "$place/back.new" "$place/back"
      continue
    fi
    kind=${found[1]} mode=${found[2]} owner=${found[3]} target=${found[6]}
    [[ $target != *[$'\n|']* ]] || fail "$path leads to a name with a line end or | in it"
    if [ "$kind" = file ]; then
      install -D -m 0600 /dev/null "$place/old$path"
      as_owner "$path" cat "$path" </dev/null | own_or_small "$path" >"$place/old$path" \
        || fail "$path cannot be saved: it is unreadable or too large"
    fi
    printf '%s|%s|%s|%s|%s\n' "$kind" "$path" "$mode" "$owner" "$target" >>"$place/back"
  done < <(
    acts file folder link remove | cut -d '|' -f 1
    acts keys | while IFS='|' read -r user _; do
      printf '%s/.ssh/authorized_keys.d/ignition\n' "$(home_folder "$user")"
    done
  )
}

# own_or_small PATH: pass on the content of a file; from a folder of others, at most 64 MiB.
own_or_small() { if [ -z "$(owner_above "$1")" ]; then cat; else head -c 67108864; fi; }

arm() {
  printf '%s\n' "${script:?}" >"$place/script"
  printf '[Unit]\nDescription=Undo a convergence that was not proven\n[Service]\nType=oneshot\nExecStart=/usr/bin/bash %s/script put-back %s\n' \
    "$place" "$id" >"$units/corefab-put-back.service"
  printf '[Unit]\nDescription=Undo a convergence that was not proven\n[Timer]\nOnActiveSec=%s\nAccuracySec=1s\n[Install]\nWantedBy=timers.target\n' \
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

# put ROW CONTENT: carry out one act on a path; the content of a file is below the folder CONTENT.
put() {
  local kind path mode owner target content=/dev/null
  IFS='|' read -r kind path mode owner target <<<"$1"
  if [ "$kind" = file ]; then content=$2$path; fi
  put_place "$kind" "$path" "$mode" "$owner" "$target" <"$content"
}

# attempt WHAT COMMAND...: run one act; where it fails, print why and go on.
attempt() {
  local what=$1 said
  shift
  # In the background, so that the act itself stops at its first error.
  "$@" </dev/null >"$place/said" 2>&1 &
  wait $! && return
  said=$(sed -n '/^Created symlink /!{p;q}' "$place/said")
  said=${said#"$what: "}
  printf 'not done: %s: %s\n' "$what" "${said:-it did not end in time, or gave no reason}"
}

keys_of() { put_keys "$1" ignition <"$place/keys/$1"; }

write_places() {
  local kind row user
  for kind in folder file link remove; do
    while IFS= read -r row; do
      attempt "$kind ${row%%|*}" put "$kind|$row" "$place/new"
    done < <(acts "$kind")
  done
  while IFS='|' read -r user _; do attempt "keys of $user" keys_of "$user"; done < <(acts keys)
}

# reload: reload what reads the changed files, all of it also where one cannot; fail then.
reload() {
  local name bad=
  systemctl daemon-reload || bad+=' daemon-reload'
  if has sysusers; then systemd-sysusers || bad+=' sysusers'; fi
  if has tmpfiles; then systemd-tmpfiles --create || bad+=' tmpfiles'; fi
  if has firewall; then systemctl reload-or-restart corefab-firewall.service || bad+=' firewall'; fi
  # The comparison that follows reports parameters that this kernel lacks.
  if has sysctl; then systemctl restart systemd-sysctl.service || true; fi
  # With SSH=off it is masked, and has nothing to be checked with.
  if has sshd && [ "$(systemctl is-enabled sshd.service 2>/dev/null || true)" != masked ]; then
    if systemctl -q is-active sshd.service ssh.service; then reload_sshd & else /usr/sbin/sshd -t & fi
    wait $! || bad+=' sshd'
  fi
  while IFS='|' read -r name _; do
    if systemctl -q is-active "$name"; then systemctl restart "$name" || bad+=" $name"; fi
  done < <(acts restart)
  [ -z "$bad" ] || fail "not reloaded:$bad"
}

# put_back: what cannot be put back must not keep the rest from it.
put_back() {
  local row name lost=
  while IFS= read -r row; do
    (put "$row" "$place/old") || lost+=" $row"
  done <"$place/back"
  while IFS='|' read -r name _; do timeout 60s systemctl -q disable --now "$name" || true; done < <(acts enable)
  while IFS='|' read -r name _; do timeout 60s systemctl -q enable --now "$name" || true; done < <(acts disable)
  (reload) || lost+=' what was not reloaded'
  audit "$(jq -cn --arg id "$id" --arg why "$why" --arg at "$(date -u +%Y-%m-%dT%H:%M:%S+0000)" \
    '{at: $at, app: "node", what: "converge put back", who: "node", result: "ok", detail: "\($id): \($why)"}')"
  disarm
  [ -z "$lost" ] || fail "not put back:$lost"
}

case $mode in
  apply)
    if [ -e "$place/armed" ]; then
      [ -e "$place/back" ] || fail "a convergence of an older corefab is not undone yet: wait a minute"
      put_back
    fi
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
    while IFS='|' read -r name _; do
      attempt "disable $name" timeout "$3s" systemctl --no-ask-password disable --now "$name"
    done < <(acts disable)
    write_places
    systemctl daemon-reload
    while IFS='|' read -r name _; do
      attempt "enable $name" timeout "$3s" systemctl --no-ask-password enable --now "$name"
    done < <(acts enable)
    reload
    trap - EXIT
    ;;
  keep)
    [ "$(cat "$place/armed" 2>/dev/null || true)" = "$id" ] \
      || fail "convergence $id was put back already: it took too long to prove it"
    audit "$3"
    disarm
    rm -rf "$place"
    ;;
  put-back)
    why=${3:-$why}
    if [ "$(cat "$place/armed" 2>/dev/null || true)" = "$id" ]; then put_back; fi
    ;;
esac
