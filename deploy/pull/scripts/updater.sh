# Functions that the updaters of a node share: that of an app's image, and that of the node's bundle. The script has
# the folders here, kept, work and home, and reference, name, digest, trust, limit; `end` ends its run. What asks for
# pages needs the folder work alone.
# shellcheck shell=bash disable=SC2154,SC2034

# setting NAME: print a setting of this app's updater.
setting() { jq -r --arg name "$1" '.[$name]' "$here/settings.json"; }

# keep FILE: replace a file of the updater's own by what is on stdin.
keep() {
  cat >"$kept/$1.new"
  sync "$kept/$1.new"
  mv -fT "$kept/$1.new" "$kept/$1"
}

# kept_of FILE FILTER: print a value of a file of the updater's own; nothing where it has none.
kept_of() { jq -r "$2 // empty" "$kept/$1" 2>/dev/null || true; }

# stamp: print the time as manifests and journal have it.
stamp() { date -u +%Y-%m-%dT%H:%M:%S+00:00; }

# said: print what the last script wrote as its error.
said() { tail -c 2000 "$work/said"; }

# from_registry COMMAND WORD...: run skopeo for this app's registry, with what `trust` says of signatures, for
# `limit` seconds at most.
from_registry() {
  local command=$1 prefix=
  shift
  [ "$command" != copy ] || prefix=src-
  [ ! -e "$here/trusted/root.crt" ] || set -- "--${prefix}cert-dir=$here/trusted" "$@"
  [ "$(setting http)" = false ] || set -- "--${prefix}tls-verify=false" "$@"
  [ ! -e "$work/auth.json" ] || set -- "--${prefix}authfile=$work/auth.json" "$@"
  timeout "${limit}s" skopeo --tmpdir="$kept/parts" "$trust" --registries.d="$here/registries.d" "$command" "$@" \
    2>"$work/said" 9>&- || {
    local code=$?
    [ $code != 124 ] || echo "$reference: timeout: not read within $limit s" >"$work/said"
    return $code
  }
}

# end_unread: end this run because of what skopeo said.
end_unread() {
  local text
  text=$(said)
  case $text in
    *'connection refused'* | *'connection reset'* | *' timeout'* | *'no such host'* | *'is unreachable'* | *'no route to'* \
      | *EOF*) end unreachable "$text" ;;
    *'ource image rejected'* | *'signature'*) end refused "$text" ;;
    *[Nn]'o space left'*) end no-room "$text" ;;
    *'manifest unknown'* | *'name unknown'*) end refused "$reference names nothing: publish an image there" ;;
    *'nauthorized'* | *'authentication required'* | *'resource is denied'*) end refused "the registry refuses the login: $text" ;;
    *'containers-storage'* | *'committing'* | *'writing blob'*) end_node_fault "$text" ;;
    *) end unreachable "$text" ;;
  esac
}

# end_node_fault WHY: end this run because of this node, not of the image; the next try is later each time.
end_node_fault() {
  local count
  count=$(kept_of fault.json "select(.digest == \"$digest\") | .count")
  count=$((${count:-0} + 1))
  jq -n --arg digest "$digest" --argjson count "$count" \
    --argjson until "$((EPOCHSECONDS + 300 * 2 ** (count < 9 ? count - 1 : 8)))" '{$digest, $count, $until}' \
    | keep fault.json
  end node-fault "$1"
}

# log_in: write the login for the registry into memory.
log_in() {
  local sealed=$home/current/credentials/pull_login registry=${reference%%/*}
  [ "$(setting login)" = true ] || return 0
  (umask 077 && systemd-creds decrypt --name=pull_login "$sealed" - \
    | jq -Rs --arg registry "$registry" '{auths: {($registry): {auth: @base64}}}' >"$work/auth.json") \
    || end_node_fault "credential pull_login cannot be decrypted on this node: run \`fab creds-seal\`"
}

# read_manifest REFERENCE: read the manifest of an image; print its digest.
read_manifest() {
  from_registry inspect --raw "docker://$1" | head -c 4194304 >"$work/manifest.json" || return
  printf 'sha256:%s' "$(sha256sum <"$work/manifest.json" | cut -d ' ' -f 1)"
}

# check_signature: require a statement of one of the keys that this very tag names the digest, and that it is not
# older than what was seen; note it.
check_signature() {
  local found seen
  rm -rf "$work/signed"
  trust=--insecure-policy
  # Statements are small and few: what is larger is not read.
  from_registry inspect --raw "docker://$name:${digest/:/-}.sig" | head -c 1048576 >"$work/signatures.json" \
    || case $(said) in
      *'manifest unknown'*) end refused "$reference is not signed" ;;
      *) end_unread ;;
    esac
  jq -e '.config.size < 1048576 and (.layers | length <= 64 and all(.size < 65536))' "$work/signatures.json" \
    >/dev/null 2>&1 || end refused "the signatures of $reference are too large"
  from_registry copy --quiet "docker://$name@sha256:$(sha256sum <"$work/signatures.json" | cut -d ' ' -f 1)" \
    "dir:$work/signed" || end_unread
  trust=--policy=$here/policy.json
  found=$(statements | sort -n | tail -n 1)
  [ -n "$found" ] || end refused "none of PULL_KEYS has signed that $reference is $digest"
  seen=$(kept_of seen.json "select(.reference == \"$reference\") | \"\(.sequence) \(.digest)\"")
  if [ "$found" -lt "${seen%% *}" ] 2>/dev/null; then
    end refused "$reference is older than what it was before: sequence $found, and ${seen%% *} was seen"
  fi
  if [ "$found" = "${seen%% *}" ] && [ "$digest" != "${seen#* }" ]; then
    end refused "$reference names another image than before, with the same sequence $found"
  fi
  # Tags that were followed before this one are kept: PULL may come back to them.
  {
    kept_of seen.json "select(.reference != \"$reference\")"
    jq -n --arg reference "$reference" --arg digest "$digest" --argjson sequence "$found" --argjson at "$EPOCHSECONDS" \
      '{$reference, $digest, $sequence, $at}'
  } | keep seen.json
}

# statements: print the sequence of each statement that one of the keys has signed, about this tag and digest.
statements() {
  local blob signature key
  while read -r blob signature; do
    base64 -d <<<"$signature" >"$work/signature" 2>/dev/null || continue
    for key in "$here"/keys/*.pub; do
      openssl dgst -sha256 -verify "$key" -signature "$work/signature" "$work/signed/$blob" >/dev/null 2>&1 || continue
      jq -r --arg reference "$reference" --arg digest "$digest" '
        select(.critical.type == "cosign container image signature"
          and .critical.identity["docker-reference"] == $reference
          and .critical.image["docker-manifest-digest"] == $digest)
        | .optional.sequence | numbers | select(. == floor and . >= 1 and . < 9007199254740992)' \
        "$work/signed/$blob" 2>/dev/null || true
    done
  done < <(jq -r '.layers[]
    | select(.mediaType == "application/vnd.dev.cosign.simplesigning.v1+json" and (.digest | test("^sha256:[0-9a-f]{64}$")))
    | "\(.digest[7:]) \(.annotations["dev.cosignproject.cosign/signature"] // "")"' "$work/signatures.json")
}

# visit MANIFEST: ask for the page as a visitor does, through the front door and the proxy.
visit() {
  local scheme host port path found address
  IFS=$'\t' read -r scheme host port path < <(jq -r '.proof
    | (.names[0] | sub("^\\*"; "www") | if test(":") then "[\(.)]" else . end) as $host
    | [if .tls == "none" then "http" else "https" end, $host, .port, .path] | @tsv' "$1")
  address=$(ip -json address show scope global | jq -r '[.[] | select(.ifname | test("^(podman|veth|docker|br-)") | not)
    | .addr_info[] | .local][0] // empty | if test(":") then "[\(.)]" else . end')
  found=$(curl -sSk -A corefab --noproxy '*' --max-time 10 --max-filesize 10000000 --connect-to "::${address:?}:$port" -o /dev/null \
    -w '%{http_code}' "$scheme://$host:$port$path" 2>"$work/said") || return
  [[ $found == 2?? ]] || { echo "the health path answers $found through the front door" >"$work/said" && return 1; }
}

# answering_apps: list the apps whose page is there for visitors.
answering_apps() {
  local one app
  for one in /var/lib/*/current/manifest.json; do
    app=${one#/var/lib/} app=${app%%/*}
    if [ -z "$(owner_above "$one")" ] && jq -e '.proof.names[0]' "$one" >/dev/null 2>&1 && visit "$one"; then
      printf '%s\n' "$app"
    fi
  done
}
