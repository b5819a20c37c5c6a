# access-drop USER KEEP: take the keys on stdin (in base64, a line each) out of every file that lets
# the user in, those that Ignition wrote as well. KEEP, in base64, has to be let in afterwards; empty
# means that any other key has to be. Says how many lines went.
# shellcheck shell=bash
user=$1 keep=$2
one_at_a_time access
home=$(getent passwd "$user" | cut -d : -f 6)
[ -n "$home" ] || fail "there is no user $user on this node"
mapfile -t gone
[ ${#gone[@]} -gt 0 ] || fail "no key to take out was named"
group=$(id -g "$user")

keys=$(printf '%s\n' "${gone[@]}")
left() { grep -vF -- "$keys" "$1" || true; }

mapfile -t files < <(find "$home/.ssh/authorized_keys" "$home/.ssh/authorized_keys.d" -maxdepth 1 \
  -type f -not -name '.*' 2>/dev/null || true)
others=$(for file in "${files[@]}"; do left "$file"; done | grep -v '^cert-authority' \
  | grep -E '(^| )(sk-)?(ssh|ecdsa)-[^ ]+ AAAA' || true)
[ -n "$others" ] || fail "no other key would be let in; nothing was taken out"
if [ -n "$keep" ] && ! grep -qF -- "$keep" <<<"$others"; then
  fail "the key that is to stay is not let in; nothing was taken out"
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
