# pull APP [now]: take the image that the app's tag names: compare, verify, pull, start it in the idle slot, check
# it there, move the front door. With `now`, PULL_MODE, PULL_DELAY and what failed before do not count. The
# result is in /var/lib/corefab/pull/APP/status.json. It runs the scripts of a deploy, which lie beside it.
# pull APP release RELEASE: go back to a release that the node keeps, in the same way.
# shellcheck shell=bash
app=$1 now=${2:-} back=${3:-}
here=/etc/corefab/pull/$app
kept=/var/lib/corefab/pull/$app
work=/run/corefab/pull-$app
home=$(home_of "$app")
reference='' digest='' id='' image='' renewed='' healed='' slot='' limit=60 born=''

# end WORD [WHY]: note the result of this run, and end it.
end() {
  local code=0 why=${2:-} before
  if [ "$1" != healed ] && [ -n "$healed" ]; then why+="${why:+; }$healed"; fi
  why=$(tail -c 2000 <<<"$why")
  before=$(kept_of status.json '"\(.result) \(.digest) \(.release)"')
  # shellcheck disable=SC2154
  jq -n --argjson schema_version "$schema_version" --arg result "$1" --arg why "$why" --arg at "$(stamp)" \
    --arg reference "$reference" --arg digest "$digest" --arg image_id "$id" --arg release "$(current_of "$app")" \
    '{$schema_version, $at, $result, $why, $reference, $digest, $image_id, $release}' | keep status.json
  echo "$app: $1${why:+: $why}"
  if [ "$before" != "$1 $digest $(current_of "$app")" ]; then
    # A page that is being made may have looked before.
    systemctl restart --no-block corefab-status.service 2>/dev/null || true
    systemctl start --no-block corefab-notify.service 2>/dev/null || true
  fi
  if [ "$born" = true ] && [ -z "$(current_of "$app")" ]; then
    # Until there is a first release, an hour is long.
    systemd-run --quiet --collect --on-active=1min --timer-property=AccuracySec=1s systemctl start --no-block "$app-pull.service" || true
  fi
  case $1 in refused | no-room | node-fault | failed) code=1 ;; esac
  exit $code
}

# end_same [WHY]: end this run with what serves.
end_same() {
  if [ -n "$healed" ]; then end healed "$healed"; fi
  case $(systemctl show -P ActiveState "$app-$slot.service") in
    failed | inactive) end node-fault "slot $slot, which serves, does not start: \`systemctl status $app-$slot\`" ;;
  esac
  end same "${1:-}"
}

# run SCRIPT ARGUMENT...: run a script of a deploy, without the lock of this one.
run() { bash "$here/$1.sh" "$app" "${@:2}" 9>&- 2>"$work/said"; }

# packed SCRIPT: print a script as `start` wants those of its guard, with its library in place of the first line.
packed() { { cat "$here/lib.sh" && tail -n +2 "$here/$1.sh"; } | gzip | base64 -w 0; }

# journal RESULT RELEASE PREVIOUS DETAIL: a line of the journal of changes.
journal() {
  jq -cn --arg at "$(date -u +%Y-%m-%dT%H:%M:%S+0000)" --arg app "$app" --arg result "$1" --arg release "$2" \
    --arg previous "$3" --arg detail "$4" --arg image "$id" \
    '{$at, $app, what: "pull", who: "the node", $result, $release, $previous, $image, $detail}'
}

# marked: print how images that failed are marked: with the units and settings that they failed with.
marked() { printf '%s %s' "$digest" "$(units | jq -cS . | sha256sum | cut -c 1-16)"; }

# units: print the hash of each host file of the app; before its first release, of those that the machine was
# made with.
units() {
  if [ -n "$previous" ]; then
    jq .units "$home/current/manifest.json"
  else
    (cd "$work/root" && find etc -type f -print0 | sort -z | xargs -0r sha256sum) \
      | jq -nR '[inputs | {key: "/\(.[66:])", value: .[:64]}] | from_entries'
  fi
}

# born_with: list the host files of the app.
born_with() {
  find /etc/sysusers.d/"$app.conf" /etc/tmpfiles.d/"$app.conf" /etc/corefab/firewall.d/"$app.nft" \
    /etc/containers/systemd/"$app.network" /etc/containers/systemd/"$app"-{blue,green}.container \
    /etc/systemd/system/"$app"{-door.service,-pull.service,-pull.timer,-pull-first.timer,.socket} \
    /etc/corefab/{doors,pull,routes}/"$app" /etc/corefab/volumes/"$app.sh" /etc/corefab/routes/"$app".{caddy,pem} \
    /etc/corefab/proxy/"$app.caddy" "$script" -type f -printf '%p\n' 2>/dev/null | cut -c 2- | sort || true
}

# lay_born: copy what the machine was made with for the app. Undoing a first release takes its route away, so
# that another app may have the names: a copy of the route is kept.
lay_born() {
  local script=/etc/corefab/proxy/proxy.sh
  [ "$app" = corefab-proxy ] || script=$home/none
  rm -rf "$work/root"
  install -d "$work/root"
  born_with >"$work/list"
  tar -c -C / --files-from="$work/list" | tar -x -C "$work/root"
  if ! behind "$here/settings.json"; then return; fi
  if [ -e "/etc/corefab/routes/$app.caddy" ]; then
    (cd "$work/root" && find etc/corefab/routes -type f -print0 | tar -c --null --files-from=-) | keep routes.tar
  elif [ -e "$kept/routes.tar" ]; then
    tar -x -C "$work/root" -f "$kept/routes.tar"
  fi
}

# behind FILE: test whether a release is served by the node's proxy; FILE has its proof.
behind() { [ "$(jq -r .proof.tls "$1")" = proxy ]; }

# stage_born RELEASE: stage the first release, of what the machine was made with.
stage_born() {
  tar -c --owner=0 --group=0 -C "$work" --transform='s|^release.json$|manifest.json|' release.json root >"$work/release.tar"
  run stage "$1" "" <"$work/release.tar"
}

# await_proxy: have the node's proxy there before the first release of an app behind it: who else would check the
# route?
await_proxy() {
  if ! behind "$here/settings.json" || [ -n "$(current_of corefab-proxy)" ]; then return 0; fi
  systemctl start corefab-proxy-pull.service 2>/dev/null 9>&- || true
  [ -n "$(current_of corefab-proxy)" ] || end waiting "the node's proxy is not there yet: \`journalctl -u corefab-proxy-pull\`"
}

# read_tag: read the manifest that the tag names. An image that is named by its digest may be one of several
# platforms: read this machine's.
read_tag() {
  local own found
  digest=$(read_manifest "$reference") || end_unread
  if [ -n "$pinned" ]; then
    [ "$digest" = "$pinned" ] || end refused "the registry shows another image for $reference: $digest"
    own=$(jq -r --arg platform "$(podman version --format '{{.Client.OsArch}}')" '[.manifests // [] | .[]
      | select("\(.platform.os)/\(.platform.architecture)" == $platform and (.digest | test("^sha256:[0-9a-f]{64}$")))
      | .digest][0] // empty' "$work/manifest.json" 2>/dev/null || true)
    if [ -n "$own" ]; then
      found=$(read_manifest "$name@$own") || end_unread
      [ "$found" = "$own" ] || end refused "the registry shows another image for $name@$own"
    fi
  fi
  id=$(jq -re '.config.digest | select(test("^sha256:[0-9a-f]{64}$"))' "$work/manifest.json" 2>/dev/null) \
    || end refused "$reference is no image for one platform: publish one with \`fab publish --platform\`"
}

# check_room: require room for four times the compressed layers.
check_room() {
  local needed free
  needed=$(jq '[.layers[].size] | add // 0 | . * 4 / 1048576 | ceil' "$work/manifest.json")
  free=$(df -m --output=avail /var/lib/containers | tail -n 1)
  [ "$free" -ge "$needed" ] || end no-room "$needed MB are needed for $reference, and $free MB are free"
}

# fetch DIGEST TAG: pull an image by its digest, under the policy, to a local tag. Podman leaves its layers in
# memory for a while: a power cut would leave empty files in a release that serves.
fetch() {
  # shellcheck disable=SC2034
  local limit=3600
  from_registry copy --quiet --remove-signatures "docker://$name@$1" "containers-storage:localhost/$app:$2" || return
  sync -f /var/lib/containers
}

# heal: start the slot that serves where it is down; pull its image again where that is gone.
heal() {
  local release=$1 image
  case $(systemctl show -P ActiveState "$app-$slot.service") in failed | inactive) ;; *) return 0 ;; esac
  if ! podman image exists "localhost/$app:$slot"; then
    image=$(jq -r '.image | capture("@(?<digest>sha256:[0-9a-f]{64})$").digest // empty' "$home/current/manifest.json")
    if ! podman image exists "localhost/$app:$release" && [ -n "$image" ]; then fetch "$image" "$release" || true; fi
    podman tag "localhost/$app:$release" "localhost/$app:$slot" || true
  fi
  if (one_at_a_time "$app" && start_slot "$app" "$slot") 9>&-; then
    systemctl start "$app-door.service"
    healed="slot $slot was down, and was started"
  fi
}

# podman_failed SINCE: test whether the slot ended with podman's own error, not with the app's.
podman_failed() {
  local unit=$app-$slot.service
  [ "$(systemctl show -P ExecMainStatus "$unit")" = 125 ] || return 1
  [[ $'\n'$(podman_said "$unit" "$1") == *$'\nError'* ]]
}

# give_up FAULT RELEASE PREVIOUS: undo what was begun; mark the image, unless the fault is the node's.
give_up() {
  local why mark
  why=$(said)
  mark=$(marked)
  [ ! -e "$home/releases/$2/ran" ] || run logs 20 "$2" 2>/dev/null | sed 's/^/  | /' >&2 || true
  if [ -n "$renewed" ] && [ "$1" = image ]; then drop_credentials "$2"; fi
  run undo >/dev/null || why+="; undo failed: $(said)"
  audit "$(journal failed "$2" "$3" "$(head -c 1000 <<<"$why")")"
  rm -f "$kept/trying.json"
  [ -z "$back" ] || end failed "$why"
  [ "$1" = image ] || end_node_fault "$why"
  { tail -n 99 "$kept/failed" 2>/dev/null || true; } >"$work/failed"
  echo "$mark" >>"$work/failed"
  keep failed <"$work/failed"
  end failed "$why"
}

# fresh_credentials: list the credentials that came in the node's bundle, and that no release has yet.
fresh_credentials() {
  find "$kept/credentials" -mindepth 1 -maxdepth 1 -type f ! -name '*.cms' ! -name '*.new' -printf '%f\n' 2>/dev/null | sort || true
}

# missing_credentials: list those that the app needs from the node's bundle, and that have not come.
missing_credentials() { comm -23 <(jq -r '.credentials // [] | .[]' "$here/settings.json" | sort) <(fresh_credentials); }

# give_credentials RELEASE: give a release that is staged the credentials that came in the node's bundle.
give_credentials() {
  local credential place=$home/releases/$1/credentials
  while IFS= read -r credential; do
    # The old one is a link to that of another release.
    install -m 0600 "$kept/credentials/$credential" "$place/$credential.new"
    mv -fT "$place/$credential.new" "$place/$credential"
  done < <(fresh_credentials)
}

# drop_credentials RELEASE: forget the credentials that came and that a release has, or failed with.
drop_credentials() {
  local credential
  while IFS= read -r credential; do
    if cmp -s "$kept/credentials/$credential" "$home/releases/$1/credentials/$credential"; then rm -f "$kept/credentials/$credential"; fi
  done < <(fresh_credentials)
}

# named_after RELEASE: name a release by the time, behind the one that serves.
named_after() {
  local stamp least='' suffix
  suffix=$(od -An -N2 -tx1 /dev/urandom | tr -d ' \n')
  stamp=$(date -u +%Y%m%d-%H%M%S)
  [ -z "$1" ] || least=$(date -u -d "${1:0:4}-${1:4:2}-${1:6:2} ${1:9:2}:${1:11:2}:${1:13:2} UTC + 1 second" +%Y%m%d-%H%M%S)
  if [[ $least > $stamp ]]; then stamp=$least; fi
  printf '%s-%s' "$stamp" "$suffix"
}

# complete RELEASE PREVIOUS: record a release that serves, and stop the slot before it.
complete() {
  local keep_releases drain
  keep_releases=$(setting keep_releases) drain=$(setting drain_seconds)
  jq '. + {health: "healthy"}' "$home/releases/$1/manifest.json" >"$work/manifest.new"
  run finish "$1" "$keep_releases" "$(journal ok "$1" "$2" "")" <"$work/manifest.new" || give_up node "$1" "$2"
  # After going back the tag still names what was taken.
  if [ -z "$back" ]; then jq -n --arg digest "$digest" '{$digest}' | keep taken.json; fi
  rm -f "$kept/trying.json" "$kept/fault.json"
  drop_credentials "$1"
  run retire "$drain" || said >&2
  end updated "${3:-}"
}

# proven RELEASE: check the slot that a release runs in.
proven() {
  local authority
  authority=$(jq -r '.proof | (.names[0] | sub("^\\*"; "www") | if test(":") then "[\(.)]" else . end)
    + if .port == (if .tls == "none" then 80 else 443 end) then "" else ":\(.port)" end' "$work/release.json")
  run prove-slot "$slot" "$(jq -r '.proof.tls' "$work/release.json")" "$authority" "$(jq -r '.proof.path' "$work/release.json")" \
    "$(jq -r .certificate "$work/release.json")" "$(setting health_timeout_seconds)" "$(setting settle_seconds)"
}

# go_on: see to what an earlier run, or a deploy, has not finished.
go_on() {
  local release previous
  if [ ! -e "$home/deploying" ]; then
    rm -f "$kept/trying.json"
    return
  fi
  release=$(jq -r '.release // empty' "$home/deploying" 2>/dev/null || true)
  previous=$(jq -r '.previous // empty' "$home/deploying" 2>/dev/null || true)
  if [ "$(kept_of trying.json .release)" = "${release:-none}" ] && [ "$(current_of "$app")" = "$release" ]; then
    # The door has moved: going back would take visitors from a release that is well.
    cp "$home/releases/$release/manifest.json" "$work/release.json"
    slot=$(serving_slot "$app") digest=$(kept_of trying.json .digest) id=$(jq -r .image_id "$work/release.json")
    if systemctl -q is-active "$app-$slot.service" && proven "$release"; then
      complete "$release" "$previous" "an earlier one was cut after the front door had moved"
    fi
  fi
  run undo >/dev/null || end node-fault "undoing release $release failed: $(said)"
  audit "$(journal ok "$release" "$previous" "unfinished deploy undone")"
  rm -f "$kept/trying.json"
}

born=$(setting born)
reference=$(setting reference)
name=${reference%:*} pinned=''
case $reference in *@*) name=${reference%@*} pinned=${reference#*@} ;; esac
# shellcheck disable=SC2034
trust=--policy=$here/policy.json
install -d -m 0755 /var/lib/corefab "$kept"
lock=$(lock_file "$app.lock")
exec 9<>"$lock"
# A command is carried out once, so it waits for a look that is running.
patience=0
[ -z "$back" ] || patience=600
flock -w $patience 9 || end waiting "another change of $app runs: $(holder_of "$lock" | jq -r '"\(.what) by \(.who)"')"
jq -cn --arg since "$(stamp)" --argjson pid $$ '{who: "the node", what: "pull", $since, $pid}' >"$lock"
install -d -m 0700 "$work" "$kept/parts"
# Parts of layers, of a look that was cut.
rm -rf "$kept/parts"/*
trap 'rm -rf "$work"' EXIT

go_on
previous=$(current_of "$app")
if [ -n "$previous" ]; then
  slot=$(serving_slot "$app")
  # What a cut run left running.
  [ ! -e "$home/$(other_slot "$slot")" ] || run retire "$(setting drain_seconds)" || true
  log_in
  heal "$previous"
else
  [ "$born" = true ] || end waiting "nothing is deployed yet, and the app needs what \`fab deploy --first\` brings"
  slot=green
  missing=$(missing_credentials | paste -sd ' ')
  [ -z "$missing" ] || end waiting "it needs credentials that have not come: $missing: \`fab enrol\`, then \`fab creds-seal\`"
  lay_born
fi

if [ -n "$previous" ] && [ -z "$back" ] && [ -n "$(fresh_credentials)" ]; then
  # The same release with other credentials.
  back=$previous renewed=yes
fi
if [ -n "$back" ]; then
  [ "$back" != "$previous" ] || [ -n "$renewed" ] || end_same
  if ! podman tag "localhost/$app:$back" "localhost/$app:pulled" 2>/dev/null; then end failed "release $back is not on this node"; fi
  id=$(jq -r .image_id "$home/releases/$back/manifest.json")
  image=$(jq -r .image "$home/releases/$back/manifest.json")
else
  if [ -n "$pinned" ] && [ -n "$previous" ] && [ "$(jq -r .image "$home/current/manifest.json")" = "$reference" ]; then
    # There is nothing that the registry could tell.
    digest=$pinned id=$(jq -r .image_id "$home/current/manifest.json")
    end_same
  fi
  read_tag
  if [ -z "$pinned" ] && [ "$(kept_of seen.json "select(.reference == \"$reference\") | .digest")" != "$digest" ]; then check_signature; fi
  if [ -n "$previous" ] && [ "$id" = "$(jq -r .image_id "$home/current/manifest.json")" ]; then
    jq -n --arg digest "$digest" '{$digest}' | keep taken.json
    end_same
  fi
  if [ -n "$previous" ] && [ "$(kept_of taken.json .digest)" = "$digest" ]; then
    end_same "the image that the tag names was taken before; release $previous came after it, and stays until the tag moves"
  fi
  if [ -z "$now" ]; then
    if grep -qxF "$(marked)" "$kept/failed" 2>/dev/null; then end held-back "this image failed before"; fi
    # Where nothing serves yet, there is nothing to be careful about.
    if [ -n "$previous" ]; then
      [ ! -e "$kept/hold" ] || end waiting "a command holds it; \`fab node-command retry\` ends that"
      [ "$(setting mode)" = auto ] || end waiting "PULL_MODE is $(setting mode)"
      seen=$(kept_of seen.json "select(.reference == \"$reference\") | .at")
      left=$((${seen:-0} + $(setting delay_seconds) - EPOCHSECONDS))
      [ "$left" -le 0 ] || end waiting "PULL_DELAY ends in $left s"
    fi
    left=$(kept_of fault.json "select(.digest == \"$digest\") | .until")
    left=$((${left:-0} - EPOCHSECONDS))
    [ "$left" -le 0 ] || end waiting "this node failed to start it, and tries again in $left s"
  fi
  check_room
  # Another image, which a look that was cut has left.
  for tag in pulled failed; do
    if [ "$(podman image inspect --format '{{.Id}}' "localhost/$app:$tag" 2>/dev/null || true)" != "${id#sha256:}" ]; then
      podman rmi "localhost/$app:$tag" >/dev/null 2>&1 || true
    fi
  done
  fetch "$digest" pulled || end_unread
  [ -n "$previous" ] || await_proxy
fi

release=$(named_after "$previous") from=${back:-$previous}
if [ -n "$previous" ]; then
  cat "$home/releases/$from/manifest.json"
else
  jq --argjson units "$(units)" --argjson schema_version "$schema_version" --arg app "$app" \
    '{$schema_version, $app, certificate: "", key: "", $units, files: {}, generations: {}, proof}' "$here/settings.json"
fi | jq --arg release "$release" --arg image "${image:-$name@$digest}" --arg id "$id" --arg at "$(stamp)" '. + {$release, $image,
  image_id: $id, by: "the node", commit: "", dirty: false, $at, seconds: {}, health: ""}' >"$work/release.json"
borrowed=
if [ -n "$previous" ] && ! podman image exists "localhost/$app:$previous"; then
  # Its image was removed by hand: for going on there need be none.
  podman tag "localhost/$app:pulled" "localhost/$app:$previous"
  borrowed=yes
fi
jq -n --arg release "$release" --arg digest "$digest" '{$release, $digest}' | keep trying.json
if [ -n "$previous" ]; then
  run stage-again "$release" "$from" "$previous" <"$work/release.json" || give_up node "$release" "$previous"
else
  stage_born "$release" || give_up node "$release" ""
fi
give_credentials "$release"
[ -z "$borrowed" ] || podman untag "localhost/$app:$previous" "localhost/$app:$previous"
podman tag "localhost/$app:pulled" "localhost/$app:$release"
podman untag "localhost/$app:pulled" "localhost/$app:pulled"

switch=$(jq -r .proof.switch "$work/release.json")
# What may not run twice runs beside no other.
if [ -n "$back" ] && [ "$(jq -r .proof.switch "$home/current/manifest.json")" = restart ]; then switch=restart; fi
reached=no
if [ -n "$previous" ] && visit "$work/release.json"; then reached=yes; fi
slot=$(other_slot "$slot") began=$EPOCHSECONDS
# Only where visitors may have to be held is there a guard.
guards=
if [ "$switch" != slots ]; then guards=$(packed guard && echo && packed undo); fi
run start "$release" "$slot" "$switch" <<<"$guards" || {
  case $(said) in
    *'did not start'* | *'the image runs as'*) fault=image ;;
    *) fault=node ;;
  esac
  if podman_failed "$began"; then fault=node; fi
  give_up $fault "$release" "$previous"
}
proven "$release" || {
  fault=image
  if podman_failed "$began"; then fault=node; fi
  give_up $fault "$release" "$previous"
}
mapfile -d '' -t words < <(jq -j '.before_switch[] | . + "\u0000"' "$here/settings.json")
if [ ${#words[@]} -gt 0 ] && [ -z "$back" ]; then
  run before-switch "$slot" "$(setting before_switch_seconds)" "${words[@]}" || give_up image "$release" "$previous"
fi
run move "$release" || give_up node "$release" "$previous"
if [ $reached = yes ]; then
  until=$((SECONDS + 20))
  until visit "$work/release.json"; do
    [ "$SECONDS" -lt "$until" ] || give_up image "$release" "$previous"
    sleep 0.5
  done
fi
complete "$release" "$previous"
