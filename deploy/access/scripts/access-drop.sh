# access-drop USER KEEP: remove the keys on stdin (base64, one a line) from every authorized_keys file
# of the user, those of Ignition too. Refused unless the key KEEP (base64; empty: any other key) stays
# authorized. Prints the number of lines removed.
# shellcheck shell=bash
user=$1 keep=$2
one_at_a_time access
home=$(getent passwd "$user" | cut -d : -f 6)
[ -n "$home" ] || fail "user $user does not exist on this node"
mapfile -t gone
[ ${#gone[@]} -gt 0 ] || fail "no key to remove was given"
group=$(id -g "$user")

keys=$(printf '%s\n' "${gone[@]}")
left() { grep -vF -- "$keys" "$1" || true; }

mapfile -t files < <(find "$home/.ssh/authorized_keys" "$home/.ssh/authorized_keys.d" -maxdepth 1 \
  -type f -not -name '.*' 2>/dev/null || true)
others=$(for file in "${files[@]}"; do left "$file"; done | grep -v '^cert-authority' \
  | grep -E '(^| )(sk-)?(ssh|ecdsa)-[^ ]+ AAAA' || true)
[ -n "$others" ] || fail "no other key would be left; nothing was removed"
if [ -n "$keep" ] && ! grep -qF -- "$keep" <<<"$others"; then
  fail "the key to keep is not authorized; nothing was removed"
fi
count=0
for file in "${files[@]}"; do
  went=$(grep -cF -- "$keys" "$file" || true)
  [ "$went" -gt 0 ] || continue
  count=$((count + went))
  beside=$(dirname "$file")/.${file##*/}.corefab
  install -m 0600 -o "$user" -g "$group" /dev/null "$beside"
  left "$file" >"$beside"
  if [ -s "$beside" ]; then
    sync "$beside"
    label "$beside"
    mv -fT "$beside" "$file"
  else
    rm -f "$file" "$beside"
  fi
done
printf '%s\n' "$count"
