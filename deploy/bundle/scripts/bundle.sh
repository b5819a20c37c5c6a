# bundle [check]: take the node's bundle that its tag names: compare, verify, unpack, apply through converge.sh, check
# that all answers as before; else put back what was, and hold the bundle back. The result is in
# /var/lib/corefab/pull/node/status.json. `check` only reads and verifies what the tag names.
# shellcheck shell=bash
mode=${1:-}
here=/etc/corefab/pull/node
kept=/var/lib/corefab/pull/node
work=/run/corefab/pull-node${mode:+-$mode}
reference='' digest='' serial=0 limit=60
unreadable='the next bundle could not be read'
# How long the way back stays armed, in seconds.
gate=300

# end WORD [WHY]: note the result of this run, and end it.
end() {
  local code=0 why
  why=$(tail -c 2000 <<<"${2:-}")
  echo "bundle: $1${why:+: $why}"
  [ "$mode" != check ] || exit 1
  # shellcheck disable=SC2154
  jq -n --argjson schema_version "$schema_version" --arg result "$1" --arg why "$why" --arg at "$(stamp)" \
    --arg reference "$reference" --arg digest "$digest" --argjson serial "$serial" --arg spec "$(spec_hash)" \
    '{$schema_version, $at, $result, $why, $reference, $digest, $serial, $spec}' | keep status.json
  case $1 in refused | no-room | node-fault | failed) code=1 ;; esac
  exit $code
}

# end_done [WHY]: end this run; the bundle needs no other look, unless one of its credentials could not be opened.
end_done() {
  local done=$digest
  [ -z "$unopened" ] || done=
  note "$result" 0 "$done"
  [ "$result" != failed ] || end held-back "this bundle failed before: publish another one${1:+; $1}"
  end "${changed:-same}" "${1:-}"
}

# note RESULT TRIES [DIGEST]: note what came of the bundle's files, which bundle is done, and the last command.
note() {
  jq -n --argjson serial "$serial" --argjson files "$files" --argjson command "$command" --arg result "$1" \
    --argjson tries "$2" --arg digest "${3:-}" '{$serial, $files, $command, $result, $tries, $digest}' | keep state.json
}

# fetch: read the bundle, of a bounded size, by its digest and under the policy.
fetch() {
  jq -e '(.layers | length == 1) and (.layers[0].digest | test("^sha256:[0-9a-f]{64}$")) and .layers[0].size <= 4194304
    and .config.size <= 65536' "$work/manifest.json" >/dev/null 2>&1 || end refused "$reference is no bundle, or too large"
  # Whatever a registry sends, no file gets larger than this.
  (ulimit -f 8192 && from_registry copy --quiet --remove-signatures "docker://$name@$digest" "dir:$work/fetched") || end_unread
  unpack "$work/fetched/$(jq -r '.layers[0].digest[7:]' "$work/manifest.json")" "$work/bundle"
}

# unpack FILE FOLDER: unpack a bundle; refuse what is too large, and all but plain files in their places.
unpack() {
  local tar=$2.tar problem most=16777216
  { gzip -dc "$1" 2>/dev/null || true; } | head -c $((most + 1)) >"$tar" || true
  [ "$(stat -c %s "$tar")" -le $most ] || end refused "the bundle is larger than $most bytes"
  tar --list --verbose --numeric-owner --full-time --quoting-style=escape -f "$tar" >"$2.list" 2>/dev/null \
    || end refused "the bundle cannot be unpacked"
  problem=$(awk -v most=$most '
    { name = $0; sub(/^[^ ]+ +[^ ]+ +[0-9]+ +[^ ]+ +[^ ]+ /, "", name); total += $3 }
    !/^-/ { print "it has something else than files"; exit }
    total > most { print "its files are larger than " most " bytes"; exit }
    NR > 5000 { print "it has more than 5000 files"; exit }
    seen[name]++ { print "it has a file twice"; exit }
    name !~ /^(bundle\.json|acts|(new|keys)(\/([^\/\\]|\\\\)+)+|secrets\/[a-z][a-z0-9-]*\/[a-z][a-z0-9_]*\.cms)$/ || name ~ /\/\.\.?(\/|$)/ {
      print "it has a file in a wrong place"; exit }' "$2.list")
  [ -z "$problem" ] || end refused "the bundle cannot be unpacked: $problem"
  rm -rf "$2"
  install -d -m 0700 "$2" "$2/new" "$2/keys" "$2/secrets"
  (umask 077 && tar -x -f "$tar" -C "$2" --no-same-owner --no-same-permissions 2>/dev/null) \
    || end refused "the bundle cannot be unpacked"
  rm -f "$tar" "$2.list"
}

# check_bundle FOLDER NODE: require that an unpacked bundle is for this node, and understood.
check_bundle() {
  local found version
  version=$(jq -r '.schema_version | numbers' "$1/bundle.json" 2>/dev/null || true)
  # shellcheck disable=SC2154
  [ "${version:-0}" = "$schema_version" ] \
    || end refused "the bundle has schema version ${version:-none}, and this node knows $schema_version"
  found=$(jq -r '.node | tojson' "$1/bundle.json")
  [ "$found" = "\"$2\"" ] || end refused "the bundle is for node ${found:0:100}, and this is $2"
  jq -e 'def number: type == "number" and . == floor and . >= 1 and . < 9007199254740992;
    def hash: type == "string" and test("^[0-9a-f]{64}$");
    def word: type == "string" and test("\\A[A-Za-z0-9+/=._:@-]{1,2000}\\z");
    (.serial | number)
    and (.files == null or ((.files.serial | number) and (.files.spec | hash)
      and (.files.for | type == "array" and length <= 1000 and all(hash))))
    and (.commands // [] | type == "array" and length <= 64 and all((.serial | number) and (.expires | number)
      and (.node | word) and (.words | type == "array" and length > 0 and length <= 8 and all(word))))' \
    "$1/bundle.json" >/dev/null 2>&1 || end refused "the bundle is not understood"
  if jq -e '.files == null' "$1/bundle.json" >/dev/null; then return; fi
  found=$(act_refused "$1/acts")
  [ -z "$found" ] || end refused "the bundle has an act that is not understood: $found"
}

# act_refused FILE: print the first act that is none of those that a bundle may have.
act_refused() {
  local owner='[a-z0-9_-]+:[a-z0-9_-]+' unit='[][A-Za-z0-9@:._\-]+' word place
  place="(file|folder)\|/[^|]+\|[0-7]{1,4}\|$owner\||link\|/[^|]+\|\|\|[^|]+|remove\|/[^|]+\|\|\|"
  place+="|keys\|[a-z_][a-z0-9_-]*\|\|\||(enable|disable)\|$unit\|\|\|"
  word="((sysusers|tmpfiles|daemon-reload|firewall|sysctl|sshd):|restart:$unit)"
  if [ ! -f "$1" ] || grep -q '[^ -~]' "$1"; then
    echo 'there is no list of them in printable ASCII'
  else
    {
      grep -nvE "^($place)\|($word( $word)*)?$" "$1" || true
      grep -nE '^[a-z]+\|[^|]*/(\.{1,2})?(/|\|)' "$1" || true
    } | head -n 1 | cut -c 1-200
  fi
}

# needed FOLDER: print those of a bundle's acts that this node needs, as converge.sh takes them.
needed() {
  local at=0 word subject mode owner target after path found
  local -A claimed is wanted also
  while IFS= read -r path; do claimed[$path]=yes; done < <(claimed_paths)
  mapfile -t found < <(awk -F '|' '$1 ~ /^(file|folder|link|remove)$/ { print $2 }' "$1/acts")
  mapfile -d '' -t found < <(places "${found[@]}")
  while [ "$at" -lt ${#found[@]} ]; do
    path=${found[at]}
    is[$path]="${found[at + 1]}|${found[at + 2]}|${found[at + 3]}|${found[at + 6]}|${found[at + 7]}"
    at=$((at + 8))
  done
  while read -r -d '' found path; do wanted[/$path]=$found; done \
    < <(cd "$1/new" && find . -type f -printf '%P\0' | xargs -0r sha256sum -z)
  while IFS='|' read -r word subject mode owner target after; do
    found=${is[$subject]:-}
    # What a release brought is the release's to change.
    if [ -n "${claimed[$subject]:-}" ]; then continue; fi
    case $word in
      file) [ "$found" != "file|$mode|$(as_there "$owner" "$found")||${wanted[$subject]:-none}" ] || continue ;;
      folder) [ "$found" != "folder|$mode|$(as_there "$owner" "$found")||" ] || continue ;;
      link) [[ $found != link\|*\|"$target|"* ]] || continue ;;
      remove) [ -n "$found" ] || continue ;;
      keys)
        path=$(home_folder "$subject" 2>/dev/null || true)/.ssh/authorized_keys.d/ignition
        if cmp -s <(read_place "$path") "$1/keys/$subject"; then continue; fi
        ;;
      enable)
        case $(systemctl is-enabled "$subject" 2>/dev/null) in
          enabled | enabled-runtime | static | generated | alias) continue ;;
        esac
        ;;
      disable) [ "$(systemctl is-enabled "$subject" 2>/dev/null)" = enabled ] || continue ;;
    esac
    printf '%s\t%s\t%s\t%s\t%s\n' "$word" "$subject" "$mode" "$owner" "$target"
    for path in $after; do also[$path]=yes; done
  done <"$1/acts"
  for path in "${!also[@]}"; do printf '%s\t%s\t\t\t\n' "${path%%:*}" "${path#*:}"; done | sort
}

# as_there OWNER FOUND: print an owner as it shall be; what is given by number is not compared.
as_there() {
  local there user=${1%:*} group=${1#*:}
  IFS='|' read -r _ _ there _ <<<"$2"
  [[ $user == *[!0-9]* ]] || user=${there%:*}
  [[ $group == *[!0-9]* ]] || group=${there#*:}
  printf '%s:%s' "$user" "$group"
}

# claimed_paths: list the host files of the apps' releases that serve.
claimed_paths() {
  local one
  for one in /var/lib/*/current/manifest.json; do
    [ -z "$(owner_above "$one")" ] || continue
    jq -r '.units | keys[]' "$one" 2>/dev/null || true
  done
}

# left_alone FOLDER: list the files of releases that the bundle has otherwise.
left_alone() {
  local path
  while IFS= read -r path; do
    if [ -f "$1/new$path" ] && ! cmp -s "$1/new$path" "$path"; then printf '%s ' "$path"; fi
  done < <(claimed_paths)
}

# failing: list the units that have failed, but for updaters, which fail because of what a registry has, and for slots:
# an updater may be trying an image in one, and who serves is asked for the page.
failing() {
  systemctl list-units --failed --plain --legend=no | cut -d ' ' -f 1 \
    | grep -vxE '.*-(pull|blue|green)\.service|corefab-bundle\.service' | sort || true
}

# run_commands: carry out those of the bundle's commands that were not carried out, each once: it is noted before.
run_commands() {
  local number expires for words said outcome
  while IFS=$'\t' read -r number expires for words; do
    [ "$number" -gt "$command" ] || continue
    command=$number outcome=failed
    note "$result" "$tries"
    if [ "$for" != "$(setting node)" ]; then
      said="it is for node $for"
    elif [ "$expires" -lt "$EPOCHSECONDS" ]; then
      said="it has expired"
    elif ! command_known "$words"; then
      said="this node does not know such a command"
    else
      # In the background, so that it ends at its first error.
      # shellcheck disable=SC2086
      obey $words >"$work/obeyed" 2>&1 </dev/null 9>&- &
      if wait $!; then outcome=ok; fi
      said=$(tail -c 1000 "$work/obeyed")
    fi
    echo "command $number ($words): $outcome${said:+: $said}"
    audit "$(jq -c --argjson number "$number" --arg at "$(date -u +%Y-%m-%dT%H:%M:%S+0000)" --arg result $outcome \
      --arg words "$words" --arg said "$said" 'first(.commands[] | select(.serial == $number))
        | {$at, app: "node", what: "command", who: (.who // "" | tostring | .[:200]), $result,
           detail: "\(.serial): \($words[:300])\(if $said == "" then "" else ": \($said)" end)"}' "$work/bundle/bundle.json")"
  done < <(jq -r '.commands // [] | sort_by(.serial)[] | [.serial, .expires, .node, (.words | join(" "))] | @tsv' \
    "$work/bundle/bundle.json")
}

# command_known WORDS: test whether these words are one of the commands that a bundle may have.
command_known() {
  local app='[a-z][a-z0-9-]{0,30}' release='[0-9]{8}-[0-9]{6}-[0-9a-f]{4}' key
  key='(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]{60,1000}={0,2}'
  grep -qxE "(retry|hold|restart) $app|release $app $release|reboot|os-rollback|collect|ssh-open [0-9]{1,3} $key" <<<"$1"
}

# obey WORD...: carry out a command that is known; what it prints is for the journal of changes.
obey() {
  local app=${2:-} slot said lock
  case $1 in
    retry | hold | release | restart)
      [ -e "/etc/corefab/pull/$app/pull.sh" ] || fail "$app follows no tag on this node"
      install -d -m 0755 "/var/lib/corefab/pull/$app"
      ;;
  esac
  case $1 in
    retry)
      rm -f "/var/lib/corefab/pull/$app"/{hold,failed,fault.json}
      systemctl start --no-block "$app-pull.service"
      ;;
    hold) : >"/var/lib/corefab/pull/$app/hold" ;;
    release)
      said=$(bash "/etc/corefab/pull/$app/pull.sh" "$app" release "$3" 2>&1) || true
      grep -qE "^$app: (updated|same)" <<<"$said" || fail "$(tail -n 3 <<<"$said")"
      ;;
    restart)
      # Not while an updater or a deploy changes what serves: with SWITCH=restart two would run at once.
      lock=$(lock_file "$app.lock")
      exec 9<>"$lock"
      wait_for_lock 9 "$lock" 600
      one_at_a_time "$app"
      slot=$(serving_slot "$app")
      [ -n "$slot" ] || fail "nothing of $app serves"
      start_slot "$app" "$slot" || fail "slot $slot does not start: \`systemctl status $app-$slot\`"
      ;;
    reboot) echo reboot >"$work/later" ;;
    os-rollback)
      rpm-ostree rollback
      echo reboot >"$work/later"
      ;;
    collect)
      # For root alone, until this machine restarts; the status page has it.
      (umask 077 && collect >/run/corefab/collected.new)
      mv -fT /run/corefab/collected.new /run/corefab/collected
      systemctl restart --no-block corefab-status.service
      ;;
    ssh-open) ssh_open "$2" "$3 $4" ;;
  esac
}

# collect: print what tells why something does not work here.
collect() {
  part df -h
  part cat /proc/meminfo
  part systemctl list-units --failed --plain
  part podman ps --all
  part ss -Htln
  part nft list ruleset
  part journalctl -b -n 1000 --no-pager
}

# part COMMAND...: print what a command says, bounded, behind the command itself.
part() {
  printf '\n# %s\n' "$*"
  timeout 30s "$@" 2>&1 | tail -c 131072 || true
}

# ssh_open MINUTES KEY: let the holder of a key in over SSH, by an sshd of its own, which ends by itself with all its
# sessions, as does the hole in the firewall.
ssh_open() {
  local place=/run/corefab/ssh-open host=/etc/ssh/ssh_host_ed25519_key unit=corefab-ssh-open said
  if [ "$1" -lt 1 ] || [ "$1" -gt 240 ]; then fail "it can be open for 1 to 240 minutes"; fi
  systemctl stop $unit.service 2>/dev/null || true
  [ -z "$(ss -Hltn 'sport = :22')" ] || fail "something listens at port 22 already"
  if [ ! -e $host ]; then
    ssh-keygen -q -t ed25519 -N '' -C '' -f $host
    label $host $host.pub
  fi
  rm -rf $place
  install -d -m 0711 $place
  printf '%s\n' "$2" >$place/keys
  # Without PAM, sessions stay in the unit, and end with it.
  printf '%s\n' 'Port 22' "HostKey $host" "AuthorizedKeysFile $place/keys" "AllowUsers $(setting user)" 'UsePAM no' \
    'PidFile none' 'AuthenticationMethods publickey' 'PasswordAuthentication no' 'KbdInteractiveAuthentication no' \
    'PermitRootLogin no' 'DisableForwarding yes' 'Subsystem sftp internal-sftp' >$place/sshd.conf
  nft delete element inet corefab tcp_ports_while '{ 22 }' 2>/dev/null || true
  nft add element inet corefab tcp_ports_while "{ 22 timeout ${1}m }"
  systemd-run --quiet --collect --unit=$unit --service-type=exec --property=RuntimeMaxSec="${1}min" \
    --property=RuntimeDirectory=sshd --property=RuntimeDirectoryPreserve=yes /usr/sbin/sshd -D -f $place/sshd.conf
  said="SSH is open for $1 min, with host key $(ssh-keygen -l -f $host | cut -d ' ' -f 2)"
  echo "$said"
  echo "$said" >/dev/console 2>/dev/null || true
}

# finish: remove what this run needed, and do what has to come last.
# shellcheck disable=SC2317
finish() {
  local later
  later=$(cat "$work/later" 2>/dev/null || true)
  rm -rf "$work"
  [ -z "$later" ] || systemctl --no-block reboot
}

# open_secrets: decrypt the bundle's credentials with this node's key and seal each at once: its value is in pipes alone.
# The updater of the app takes them from there, once all are there: a release with one new credential and one old one
# may not serve. Print those that cannot be opened.
open_secrets() {
  local file app name place outcome
  local -A given
  while IFS= read -r file; do
    app=${file%%/*} name=$(basename "$file" .cms) outcome=ok
    place=/var/lib/corefab/pull/$app/credentials
    if cmp -s "$work/bundle/secrets/$file" "$place/$name.cms"; then continue; fi
    install -d -m 0755 "/var/lib/corefab/pull/$app"
    install -d -m 0700 "$place"
    if { open_secret "$work/bundle/secrets/$file" | seal_secret "$app/$name" "$name"; } >"$place/$name.new" 2>"$work/said"; then
      given[$file]=$app
    else
      outcome=failed
      rm -f "$place/$name.new"
      printf '%s' "$name of $app cannot be opened here ($(tail -n 1 "$work/said" | cut -c 1-200)): \`fab enrol\`, then \`fab creds-seal\`; "
      # It is tried at each look, and noted once.
      if cmp -s "$work/bundle/secrets/$file" "$place/$name.failed.cms"; then continue; fi
      cp "$work/bundle/secrets/$file" "$place/$name.failed.cms"
    fi
    audit "$(jq -cn --arg at "$(date -u +%Y-%m-%dT%H:%M:%S+0000)" --arg app "$app" --arg name "$name" --arg result $outcome \
      '{$at, $app, what: "credential", who: "the node", $result, detail: $name}')"
  done < <(cd "$work/bundle/secrets" && find . -type f -printf '%P\n' | sort)
  for file in "${!given[@]}"; do
    place=/var/lib/corefab/pull/${given[$file]}/credentials name=$(basename "$file" .cms)
    sync "$place/$name.new"
    mv -fT "$place/$name.new" "$place/$name"
    rm -f "$place/$name.failed.cms"
    cp "$work/bundle/secrets/$file" "$place/$name.cms"
    sync "$place/$name.cms"
  done
  for app in $(printf '%s\n' "${given[@]}" | sort -u); do
    systemctl start --no-block "$app-pull.service" 2>/dev/null || true
  done
}

# open_secret FILE: print what is in an envelope to this node's key.
open_secret() {
  openssl cms -decrypt -binary -inform DER -in "$1" -recip /var/lib/corefab/node.crt \
    -inkey <(decrypted corefab-node-key /etc/credstore.encrypted/corefab-node-key)
}

# seal_secret HEAD NAME: seal what is on stdin, whose first line has to be HEAD.
seal_secret() {
  local head
  IFS= read -r head || true
  [ "$head" = "$1" ] || return 1
  systemd-creds encrypt --name="$2" --with-key=auto - -
}

# converge ARGUMENT...: run converge.sh as it was when this run began: the bundle may replace it.
converge() { script=$converge bash -c "$converge" converge "$@" 2>"$work/said" 9>&-; }

# undo_earlier: leave an earlier change that is not proven to its timer; undo it where a power cut or a full disk came
# before there was one, or where the timer's service failed.
undo_earlier() {
  local armed=/var/lib/corefab/converge/armed
  [ -e $armed ] || return 0
  if systemctl -q is-active corefab-put-back.timer && ! systemctl -q is-failed corefab-put-back.service; then
    end waiting "an earlier change is not proven yet, and will be undone"
  fi
  converge put-back "$(cat $armed)" 'no timer would have undone it' || end node-fault "an earlier change is not undone: $(said)"
}

# next_readable: test whether the next bundle could be read.
next_readable() { bash "$here/bundle.sh" check >"$work/checked" 2>&1 9>&- </dev/null; }

# wrong: print what does not answer as it did before the bundle; nothing where all does.
wrong() {
  local app unit
  next_readable || { echo "$unreadable: $(tail -n 1 "$work/checked")" && return; }
  while read -r app; do
    visit "$(home_of "$app")/current/manifest.json" || { echo "the page of $app is gone: $(said)" && return; }
  done <"$work/serving"
  unit=$(comm -13 "$work/failing" <(failing) | head -n 1)
  [ -z "$unit" ] || echo "unit $unit has failed"
}

# await_right: wait until all answers as before, twice in a row; after 45 s print what does not, and fail.
await_right() {
  local until=$((SECONDS + 45)) times=0 why
  while [ "$times" -lt 2 ]; do
    why=$(wrong)
    times=$((times + 1))
    if [ -n "$why" ]; then
      [ "$SECONDS" -lt "$until" ] || { echo "$why" && return 1; }
      times=0
    fi
    sleep 2
  done
}

# await_readable: wait for up to 45 s until the next bundle could be read; a network that was cut may take a while.
await_readable() {
  local until=$((SECONDS + 45))
  until next_readable; do
    [ "$SECONDS" -lt "$until" ] || return 1
    sleep 2
  done
}

# journal RESULT DETAIL: a line of the journal of changes.
journal() {
  jq -c --arg at "$(date -u +%Y-%m-%dT%H:%M:%S+0000)" --arg result "$1" --arg detail "$2" '.files
    | {$at, app: "node", what: "bundle", who: "the node", $result,
       detail: "\(.serial) by \(.who // "" | tostring | .[:200]), spec \(.spec[:12]): \($detail[:2000])"}' \
    "$work/bundle/bundle.json"
}

# give_up WHY: note that the bundle failed; a full disk is not its fault.
give_up() {
  case $1 in *[Nn]'o space left'*) note '' 0 && end no-room "$1" ;; esac
  audit "$(journal failed "$1")"
  note failed 0 "$digest"
  end failed "$1"
}

# apply: bring the files of the bundle to their places, and keep them if all answers as before.
apply() {
  local id why path apps=()
  needed "$work/bundle" >"$work/acts"
  if [ ! -s "$work/acts" ]; then return 0; fi
  for path in "$work"/bundle/new/etc/sysusers.d/*.conf; do apps+=("$(basename "$path" .conf)"); done
  why=$(refused_units "$work/bundle/new" "$work/units" "${apps[@]}")
  [ -z "$why" ] || give_up "$why"
  answering_apps >"$work/serving"
  failing >"$work/failing"
  note trying $((tries + 1))
  id=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
  mv "$work/acts" "$work/bundle/new" "$work/bundle/keys" "$work/apply/"
  tar -c -C "$work/apply" . >"$work/apply.tar"
  converge apply "$id" "$gate" <"$work/apply.tar" >"$work/refused" || give_up "$(said)"
  why=$(grep -m 1 '^not done: ' "$work/refused" || true)
  if [ -z "$why" ] && why=$(await_right); then
    converge keep "$id" "$(journal ok "$(cut -f 1,2 "$work/apply/acts" | tr '\t\n' ' ;' | head -c 4000)")" || give_up "$(said)"
    changed=updated
    # A machine that was made without its apps starts them as it does at any boot.
    if grep -q '/etc/containers/systemd/' "$work/apply/acts" \
      && [ -z "$(find /var/lib -mindepth 2 -maxdepth 2 -name current -print -quit)" ]; then
      echo reboot >"$work/later"
    fi
    return
  fi
  converge put-back "$id" "$why" || why+="; putting back failed: $(said)"
  if [[ $why == "$unreadable"* ]] && ! await_readable; then
    note '' $((tries + 1))
    end unreachable "the bundle is put back, and tried again, as the registry does not answer without it either: $why"
  fi
  give_up "$why"
}

reference=$(setting reference)
name=${reference%:*}
# shellcheck disable=SC2034
home=$(home_of "$(setting app)") trust=--policy=$here/policy.json
converge=$(cat "$here/lib.sh" && tail -n +2 "$here/converge.sh")
install -d -m 0755 /var/lib/corefab "$kept"
if [ "$mode" = check ]; then
  # shellcheck disable=SC2034
  limit=20
else
  lock=$(lock_file node.lock)
  exec 9<>"$lock"
  flock -n 9 || end waiting "another change of this node runs: $(holder_of "$lock" | jq -r '"\(.what) by \(.who)"')"
  jq -cn --arg since "$(stamp)" --argjson pid $$ '{who: "the node", what: "bundle", $since, $pid}' >"$lock"
fi
rm -rf "$work" "$kept/parts"
install -d -m 0700 "$work" "$work/apply" "$kept/parts"
trap finish EXIT

log_in
digest=$(read_manifest "$reference") || case $(said) in
  *'manifest unknown'* | *'name unknown'*) digest='' && end same "no bundle was published yet" ;;
  *) end_unread ;;
esac
if [ "$mode" = check ]; then
  check_signature
  exit 0
fi
undo_earlier
serial=$(kept_of state.json .serial) files=$(kept_of state.json .files)
result=$(kept_of state.json .result) tries=$(kept_of state.json .tries)
command=$(kept_of state.json .command)
serial=${serial:-0} files=${files:-0} tries=${tries:-0} changed='' unopened=''
# What was published before the first boot was for the machine before: serials are milliseconds, or later.
command=${command:-$(date -r "$here/settings.json" +%s%3N)}
if [ "$(kept_of state.json .digest)" = "$digest" ]; then end_done; fi
if [ "$(kept_of seen.json "select(.reference == \"$reference\") | .digest")" != "$digest" ]; then check_signature; fi
fetch
check_bundle "$work/bundle" "$(setting node)"
read -r found wanted < <(jq -r '"\(.serial) \(.files.serial // 0)"' "$work/bundle/bundle.json")
[ "$found" -ge "$serial" ] || end refused "the bundle has serial $found, and $serial was seen"
run_commands
unopened=$(open_secrets)
if [ "$wanted" = 0 ]; then
  serial=$found result=${result:-none}
  end_done "$unopened"
fi
[ "$wanted" -ge "$files" ] || end refused "the files of the bundle have serial $wanted, and $files was seen"
[ "$wanted" = "$files" ] || result='' tries=0
serial=$found files=$wanted
case $result in applied | failed) end_done "$unopened" ;; esac
# A power cut is not the bundle's fault; three in a row may be.
[ "$tries" -lt 3 ] || give_up "it was begun $tries times, and never finished"
jq -e --arg spec "$(spec_hash)" '.files.for | index($spec)' "$work/bundle/bundle.json" >/dev/null \
  || end waiting "the bundle is for machines of other specs than $(spec_hash | cut -c 1-12), this one's: publish another one"
left=$(left_alone "$work/bundle")
apply
result=applied
end_done "$unopened${left:+files of releases stay as they are: $left}"
