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
# that are not text are written in octal, for printf; some versions of conmon add a line end.
journalctl --quiet --no-pager --all --output=json --output-fields=MESSAGE,_COMM,CONTAINER_NAME \
  --unit="$app-$slot.service" --since="@$since" ${until:+--until="@$((until + 1))"} \
  | jq -r '.CONTAINER_NAME as $container
    | select($container or (._COMM | IN("podman", "conmon") | not)
      or (._COMM == "podman" and (.MESSAGE | strings | startswith("Error"))))
    | .MESSAGE | values | if type == "array"
      then map("\\0\(. / 64 | floor)\(. / 8 % 8 | floor)\(. % 8)") | add | sub("\\\\0012$"; "")
      else sub("\n$"; "") | gsub("\\\\"; "\\\\") end' \
  | tail -n "$lines" | while IFS= read -r line; do printf '%b\n' "$line"; done
