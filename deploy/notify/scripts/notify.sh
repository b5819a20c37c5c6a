# notify: tell the receiver of notifications what this node did by itself: releases that updaters brought, what they
# refused or failed with, an operating system that went back; and what other scripts put into /var/lib/corefab/notify/found,
# a JSON object in a file *.json each: {key, event, app, state, title, text, trouble, lasting}. Each change of a key's
# state is told once, trouble again after a day. What the receiver does not take waits, and is sent by a later run.
# shellcheck shell=bash
own=/etc/corefab/notify
kept=/var/lib/corefab/notify
work=/run/corefab/notify
pulls=/var/lib/corefab/pull
patience=10
address='^https?://[]A-Za-z0-9._:/~!$&()*+,;=@%?[-]+$'

# remember: replace the memory by what is on stdin.
remember() {
  cat >"$kept/memory.new"
  jq -e '.told and .waiting' "$kept/memory.new" >/dev/null
  sync "$kept/memory.new"
  mv -fT "$kept/memory.new" "$kept/memory.json"
}

# memory: print what was told, and what waits.
memory() {
  { cat "$kept/memory.json" 2>/dev/null || true; } | jq -cRs '[fromjson? | objects
    | select((.told | type) == "object" and (.waiting | type) == "array")][0] // {told: {}, waiting: []}'
}

# secret NAME: print a sealed secret of the app; nothing where there is none.
secret() {
  local file
  file=$(home_of "$app")/current/credentials/$1
  [ ! -e "$file" ] || decrypted "$1" "$file" | head -c 65536 || true
}

# secrets: print the secrets of every app as a JSON array, in the forms in which programs write them.
secrets() {
  local file
  for file in /var/lib/*/current/credentials/*; do
    if [ ! -f "$file" ] || [ -n "$(owner_above "$file")" ]; then continue; fi
    decrypted "${file##*/}" "$file" | head -c 65536 | jq -Rs . || true
  done | jq -cs '[.[] | ., split("\n")[] | select(length >= 4) | ., @base64, @uri, (tojson | .[1:-1])]
    | unique | sort_by(-length)'
}

# pulled: print what the updaters of the apps, and of the node's bundle, have last ended with.
pulled() {
  local file about
  for file in "$pulls"/*/status.json; do
    [ -f "$file" ] || continue
    about=${file%/*}
    head -c 65536 "$file" | jq -c --arg app "${about##*/}" '
      (if $app == "node" then "its bundle" else $app end) as $what
      | {same: "well", healed: "well", updated: "well", applied: "well", refused: "refused", failed: "failed",
        "held-back": "failed", "no-room": "no-room", "node-fault": "node-fault"}[.result] as $state
      | select($state) | {
        key: "pull \($app)", event: "pull", $app, $state, lasting: ($state == "well"), trouble: ($state != "well"),
        title: ({
          well: "\($what) is well again", refused: "\($what): what the registry offers is refused",
          failed: "\($what): an update failed, what served before serves",
          "no-room": "\($what): no room for an update", "node-fault": "\($what): this node cannot update it"
        }[$state]), text: (.why | strings | split("\n")[0] // "")}' || true
  done
}

# released: print the release that serves of each app, where the node brought it.
released() {
  local one
  while read -r one; do
    manifest_of "$one" | jq -c --arg app "$one" 'select(.by == "the node" and (.release | type) == "string") | {
      key: "release \($app)", event: "pull", $app, state: .release, trouble: false, lasting: false,
      title: "\($app): release \(.release) serves", text: (.image | strings)}' || true
  done < <(apps)
}

# system: print that the operating system is older than it was. What ran last is in the memory.
system() {
  os_version | jq -cR --arg before "$(memory | jq -r '.os // ""')" 'def numbers: split(".") | map(tonumber? // 0);
      . as $version | select($before != "" and ($version | numbers) < ($before | numbers)) | {
      key: "os", event: "os", app: "", state: "\($before) to \($version)", trouble: false, lasting: false,
      title: "the operating system went back to \($version)", text: "it ran \($before) before"}'
}

# found: print what other scripts found.
found() {
  local file
  for file in "$kept"/found/*.json; do
    [ ! -f "$file" ] || head -c 65536 "$file" | jq -c 'select(all(.key, .event, .app, .state, .title, .text; type == "string")
      and all(.trouble, .lasting; type == "boolean"))' 2>/dev/null || true
  done
}

# decided: print the memory with what is news, from what is found: on stdin the secrets, the memory, then each finding.
decided() {
  # shellcheck disable=SC2154
  jq -cn --arg seed "$(od -An -N9 -tx1 /dev/urandom | tr -d ' \n')" --argjson at "$EPOCHSECONDS" --arg node "$node" \
    --argjson schema_version "$schema_version" '
    input as $secrets | input as $memory
    | def hidden: .[:20000] | reduce $secrets[] as $one (.; split($one) | join("***"));
    def seen($most): gsub("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]"; "?") | if length > $most then .[:$most - 1] + "…" else . end;
    def line($most): hidden | gsub("[ \t\r\n]+"; " ") | seen($most);
    def told($one; $reminder):
      .waiting += [{$schema_version, id: "cf_\($seed)_\(.waiting | length)",
        at: ($at | todate), event: ($one.event | line(40)), app: ($one.app | line(100)), node: ($node | line(100)),
        state: ($one.state | line(200)), trouble: $one.trouble, $reminder,
        title: ((if $reminder then "still: " else "" end) + $node + ": " + $one.title | line(200)),
        text: ($one.text | line(600))}]
      | if $one.lasting then del(.told[$one.key])
        else .told[$one.key] = {state: ($one.state | .[:200]), $at, trouble: $one.trouble} end;
    reduce inputs as $given ($memory; ($given | .key |= .[:200]) as $one | .told[$one.key] as $before
      | if $before != null and $before.state == ($one.state | .[:200]) then
          if $one.trouble and ($at - $before.at | fabs) >= 86400 then told($one; true) else . end
        elif $one.lasting and ($before.trouble // false | not) then del(.told[$one.key])
        else told($one; false) end)
    | .waiting |= .[-200:] | .told |= (to_entries | .[-500:] | from_entries)'
}

# body TOPIC: write a notice on stdin in the form of the receiver. The topic of ntfy is a part of a secret address.
body() {
  jq -c --arg form "$form" --rawfile topic <(printf '%s' "$1") '
    (if .text == "" then .title else "\(.title)\n\(.text)" end) as $words
    | if $form == "slack" then {
        text: ($words | gsub("&"; "&amp;") | gsub("<"; "&lt;") | gsub(">"; "&gt;")),
        mrkdwn: false, unfurl_links: false, unfurl_media: false}
      elif $form == "ntfy" then {$topic, title, message: (if .text == "" then .title else .text end),
        priority: (if .trouble then 4 else 3 end)}
      elif $form == "matrix" then {msgtype: "m.notice", body: $words, "m.mentions": {}}
      elif $form == "discord" then {
        content: ($words | gsub("(?<mark>[\\\\`*_~|>#\\[\\]()<:@+.!{}-])"; "\\\(.mark)")),
        allowed_mentions: {parse: []}, flags: 4}
      else . end' | tr -d '\n'
}

# hex: print bytes of stdin as hexadecimal digits.
hex() { od -An -v -tx1 | tr -d ' \n'; }

# bytes HEX: print the bytes that hexadecimal digits stand for.
bytes() {
  local left=$1 text=''
  while [ -n "$left" ]; do text+="\\x${left:0:2}" left=${left:2}; done
  printf '%b' "$text"
}

# mac KEY: print the HMAC of stdin in Base64; the key is in hexadecimal digits. Nothing here is another program's argument.
mac() {
  local key=$1 inner='' outer='' digits sum
  if [ ${#key} -gt 128 ]; then key=$(bytes "$key" | sha256sum | cut -c 1-64); fi
  while [ ${#inner} -lt 128 ]; do
    digits=${key:0:2} key=${key:2}
    printf -v inner '%s%02x' "$inner" $((16#${digits:-0} ^ 0x36))
    printf -v outer '%s%02x' "$outer" $((16#${digits:-0} ^ 0x5c))
  done
  sum=$({ bytes "$inner" && cat; } | sha256sum | cut -c 1-64)
  bytes "$(bytes "$outer$sum" | sha256sum | cut -c 1-64)" | base64 -w 0
}

# line_of NAME VALUE: write a line of curl's configuration.
line_of() {
  local value=${2//\\/\\\\}
  printf '%s = "%s"\n' "$1" "${value//\"/\\\"}"
}

# post URL KEY TOKEN ID: send the body; print the status of the answer. Secrets come on curl's stdin.
post() {
  local url=$1 key=$2 token=$3 id=$4 at=$EPOCHSECONDS method=POST signature=''
  if [ "$form" = matrix ]; then method=PUT url=${url%/}/$id; fi
  if [ -n "$key" ]; then signature=$({ printf '%s.%s.' "$id" "$at" && cat "$work/body"; } | mac "$key"); fi
  {
    line_of url "$url"
    line_of header 'Content-Type: application/json'
    line_of header "webhook-id: $id"
    line_of header "webhook-timestamp: $at"
    [ -z "$signature" ] || line_of header "webhook-signature: v1,$signature"
    [ -z "$token" ] || line_of header "Authorization: Bearer $token"
  } | curl -q -sS -g --proto =http,https --connect-timeout "$patience" --max-time "$patience" -A corefab -X "$method" \
    --data-binary "@$work/body" -o /dev/null -w '%{http_code}' --config - 2>"$work/errors" || true
}

# send: send what waits, the oldest first, until the receiver fails. What it refuses is left for a later run.
send() {
  local url key='' token topic='' id code
  url=$(secret notify_url)
  [ -n "$url" ] || { echo "NOTIFY_URL is not there, or cannot be decrypted: \`fab deploy\` brings it" >&2 && return; }
  [[ $url =~ $address ]] || { echo 'NOTIFY_URL is no address' >&2 && return; }
  key=$(secret notify_key | key_hex)
  token=$(secret notify_token)
  [[ $token =~ ^[!-~]*$ ]] || { echo 'NOTIFY_TOKEN has characters that no token has' >&2 && return; }
  if [ "$form" = ntfy ]; then
    url=${url%/} topic=${url##*/} url=${url%/*}/
  fi
  while read -r id; do
    jq -c --arg id "$id" '.waiting[] | select(.id == $id)' "$kept/memory.json" | body "$topic" >"$work/body"
    code=$(post "$url" "$key" "$token" "$id")
    case $code in
      2??) jq -c --arg id "$id" '.waiting |= map(select(.id != $id))' "$kept/memory.json" | remember ;;
      400 | 413 | 422) echo "the receiver refuses a message: $code" >&2 ;;
      *) echo "the receiver of notifications answers ${code:-nothing}; what waits is sent later" >&2 && return ;;
    esac
  done < <(jq -r '.waiting[].id' "$kept/memory.json")
}

# key_hex: print the key on stdin as hexadecimal digits: what is behind whsec_ is in Base64.
key_hex() {
  local key
  key=$(hex)
  if [[ $key = 77687365635f* ]]; then
    bytes "${key#77687365635f}" | base64 -d 2>/dev/null | hex
  else
    printf '%s' "$key"
  fi
}

IFS=$'\t' read -r app node form < <(jq -r '[.app, .node, .format] | @tsv' "$own/settings.json")
lock=$(lock_file notify.lock)
exec 9<>"$lock"
flock -n 9 || exit 0
install -d -m 0755 /var/lib/corefab
install -d -m 0700 "$kept" "$kept/found" "$work"
trap 'rm -rf "$work"' EXIT
taken=("$kept"/found/*.json)
{
  secrets
  memory
  pulled
  released
  found
  # What went back by itself has told more of that.
  system
} | decided | jq -c --arg os "$(os_version)" 'if $os == "" then . else .os = $os end' | remember
rm -f "${taken[@]}"
if jq -e '.waiting[0]' "$kept/memory.json" >/dev/null; then send; fi
