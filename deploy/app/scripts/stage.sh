# stage APP RELEASE PREVIOUS CREDENTIAL...: unpack a release's files (tar on stdin) into its folder,
# once the node's own Quadlet generator and systemd-analyze accept its units. What serves is untouched.
# shellcheck shell=bash
app=$1 release=$2 previous=$3
one_at_a_time "$app"
shift 3
home=$(home_of "$app")
refuse_another "$app" "$previous"

install -d -m 0755 "$home" "$home/releases"
rm -rf "$home"/releases/*.new
mark_deploying "$app" "$release" "$previous"
staged=$home/releases/$release
install -d -m 0755 "$staged.new"
tar -x -f - -C "$staged.new" --numeric-owner
install -d -m 0755 "$staged.new/files"
install -d -m 0700 "$staged.new/credentials"

refused=$(refused_units "$staged.new/root" "/run/corefab/$app.units" "$app")
if [ -n "$refused" ]; then
  rm -rf "$staged.new"
  fail "$refused"
fi

# With two front doors at one port, chance decides which of them leads.
for other in /etc/corefab/firewall.d/*.nft; do
  name=$(basename "$other" .nft)
  if [ "$name" = "$app" ] || [ ! -e "$(home_of "$name")/current/manifest.json" ]; then continue; fi
  taken=$(comm -12 <(sed -n 's/^add element inet corefab tcp_ports { \(.*\) }/\1/p' "$other" | sort) \
    <(sed -n 's/^add element inet corefab tcp_ports { \(.*\) }/\1/p' \
      "$staged.new/root/etc/corefab/firewall.d/$app.nft" | sort) | head -n 1)
  [ -z "$taken" ] || fail "port $taken of this node is $name's: give one of the two another port"
done
if [ -e "$staged.new/root/etc/corefab/routes/$app.caddy" ]; then
  [ -e /etc/corefab/proxy/proxy.sh ] || fail "this node has no proxy; run \`fab proxy-deploy\`"
  bash /etc/corefab/proxy/proxy.sh claim "$app" "$staged.new"
fi

# In releases of an older corefab every user of the node can read the key file.
container=root/etc/containers/systemd/$app-blue.container
for old in "$home"/releases/*/; do
  if [ -e "$old/tls/server.key.enc" ] && [ -e "$staged.new/tls/server.key.enc" ] && [ "$(stat -c %a "$old/tls/server.key.enc")" != 400 ] \
    && cmp -s <(grep ^User= "$old/$container") <(grep ^User= "$staged.new/$container"); then
    chown --reference="$staged.new/tls/server.key.enc" "$old/tls/server.key.enc"
    chmod 0400 "$old/tls/server.key.enc"
  fi
done

# Keep the sealed credentials that the release still has; those that changed are sealed again later.
for name in "$@"; do
  path=$home/current/credentials/$name
  if [ -e "$path" ]; then cp -p "$path" "$staged.new/credentials/$name"; fi
done
label "$staged.new"
sync "$staged.new/manifest.json"
mv -T "$staged.new" "$staged"
