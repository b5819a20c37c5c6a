# os-health SECONDS: after an update of the operating system decide whether it stays. Every app that answered through its
# front door before the update has SECONDS from the boot on to answer again. If one does not, this machine goes back to
# the version before, once for each version, and Zincati is held until a version newer than all that failed is offered.
# What was decided is in /var/lib/corefab/os-health.json.
# shellcheck shell=bash disable=SC2016
patience=$1
record=/var/lib/corefab/os-health.json
hold=/run/zincati/config.d/90-corefab-hold.toml
work=/run/corefab/os-health
every=600

# of FILTER [JQ OPTION...]: print a value of the record; nothing where it has none.
of() { jq -r "${@:2}" "$1 // empty" "$record" 2>/dev/null || true; }

# note FILTER [JQ OPTION...]: change the record. It is on the disk when this returns.
note() {
  # shellcheck disable=SC2154
  { cat "$record" 2>/dev/null || true; } | jq -cRs --argjson schema_version "$schema_version" "${@:2}" \
    "([fromjson? | objects][0] // {}) | $1 | .schema_version = \$schema_version" >"$record.new"
  sync "$record.new"
  mv -fT "$record.new" "$record"
  sync "${record%/*}"
}

# conclude RESULT TEXT: tell of a decision in the journal and in the journal of changes.
conclude() {
  echo "$2"
  audit "$(jq -cn --arg at "$(date -u +%Y-%m-%dT%H:%M:%S+0000)" --arg result "$1" --arg detail "$2" \
    '{$at, app: "node", what: "os-update", who: "the node", $result, $detail}')"
}

# tell STATE TITLE TEXT: have trouble told by what sends the notifications of this machine, if it has that.
tell() {
  local found=/var/lib/corefab/notify/found
  [ -d /etc/corefab/notify ] || return 0
  install -d -m 0700 "${found%/*}" "$found"
  jq -cn --arg state "$1" --arg title "$2" --arg text "$3" \
    '{key: "os", event: "os", app: "", $state, $title, $text, trouble: true, lasting: false}' >"$found/os.new"
  sync "$found/os.new"
  mv -fT "$found/os.new" "$found/os.json"
}

# older ONE OTHER: test whether a version is older than another one.
older() { [ "$1" != "$2" ] && [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

# hold_updates: have Zincati take no update. In /run: a rollback brings back the /etc of before.
hold_updates() {
  if [ -e "$hold" ]; then return; fi
  install -d -m 0755 "${hold%/*}"
  printf '[updates]\nenabled = false\n' >"$hold"
  # It reads its configuration when it starts.
  systemctl try-restart zincati.service || true
}

# let_update: have Zincati take updates again, as its own configuration says.
let_update() {
  if [ ! -e "$hold" ]; then return; fi
  rm -f "$hold"
  systemctl try-restart zincati.service || true
}

# stopped UNIT: test whether someone has stopped or masked a unit since this machine started.
stopped() {
  systemctl show "$1" -p LoadState,ActiveState,Result,ActiveEnterTimestampMonotonic | awk -F = '{ is[$1] = $2 }
    END { exit !(is["LoadState"] == "masked" || is["ActiveState"] == "inactive" && is["Result"] == "success" \
      && is["ActiveEnterTimestampMonotonic"] > 0) }'
}

# excused APP: test whether an app does not have to answer: it is gone, in maintenance, or was stopped by someone.
excused() {
  local slot
  slot=$(serving_slot "$1")
  if [ -z "$slot" ] || [ -e "$(home_of "$1")/maintenance" ] || stopped "$1-$slot.service"; then return 0; fi
  behind_proxy "$1" && stopped "corefab-proxy-$(serving_slot corefab-proxy).service"
}

# silent: print the first app that answered before and does not now, and why; nothing if all do.
silent() {
  local app
  while read -r app; do
    : >"$work/said"
    if [ "$(network)" != address ]; then
      echo 'this machine has no address' >"$work/said"
    elif visit "$(home_of "$app")/current/manifest.json"; then
      continue
    fi
    if excused "$app"; then continue; fi
    echo "$app: $(said | tr -s '[:cntrl:]' ' ' | cut -c 1-300)"
    return
  done < <(of '.healthy[]?')
}

# network: print whether this machine has an address at which apps can be asked, or no address, or not even a network card.
network() {
  ip -json address | jq -r '[.[] | select(.link_type != "loopback" and (.ifname | test("^(podman|veth|docker|br-)") | not))]
    | if any(.[].addr_info[]; .scope == "global") then "address" elif length == 0 then "no card" else "no address" end'
}

# up_seconds: print for how long this system has been up. A container has the uptime of the machine below it.
up_seconds() {
  awk -v began="$(systemctl show -P UserspaceTimestampMonotonic)" '{ print int($1 - began / 1000000) }' /proc/uptime
}

# try_version: wait until all apps answer, twice in a row, or until the time is over; then decide.
try_version() {
  local why times=0 waiting=no
  note '.trial = $version | .said = "\($version) is being tried"' --arg version "$version"
  # Another update now would be one of a system that is not proven.
  hold_updates
  while true; do
    why=$(silent)
    times=$((times + 1))
    [ -z "$why" ] || times=0
    if [ "$times" = 2 ]; then
      stay "$version is healthy"
      return
    fi
    if [ -n "$why" ] && [ "$(up_seconds)" -ge "$patience" ]; then
      # That is for the network to bring; without a card, it may be the system that does not know it.
      if [ "$(network)" != 'no address' ]; then break; fi
      [ "$waiting" = yes ] || echo 'this machine has no address: nothing is decided before it has one'
      waiting=yes
    fi
    sleep 5
  done
  go_back "$why"
}

# stay TEXT [WHY]: keep the version that runs; WHY says what is wrong with it.
stay() {
  note '.version = $version | del(.trial, .back) | .said = $said
    | if $why == "" then .failed |= (. // [] | map(select(.version != $version))) else . end' \
    --arg version "$version" --arg said "$1${2:+: $2}" --arg why "${2:-}"
  if [ -z "${2:-}" ]; then
    conclude ok "$1"
  else
    conclude failed "$1: $2"
    tell "unhealthy $version" "the operating system $1" "$2"
    systemctl start --no-block corefab-notify.service 2>/dev/null || true
  fi
}

# way_back VERSION: print whether `rpm-ostree rollback` leads to this version, or the next boot does already.
way_back() {
  rpm-ostree status --json | jq -r --arg version "$1" '[.deployments[] | select(.staged | not)]
    | if .[0].booted and .[1].version == $version then "rollback"
      elif (.[0].booted | not) and .[0].version == $version then "boot" else "none" end' || echo none
}

# go_back WHY: roll back to the version before, and restart. The version counts as failed once that one runs.
go_back() {
  local to way problem=
  to=$(of .version)
  [ ! -e /run/ostree/staged-deployment ] || rpm-ostree cleanup --pending || true
  way=$(way_back "$to")
  if [ -n "$(of '.failed[]? | select(.version == $version).version' --arg version "$version")" ]; then
    problem='it was rolled back before'
  elif [ "$way" = none ]; then
    problem="$to is not there to go back to"
  elif [ "$way" = rollback ] && [ "$(of '.back | select(.version == $version).tries' --arg version "$version")" = 2 ]; then
    problem='rolling back failed twice'
  fi
  if [ -n "$problem" ]; then
    stay "$version is unhealthy and stays, since $problem" "$1"
    return
  fi
  if [ "$way" = rollback ]; then
    # A power cut may come between this note and the rollback: then there is a second try, and no third.
    note '.back = {$version, $why, tries: ((.back | select(.version == $version).tries) // 0 | . + 1)}' \
      --arg version "$version" --arg why "$1"
    echo "going back from $version to $to: $1"
    rpm-ostree rollback
  fi
  systemctl reboot
  exit 0
}

# went_back: note, on the version before, that the other one failed.
went_back() {
  local why failed
  failed=$(of .back.version)
  why=$(of .back.why)
  note '.failed = ((.failed // []) | map(select(.version != $failed)) + [{version: $failed}] | .[-20:])
    | .said = "\($version) is back, since \($failed) was unhealthy: \($why)" | del(.back, .trial)' \
    --arg version "$version" --arg failed "$failed" --arg why "$why"
  conclude failed "went back from $failed to $version: $why"
  tell "$failed to $version" "the operating system went back from $failed to $version" "$why"
}

# newest_failed: print the newest version that failed, if it is newer than the one that runs.
newest_failed() {
  local one
  one=$(of '.failed[]?.version' | sort -V | tail -n 1)
  if [ -n "$one" ] && older "$version" "$one"; then printf '%s' "$one"; fi
}

# update_server: print the address that Zincati asks for updates: what is read last counts.
update_server() {
  { find /usr/lib/zincati/config.d /etc/zincati/config.d /run/zincati/config.d -name '*.toml' -printf '%f\t%p\n' \
    2>/dev/null || true; } | sort -s -t $'\t' -k 1,1 | cut -f 2 | xargs -r -d '\n' cat \
    | awk '/^\[/ { own = $1 == "[cincinnati]" } own && /^base_url *=/ { split($0, part, "\""); found = part[2] }
      END { print found }'
}

# offered FAILED: test whether an update to a version newer than FAILED is there for every machine. Zincati's protocol:
# github.com/coreos/zincati, docs/development/cincinnati/protocol.md. The third number of a version is its stream.
offered() {
  local server stream
  server=$(update_server)
  case $version in
    *.*.1.*) stream=next ;;
    *.*.2.*) stream=testing ;;
    *.*.3.*) stream=stable ;;
    *) return 1 ;;
  esac
  [[ $server =~ ^https?://[A-Za-z0-9._:/-]+$ ]] || return 1
  curl -q -sS --fail --max-time 30 --max-filesize 20000000 -H 'Accept: application/json' \
    "${server%/}/v1/graph?basearch=$(uname -m)&stream=$stream&rollout_wariness=1.000000" \
    | jq -en --arg version "$version" --arg failed "$1" 'def numbers: split(".") | map(tonumber? // 0);
      [inputs][0] | [.nodes[].version] as $known
      | any(.edges[]; $known[.[0]] == $version and ($known[.[1]] | numbers) > ($failed | numbers))' >/dev/null
}

# see_to_updates: hold Zincati as long as it could take a version that failed.
see_to_updates() {
  local failed
  failed=$(newest_failed)
  if [ -n "$failed" ]; then
    hold_updates
    if ! offered "$failed"; then return; fi
    echo "a version newer than $failed is offered: it may be taken"
  fi
  let_update
}

# look: note which apps answer, for the next update; not while this machine stops, and they with it.
look() {
  local found
  found=$(answering_apps | jq -Rsc 'split("\n") | map(select(. != ""))')
  if [ "$(systemctl is-system-running || true)" = stopping ]; then return; fi
  if [ "$found" != "$(of '.healthy | tojson')" ]; then note '.healthy = $found' --argjson found "$found"; fi
}

version=$(os_version)
# A rehearsal node has no version of this kind.
[ -n "$version" ] || version=$(. /etc/os-release && printf '%s' "$PRETTY_NAME")
install -d -m 0755 /var/lib/corefab
install -d -m 0711 /run/corefab
install -d -m 0700 "$work"
before=$(of .version)
if [ "$before" = "$version" ] && [ -n "$(of .back)" ]; then
  went_back
elif [ -z "$before" ] || older "$version" "$before"; then
  # A first boot, or someone went back by hand.
  note '.version = $version | del(.trial, .back)' --arg version "$version"
elif [ "$before" != "$version" ]; then
  try_version
fi
see_to_updates
for ((times = 1; ; times++)); do
  sleep $every
  look
  [ $((times % 6)) != 0 ] || see_to_updates
done
