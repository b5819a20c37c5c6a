# otlp [SECONDS]: send the lines of the journal, and the metrics that metrics.sh writes, to an endpoint of
# OpenTelemetry, as JSON by HTTP; once, or every so many seconds. What was accepted last is noted in a file, and nothing
# else moves on: after an outage every line is sent that the journal still has. This starts no podman.
# shellcheck shell=bash disable=SC2016
own=/etc/corefab/otlp
state=/var/lib/corefab/otlp/cursor
work=/run/corefab/otlp
metrics=/run/corefab/metrics/corefab.prom
more=/run/corefab/metrics.d
# What is read from the journal at once, and of one line.
most_lines=500 most_bytes=1048576 most_letters=65536
first_seconds=3600 run_seconds=60 metrics_seconds=60 longest_wait=300
fields=MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,UNIT,CONTAINER_NAME,_COMM,_PID,_SYSTEMD_UNIT,_TRANSPORT
cursor_like='^s=[0-9a-f]{32};i=[0-9a-f]+;b=[0-9a-f]{32};m=[0-9a-f]+;t=[0-9a-f]+;x=[0-9a-f]+$'

{ read -r endpoint && read -r sends && read -r app; } < <(
  jq -r '.endpoint, (.send | join(" ")), (.app // "")' "$own/settings.json") || fail "$own/settings.json cannot be read"
declare -A told=() again=() waits=() well=()
headers='' opened='' status='' answer='' asked='' ending='' noted='' looked=0 note_at=0

# What the two kinds of request have in common.
common='
  def text: {stringValue: .};
  def attributes: to_entries | map(select(.value != "") | {key, value: (.value | text)});
  def resource($service): {attributes: ({"service.name": $service, "host.name": $host, "host.id": $id} | attributes)};
  def scope: {name: "corefab"};'

# From lines of `journalctl -o json`: how many new ones there are, with the cursor of the last, and a request. A value of
# the journal is text, or the numbers of its bytes where it is not text that can be printed; several values of one name
# are a list; what is too long to be shown is null.
lines='
  def hex: "0123456789abcdef" as $digits | (. / 16 | floor) as $high | (. % 16) as $low
    | "\\x\($digits[$high:$high + 1])\($digits[$low:$low + 1])" | explode;
  # UTF-8, and what is none as \xNN. While a letter of several bytes is read, the next one begins at . - 0.5.
  def more: . != null and . >= 128 and . < 192;
  def bytes: . as $all | if all(.[]; . > 0 and . < 128) then implode else
    [foreach range(length) as $at (0;
      floor as $next | $all[$at] as $one | $all[$at + 1] as $two
      | if $at < $next then $next + 0.5
        elif $one < 194 or $one > 244 or ($two | more | not) then $at + 1
        elif $one < 224 then $at + 2
        elif ($all[$at + 2] | more | not) or ($one == 224 and $two < 160) or ($one == 237 and $two > 159) then $at + 1
        elif $one < 240 then $at + 3
        elif ($all[$at + 3] | more | not) or ($one == 240 and $two < 144) or ($one == 244 and $two > 143) then $at + 1
        else $at + 4 end;
      if . > floor then empty else (. - $at) as $width | $all[$at] as $one
        | if $width == 1 then if $one > 0 and $one < 128 then $one else $one | hex[] end
          elif $width == 2 then $one * 64 + $all[$at + 1] - 12416
          elif $width == 3 then ($one * 64 + $all[$at + 1]) * 64 + $all[$at + 2] - 925824
          else (($one * 64 + $all[$at + 1]) * 64 + $all[$at + 2]) * 64 + $all[$at + 3] - 63447168 end
      end)] | implode end;
  def plain: if type == "string" then . elif type != "array" then ""
    elif all(.[]; type == "number") then bytes else map(plain) | join("\n") end;
  def short: plain | .[:256];
  def number: reduce explode[] as $one (0; . * 16 + $one - (if $one < 58 then 48 else 87 end));
  def parts: split(";") | map({key: .[:1], value: .[2:]}) | from_entries;
  def place: .[index(";b="):];
  def uid: parts | "\(.s)-\(.i)";
  def unit: if ._PID == "1" and .UNIT then .UNIT else ._SYSTEMD_UNIT end | short;
  def slot: capture("^(?<app>.+)-(?<slot>blue|green)\\.service$") // {};
  def service: unit as $unit | ($unit | slot | .app) // (if ._TRANSPORT == "kernel" then "kernel"
    elif $unit != "" then $unit | sub("\\.service$"; "") else .SYSLOG_IDENTIFIER | short end)
    | if . == "" then "journal" else . end;
  def record($at; $level; $body; $own): {
    timeUnixNano: "\($at)000", observedTimeUnixNano: "\($at)000",
    severityNumber: [21, 19, 18, 17, 13, 10, 9, 5][$level],
    severityText: ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"][$level],
    body: ($body | text), attributes: ($own | attributes)};
  def line: (.PRIORITY | plain | if test("^[0-7]$") then tonumber else 6 end) as $level
    | (if $how == "large" then "(a line of more than \($most_bytes) bytes, which is not sent)"
        else .MESSAGE | plain | if length > $most_letters then "\(.[:$most_letters])… (cut)" else . end end) as $body
    | record(.__REALTIME_TIMESTAMP; $level; $body; {"log.record.uid": (.__CURSOR | uid), "systemd.unit": unit,
        "corefab.slot": ((unit | slot | .slot) // ""), "syslog.identifier": (.SYSLOG_IDENTIFIER | short),
        "process.executable.name": (._COMM | short), "process.pid": (._PID | short),
        "container.name": (.CONTAINER_NAME | short)});
  def refused: record(.__REALTIME_TIMESTAMP; 4; "(a line that the endpoint refused: HTTP \($status))";
    {"log.record.uid": (.__CURSOR | uid)});
  def gap($missing): record(.__REALTIME_TIMESTAMP; 4; "\($missing) lines are missing here: the journal had them no more";
    {"log.record.uid": "gap-\(.__CURSOR | uid)"});
  [inputs] as $all
  | ($cursor | test(";b=")) as $known
  | ($known and $all != [] and ($all[0].__CURSOR | place) == ($cursor | place)) as $there
  | (if $there then $all[1:] else $all end | .[:$most]) as $new
  | if $new == [] then "0 \(if $cut then "large" else "none" end)" else
      (if $there or $cursor == "" or $option == "after-cursor" then 0 elif $known then
          ($cursor | parts) as $last | ($new[0].__CURSOR | parts) as $first
          | if $last.s != $first.s or ($first.i | number) <= ($last.i | number) then "some"
            else ($first.i | number) - ($last.i | number) - 1 end
        else "some" end) as $missing
      | [(if $missing == 0 then empty else {service: "corefab", record: ($new[0] | gap($missing))} end),
          ($new[] | if $how == "refused" then {service: "corefab", record: refused} else {service: service, record: line} end)]
      | group_by(.service) | map({resource: resource(.[0].service), scopeLogs: [{scope: scope, logRecords: map(.record)}]})
      | "\($new | length) \($new[-1].__CURSOR)", ({resourceLogs: .} | tojson) end'

# The text of metrics: in, when it was written and since when each value is counted; out, a request. A value that is
# less than the one before is counted from there on.
points='
  def unescaped: gsub("\\\\(?<one>.)"; if .one == "n" then "\n" else .one end);
  def labels: [scan("([a-zA-Z_][a-zA-Z0-9_]*)=\"((?:[^\"\\\\]|\\\\.)*)\"") | {key: .[0], value: (.[1] | unescaped)}]
    | from_entries | attributes;
  def value: if . == "NaN" then . elif test("Inf$") then if .[:1] == "-" then "-Infinity" else "Infinity" end
    else tonumber end;
  def unit: if test("_seconds(_total)?$") then "s" elif test("_bytes(_total)?$") then "By" else "" end;
  # A part of a histogram or summary is a value of its own.
  def kind($types): . as $name | $types[$name] // ($types[$name | sub("_(bucket|count|sum)$"; "")] as $whole
    | if ($whole == "histogram" or $whole == "summary") and test("_(bucket|count)$") then "counter" else "gauge" end);
  [inputs] as $read
  | ([$read[] | capture("^# TYPE (?<key>[^ ]+) (?<value>[a-z]+)$")] | from_entries) as $types
  | ([$read[] | capture("^# HELP (?<key>[^ ]+) (?<value>.*)$")] | from_entries) as $about
  | [$read[] | capture("^(?<name>[a-zA-Z_][a-zA-Z0-9_]*)(?<labels>\\{.*\\})? (?<value>[^ ]+)$")] as $samples
  | ([$samples[] | select(.name == "corefab_boot_timestamp_seconds").value][0] // "0") as $boot
  | ([$samples[] | select(.name == "corefab_metrics_timestamp_seconds").value][0] // "0") as $at
  | (reduce ($samples[] | select(.name | kind($types) == "counter")) as $one ({};
      ($one.name + ($one.labels // "")) as $key | $since[0][$key] as $before
      | .[$key] = {value: ($one.value | value), at: $at, since: (
          if $one.name | test("^corefab_(cpu|pressure)_") then $boot
          elif $before == null then $at
          elif ($one.value | value) < $before.value then $before.at
          else $before.since end)})) as $counted
  | ($samples | group_by(.name) | map(.[0].name as $name | ($name | kind($types)) as $kind
      | map({attributes: (.labels // "" | labels), timeUnixNano: "\($at)000000000", asDouble: (.value | value)}
          + (if $kind != "counter" then {} else
              {startTimeUnixNano: "\($counted[.name + (.labels // "")].since)000000000"} end)) as $values
      | {name: $name, description: ($about[$name] // "" | unescaped), unit: ($name | unit)} + (
          if $kind == "counter" then {sum: {aggregationTemporality: 2, isMonotonic: true, dataPoints: $values}}
          else {gauge: {dataPoints: $values}} end))) as $every
  | $at, ($counted | tojson), ({resourceMetrics: [{resource: resource("corefab"),
      scopeMetrics: [{scope: scope, metrics: $every}]}]} | tojson)'

# tell SIGNAL STATE TEXT: write to the journal what is wrong, once; and that it is right again.
tell() {
  if [ "${told[$1]:-}" = "$2" ]; then return; fi
  told[$1]=$2
  if [ -n "$2" ]; then
    printf '<4>%s: not sent to %s: %s\n' "$1" "$endpoint" "$3" >&2
  else
    printf '<6>%s: sent to %s again\n' "$1" "$endpoint" >&2
  fi
}

# read_headers: open the credential, NAME=VALUE,… as OpenTelemetry writes headers, unless it was opened before.
read_headers() {
  local sealed=/var/lib/$app/current/credentials/otlp_headers key text pair name value pairs=()
  [ -n "$app" ] || return 0
  key=$(stat -L -c %d:%i:%Z "$sealed" 2>/dev/null) || return
  [ "$key" != "$opened" ] || return 0
  text=$(decrypted otlp_headers "$sealed") || return
  headers=
  mapfile -t -d , pairs < <(printf '%s' "$text")
  for pair in "${pairs[@]}"; do
    name=${pair%%=*} value=${pair#*=}
    name=${name# } value=${value//\\/\\\\}
    printf -v value '%b' "${value//%/\\x}"
    if ! [[ $pair =~ ^[^=]+=([^%]|%[0-9A-Fa-f]{2})*$ ]] || ! [[ $name =~ ^[A-Za-z0-9_-]+$ ]] || [[ $value == *[!\ -~]* ]]; then
      return 2
    fi
    headers+="$name: $value"$'\n'
  done
  opened=$key
}

# post SIGNAL: send the request; set `status` to what the endpoint answered, 000 for nothing, `answer` to that in words,
# and `asked` to the seconds that it wants to be left alone. The headers go by standard input.
post() {
  local wrong=0 last said words=(
    --disable --silent --show-error --proto '=http,https' --connect-timeout 10 --max-time 30
    --header @- --header 'Content-Type: application/json' --header 'Expect:' --data-binary "@$work/request"
    --write-out '%{stderr}\n%{http_code} %header{retry-after}\n'
  )
  status=000 asked=
  read_headers || wrong=$?
  if [ $wrong -ne 0 ]; then
    status=$wrong answer="credential otlp_headers of $app cannot be decrypted on this node: run \`fab creds-seal\`"
    if [ $wrong -eq 2 ]; then answer='credential otlp_headers is not NAME=VALUE,…: correct OTLP_HEADERS'; fi
    return 1
  fi
  if [ -e "$own/root.crt" ]; then words+=(--cacert "$own/root.crt"); fi
  { printf '%s' "$headers" | curl "${words[@]}" "$endpoint/v1/$1" 2>"$work/said" || true; } \
    | head -c 65536 >"$work/answer" || true
  last=$(tail -n 1 "$work/said" | head -c 4096)
  if [[ $last =~ ^([0-9]{3})\ ([0-9]{0,4}) ]]; then status=${BASH_REMATCH[1]} asked=${BASH_REMATCH[2]}; fi
  said=$work/answer
  if [ "$status" = 000 ]; then said=$work/said; fi
  answer="HTTP $status $(head -c 300 "$said" | tr -c '[:print:]' ' ')"
  case $status in
    2??)
      if [ -z "${told[part of $1]:-}" ] && [[ $answer =~ \"rejected[A-Za-z]+\":\ *\"?[1-9] ]]; then
        tell "part of $1" partial "$answer"
      fi
      return
      ;;
    401 | 403) opened= ;;
  esac
  return 1
}

# convert HOW MOST: make a request of what was read of the journal; set `found` and `last`.
convert() {
  { read -r found last && cat >"$work/request"; } < <(
    jq -nr --argjson cut "$cut" --arg cursor "$cursor" --arg how "$1" --argjson most "$2" --arg option "$option" \
      --arg status "$status" --arg host "$host" --arg id "$id" --argjson most_bytes $most_bytes \
      --argjson most_letters $most_letters "$common$lines" "$work/lines")
}

# read_lines MOST FIELDS [OPTION]: read up to so many lines after the one that was sent last, and that one too: if it is
# not there, lines are missing. With `option` after-cursor read it not. A last line that is `cut` is left out.
read_lines() {
  local from=--$option=$cursor
  # At first, and where the note is damaged, as after a power cut.
  if ! [[ $cursor =~ $cursor_like ]]; then from=--since=@$(stat -c %Y "$state"); fi
  { journalctl -q -o json --no-pager "${@:3}" --output-fields="$2" "$from" 2>/dev/null || true; } \
    | head -c $most_bytes | head -n $(($1 + 1)) >"$work/lines" || true
  cut=false
  if [ -n "$(tail -c 1 "$work/lines")" ]; then
    cut=true
    sed -i '$d' "$work/lines"
  fi
}

# changed: test whether the journal may have more than when it was last read to its end, starting no program.
changed() {
  local file
  if [ $((EPOCHSECONDS - looked)) -lt 60 ]; then
    for file in /var/log/journal/*/*.journal /run/log/journal/*/*.journal; do
      if [ "$file" -nt "$work/looked" ]; then break; fi
      file=
    done
    [ -n "${file:-}" ] || return
  fi
  echo >"$work/looked"
  looked=$EPOCHSECONDS
}

# send_logs: send what the journal has got since.
send_logs() {
  local cursor='' found=0 last='' most=$most_lines how option cut until=$((EPOCHSECONDS + run_seconds))
  if ! changed; then return 0; fi
  if [ -n "$noted" ]; then
    cursor=$noted
  elif ! [ -e "$state" ]; then
    # However long it takes until these are sent.
    echo start >"$state"
    touch -d "@$((EPOCHSECONDS - first_seconds))" "$state"
  else
    cursor=$(head -c 1024 "$state" | tr -d '\0')
    if [ "$cursor" = start ]; then
      cursor=
    elif ! [[ $cursor =~ $cursor_like ]]; then
      cursor=lost
    fi
  fi
  while [ "$EPOCHSECONDS" -lt $until ] && [ -z "$ending" ]; do
    how=whole option=cursor
    read_lines "$most" "$fields" --all
    convert $how "$most" || return
    # The first line is as large as all that is read at once: the one that was sent, or the next.
    if [ "$found $last" = '0 large' ] && [[ $cursor =~ $cursor_like ]]; then
      option=after-cursor
      read_lines "$most" "$fields" --all
      convert $how "$most" || return
    fi
    if [ "$found $last" = '0 large' ]; then
      how=large option=cursor
      read_lines 1 "${fields#MESSAGE,}"
      convert $how 1 || return
    fi
    [ "$found" -gt 0 ] || return 0
    if ! post logs; then
      case $status in 400 | 413 | 422) ;; *) return 1 ;; esac
      # There is one that it does not take, or they are too many.
      if [ "$found" -gt 1 ]; then
        most=$((found / 2))
        continue
      fi
      convert refused 1
      post logs || return
      printf '<4>a line of the journal was refused by %s: it was sent without its text\n' "$endpoint" >&2
    fi
    # Where the disk is full this process knows it all the same.
    cursor=$last noted=$last
    { printf '%s\n' "$cursor" >"$state.new" && sync "$state.new" && mv -fT "$state.new" "$state"; } 2>/dev/null || true
    if [ $how = whole ] && [ "$found" -lt "$most" ] && [ "$cut" = false ]; then return; fi
    most=$((most * 2 < most_lines ? most * 2 : most_lines))
  done
  looked=0
}

# send_metrics: send what metrics.sh wrote last, unless it was sent.
send_metrics() {
  local at counted
  [ -e "$metrics" ] || return 0
  [ -e "$work/counted" ] || echo '{}' >"$work/counted"
  { read -r at && read -r counted && cat >"$work/request"; } < <(head -c 4194304 "$metrics" \
    | jq -Rnr --slurpfile since "$work/counted" --arg host "$host" --arg id "$id" "$common$points") || return
  if [ "$at" = "${measured:-}" ]; then return; fi
  printf '%s\n' "$counted" >"$work/counted"
  post metrics || return
  measured=$at
}

send() {
  case $1 in
    logs) send_logs ;;
    metrics) send_metrics ;;
  esac
}

# due SIGNAL EVERY: send a signal if it is time; after a failure later and later.
due() {
  local wait=$2
  [[ " $sends " == *" $1 "* ]] && [ "$EPOCHSECONDS" -ge "${again[$1]:-0}" ] || return 0
  status='' answer='' asked=''
  if send "$1"; then
    well[$1]=$EPOCHSECONDS waits[$1]=0
    tell "$1" '' ''
  else
    looked=0
    tell "$1" "${status:-unread}" "${answer:-they cannot be read}"
    wait=$((${waits[$1]:-0} * 2 > $2 ? ${waits[$1]:-0} * 2 : $2))
    if [ $wait -gt $longest_wait ]; then wait=$longest_wait; fi
    waits[$1]=$wait
    if [ -n "$asked" ] && [ "$asked" -gt $wait ]; then wait=$asked; fi
    failed=yes
  fi
  again[$1]=$((EPOCHSECONDS + wait))
}

# note: add to the metrics, once a minute, when each signal was last sent whole.
note() {
  local signal text='# HELP corefab_otlp_timestamp_seconds When all that there was had been sent.'
  text+=$'\n''# TYPE corefab_otlp_timestamp_seconds gauge'
  for signal in "${!well[@]}"; do text+=$'\n'"corefab_otlp_timestamp_seconds{signal=\"$signal\"} ${well[$signal]}"; done
  if ! [ -d "$more" ] || [ "$EPOCHSECONDS" -lt "$note_at" ]; then return; fi
  note_at=$((EPOCHSECONDS + 60))
  printf '%s\n' "$text" >"$more/.otlp"
  mv -fT "$more/.otlp" "$more/otlp.prom"
}

install -d -m 0711 /run/corefab
install -d -m 0700 "$work" "${state%/*}"
host=$(</proc/sys/kernel/hostname)
# The machine's id itself is not for others.
id=$(sha256sum /etc/machine-id 2>/dev/null | head -c 32)
failed=
if [ -z "${1:-}" ]; then
  due logs 0
  due metrics 0
  note
  [ -z "$failed" ] || exit 1
  exit
fi
# What is being sent when this is told to end is sent, and noted.
trap 'ending=yes' TERM
# Nothing ever comes from here: waiting starts no program.
exec 8<> <(:)
while [ -z "$ending" ]; do
  due logs "$1"
  due metrics $metrics_seconds
  note
  [ -n "$ending" ] || read -rt "$1" -u 8 || true
done
