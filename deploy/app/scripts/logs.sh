# logs APP LINES [RELEASE]: print the last lines that a release's container and unit wrote; by default,
# those of the release that serves.
# shellcheck shell=bash
app=$1 lines=$2 release=${3:-}
home=$(home_of "$app")
if [ -z "$release" ]; then release=$(current_of "$app"); fi
[ -n "$release" ] || fail "nothing of $app is deployed"
[ -d "$home/releases/$release" ] || fail "release $release is not on this node"
[ -e "$home/releases/$release/ran" ] || fail "release $release was never started"
{
  read -r slot since
  read -r until || until=
} <"$home/releases/$release/ran"
# Leave out podman's events, each of which repeats every label of the image, and conmon's warnings. Bytes
# that are not text are written in octal, for printf; some versions of conmon add a line end. Conmon writes
# a line in parts if it is long, or was written so; what has no end yet is shown at 64 KiB, and at the end.
journalctl --quiet --no-pager --all --output=json \
  --output-fields=MESSAGE,PRIORITY,_COMM,PODMAN_EVENT,CONTAINER_NAME,CONTAINER_PARTIAL_MESSAGE \
  --unit="$app-$slot.service" --since="@$since" ${until:+--until="@$((until + 1))"} \
  | jq -nr 'def text: if type == "array"
      then (map("\\0\(. / 64 | floor)\(. / 8 % 8 | floor)\(. % 8)") | add // "") | sub("\\\\0012$"; "")
      else sub("\n$"; "") | gsub("\\\\"; "\\\\") end;
    foreach (inputs, null) as $one ({parts: {}};
      if $one == null then .lines = [.parts[] | select(. != "")]
      elif $one.MESSAGE == null or $one.PODMAN_EVENT != null
        or ($one.CONTAINER_NAME == null and ($one._COMM | IN("podman", "conmon"))
        and ($one._COMM == "conmon" or ($one.MESSAGE | tostring | startswith("Error") | not)))
      then .lines = []
      else "\($one.CONTAINER_NAME) \($one.PRIORITY)" as $from
        | ((.parts[$from] // "") + ($one.MESSAGE | text)) as $line
        | if $one.CONTAINER_PARTIAL_MESSAGE == "true" and ($line | length) < 65536
          then .parts[$from] = $line | .lines = []
          else .parts[$from] = "" | .lines = [$line] end
      end; .lines[])' \
  | tail -n "$lines" | while IFS= read -r line; do printf '%b\n' "$line"; done
