# page: make the pages of this node: what scripts answer that `fab status` and others run over SSH, signed with
# the node's key, encrypted to the operators. What `fab drift` asks for is a page of its own. The proxy serves
# them, with the certificate of the node's key. The scripts lie beside it.
# shellcheck shell=bash
own=/etc/corefab/status
served=/run/corefab/proxy/status
metrics=/run/corefab/metrics/corefab.prom
every_seconds=300

# kept PAGE WORD...: run one of the scripts, and keep its answer under its command. One that fails has none. The
# status page is without the hashes of units and layers, which do not compress.
kept() {
  local answer="$work/$1/${*:2}"
  bash "$own/$2.sh" "${@:3}" | jq -cRs --arg page "$1" --arg command "${*:2}" '. as $text | {key: $command, value: (
    if $page == "status" then try (fromjson | walk(if type == "object" then
      (if .units then .units |= map_values("") else . end) | (if .layers then .layers = {} else . end) else . end)
      | tojson) catch $text else . end)}' >"$answer" || rm -f "$answer"
}

# credentials APP: name the sealed credentials of an app, as `probe` wants them.
credentials() {
  local file
  for file in "$(home_of "$1")"/current/credentials/*; do
    [ ! -f "$file" ] || printf '%s -\n' "${file##*/}"
  done
}

install -d -m 0711 /run/corefab
install -d -m 0755 /run/corefab/proxy "$served"
cp /var/lib/corefab/node.crt "$served/.node.crt"
mv -fT "$served/.node.crt" "$served/node.crt"
mapfile -t operators < <(find "$own" -name 'operator-*.crt' | sort)
[ ${#operators[@]} -gt 0 ] || exit 0

# In memory, and for root alone. Another run may have been ended.
work=/run/corefab/page
rm -rf "$work"
install -d -m 0700 "$work" "$work"/{status,drift}
trap 'rm -rf "$work"' EXIT
while read -r app; do
  credentials "$app" | kept status probe "$app" &
  for script in holdings releases workers; do kept status "$script" "$app" </dev/null & done
  if [ -e "/var/lib/corefab/pull/$app/status.json" ]; then kept status pull-status "$app" </dev/null & fi
  kept drift inspect "$app" <"$own/question" &
done < <(apps)
if [ -e /var/lib/corefab/pull/node/status.json ]; then kept status pull-status node </dev/null & fi
kept status audit-lines - 40 </dev/null &
if [ -e /run/corefab/collected ]; then kept status collected </dev/null & fi
kept drift spec-hash </dev/null &
# Written every 15 s by the machine itself, where METRICS=on.
if [ -e "$metrics" ]; then jq -cRs '{key: "metrics", value: .}' "$metrics" >"$work/status/metrics"; fi
wait

failed=$(systemctl list-units --failed --plain --legend=no | cut -d ' ' -f 1)
memory=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo)
for page in status drift; do
  find "$work/$page" -type f -print0 | sort -z | xargs -0r cat >"$work/answers"
  # shellcheck disable=SC2154
  jq -cs --argjson schema_version "$schema_version" --argjson at "$EPOCHSECONDS" --argjson every_seconds "$every_seconds" \
    --arg failed "$failed" --argjson memory "$memory" \
    '{$schema_version, $at, $every_seconds, failed_units: ($failed | split("\n")),
      memory_available_bytes: ($memory * 1024), answers: from_entries}' "$work/answers" | gzip -9n >"$work/page"
  openssl dgst -sha256 -sign "$CREDENTIALS_DIRECTORY/corefab-node-key" "$work/page" | base64 -w 0 >"$work/signed"
  { echo && cat "$work/page"; } >>"$work/signed"
  openssl cms -encrypt -binary -aes-256-cbc -outform DER -in "$work/signed" -out "$served/.$page" "${operators[@]}"
  chmod 0644 "$served/.$page"
  mv -fT "$served/.$page" "$served/$page"
done
