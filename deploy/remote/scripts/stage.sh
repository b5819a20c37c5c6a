# stage APP RELEASE PREVIOUS: take a release's files from stdin (tar) into its folder, after the
# node's own Quadlet generator has accepted its units. Nothing that serves is touched.
# shellcheck shell=bash
app=$1 release=$2 previous=$3
one_at_a_time "$app"
home=$(home_of "$app")
found=$(current_of "$app")
[ "$found" = "$previous" ] \
  || fail "the release on this node is ${found:-none}, not ${previous:-none}: somebody deployed meanwhile"

install -d -m 0755 "$home" "$home/releases"
staged=$home/releases/$release
install -d -m 0755 "$staged.new"
tar -x -f - -C "$staged.new" --no-same-owner
install -d -m 0755 "$staged.new/files"
install -d -m 0700 "$staged.new/credentials"

generator=/usr/lib/systemd/system-generators/podman-system-generator
said=$(QUADLET_UNIT_DIRS="$staged.new/root/etc/containers/systemd" "$generator" --dryrun 2>&1 >/dev/null) \
  && accepted=yes || accepted=no
complaints=$(grep -iE 'error|unsupported|converting|invalid' <<<"$said" || true)
if [ "$accepted" = no ] || [ -n "$complaints" ]; then
  rm -rf "$staged.new"
  fail "the Quadlet generator of this node refuses the units:
${complaints:-$said}"
fi

for path in "/etc/credstore.encrypted/$app."*; do
  [ -e "$path" ] && cp -p "$path" "$staged.new/credentials/${path#"/etc/credstore.encrypted/$app."}"
done
jq -cn --arg release "$release" --arg previous "$previous" \
  '{release: $release, previous: $previous}' >"$home/deploying.new"
mv -fT "$home/deploying.new" "$home/deploying"
mv -T "$staged.new" "$staged"
label "$home"
