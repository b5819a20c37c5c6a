# try-image IMAGE HOST SECONDS: run a container of an image until something in it answers, for SECONDS at most,
# and print as JSON what it does: whether it runs, what it says, where it listens, what answers, what it wrote.
# HOST is what requests name. stdin: JSON with the words for podman, the container's command, and the folders
# that are mounted.
# shellcheck shell=bash
image=$1 host=$2 seconds=$3
name=corefab-try
home=/var/lib/corefab/try
# Where health checks are found; the first is asked for first.
read -ra paths <<<'/ /health /healthz /up /ping /status /api/health'
wanted=$(cat)

# remove: remove the container and all it wrote.
remove() {
  podman rm --force --ignore --volumes --time 0 "$name" >/dev/null 2>&1 || true
  rm -rf "$home"
}

# now: print the time in milliseconds.
now() { echo $((${EPOCHREALTIME//[.,]/} / 1000)); }

# words KEY: print a list of the wish, each word ended by a zero byte.
words() { jq -j --arg key "$1" '.[$key][] + "\u0000"' <<<"$wanted"; }

# listening: print where the container listens.
listening() { nsenter --net --target "$pid" ss -Hltn 2>/dev/null | awk '{ print $4 }' | sort -u | head -n 50; }

# ask SCHEME ADDRESS PORT PATH: print the status of an answer; fails where there is none. SCHEME is https, http, or
# h2c: HTTP/2 without TLS.
ask() {
  local version=
  [ "$1" != h2c ] || version=--http2-prior-knowledge
  nsenter --net --target "$pid" -- curl -sk ${version:+"$version"} --noproxy '*' --max-time 5 -H "Host: $host" -H 'X-Forwarded-Proto: https' \
    -o /dev/null -w '%{http_code}' "${1/h2c/http}://$2:$3$4" | grep -E '^[1-9][0-9]{2}$'
}

# replies: print as JSON what the ports that are listened at answer.
replies() {
  local socket address port scheme path status asked=' '
  while read -r socket; do
    port=${socket##*:}
    case $asked in *" $port "*) continue ;; esac
    asked="$asked$port "
    case ${socket%:*} in
      '*' | 0.0.0.0) address=127.0.0.1 ;;
      '[::]') address='[::1]' ;;
      *) address=${socket%:*} ;;
    esac
    for scheme in https http h2c; do
      ask "$scheme" "$address" "$port" / >/dev/null || continue
      for path in "${paths[@]}"; do
        status=$(ask "$scheme" "$address" "$port" "$path") || continue
        jq -cn --argjson port "$port" --arg scheme "$scheme" --arg path "$path" --argjson status "$status" \
          '{$port, $scheme, $path, $status}'
      done
      break
    done
  done < <(head -n 8 <<<"$1")
}

# written: print as JSON the paths that the container wrote outside of mounts.
written() {
  local upper
  upper=$(podman inspect --format '{{.GraphDriver.Data.UpperDir}}' "$name")
  {
    podman diff --format json "$name" | jq -c '[.added // [], .changed // []] | map(.[:5000])'
    { find "$upper" -mindepth 1 -printf '%y/%P\0' || true; } | head -c 1000000 \
      | jq -Rs 'split("\u0000") | map(select(. != ""))'
  } | jq -cs '
    (.[0][0] | map({key: ., value: true}) | from_entries) as $added
    | (.[0] | add | map({key: ., value: true}) | from_entries) as $all
    | .[1] | map({path: .[1:], folder: startswith("d"), new: ($added[.[1:]] == true)} | select($all[.path]))
    | .[:5000]'
}

remove
trap remove EXIT
mapfile -d '' -t options < <(words options)
mapfile -d '' -t command < <(words command)
mapfile -d '' -t folders < <(words folders)
install -d -m 0711 "$home"
for folder in "${folders[@]}"; do install -d -m 0750 "$home/$folder"; done

began=$(now)
code=0 found='' answers='' running=false wrote=[]
said=$(podman run --detach --name "$name" --pull=never --log-driver=k8s-file --log-opt max-size=1mb \
  "${options[@]}" "$image" "${command[@]}" 2>&1) || code=$?
if [ "$code" -eq 0 ]; then
  pid=$(podman inspect --format '{{.State.Pid}}' "$name")
  until=$((began + seconds * 1000)) since=$began
  while [ "$pid" -gt 0 ] && [ -e "/proc/$pid/ns/net" ]; do
    seen=$(listening)
    if [ "$seen" != "$found" ]; then found=$seen since=$(now); fi
    # An app may open its ports one after the other.
    if [ -n "$found" ] && [ $(($(now) - since)) -ge 1000 ]; then
      answers=$(replies "$found")
      if [ -n "$answers" ]; then break; fi
      since=$(now)
    fi
    if [ "$(now)" -ge "$until" ]; then break; fi
    # Nothing announces that an app listens: polling is the only way.
    sleep 0.1
  done
  running=$(podman inspect --format '{{.State.Running}}' "$name")
  code=$(podman inspect --format '{{.State.ExitCode}}' "$name")
  said=$(podman logs --tail 60 "$name" 2>&1 | tail -c 16000)
fi
took=$(($(now) - began))
if podman container exists "$name"; then wrote=$(written); fi
podman image inspect "$image" | jq -c --argjson running "$running" --argjson code "$code" --argjson took "$took" \
  --arg log "$(tail -c 16000 <<<"$said")" --arg listening "$found" --slurpfile replies <(printf '%s' "$answers") \
  --slurpfile written <(printf '%s' "$wrote") '.[0].Config | {
    $running, exit_code: $code, seconds: ($took / 1000), $log, $replies, written: $written[0],
    listening: ($listening | split("\n") | map(select(. != ""))),
    image: {
      user: (.User // ""), workdir: (.WorkingDir // ""), program: (((.Entrypoint // []) + (.Cmd // []))[0] // ""),
      volumes: (.Volumes // {} | keys[:100]), ports: (.ExposedPorts // {} | keys[:100])
    }
  }'
