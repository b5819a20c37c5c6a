# access-drop USER KEEP: remove the keys on stdin (base64, one a line) from every authorized_keys file
# of the user, those of Ignition too. Refused unless the key KEEP (base64; empty: any other key) stays
# authorized. Prints the number of lines removed.
# shellcheck shell=bash
user=$1 keep=$2
one_at_a_time access
home=$(home_folder "$user")
mapfile -t gone
[ ${#gone[@]} -gt 0 ] || fail "no key to remove was given"

keys=$(printf '%s\n' "${gone[@]}")
declare -A content
left() { grep -vF -- "$keys" <<<"${content[$1]}" || true; }

mapfile -d "" -t files < <(as_owner "$home/.ssh/authorized_keys.d/" find "$home/.ssh/authorized_keys" \
  "$home/.ssh/authorized_keys.d" -maxdepth 1 -type f -not -name '.*' -print0 </dev/null 2>/dev/null || true)
for file in "${files[@]}"; do
  content[$file]=$(read_place "$file") || fail "$file cannot be read; nothing was removed"
done
others=$(for file in "${files[@]}"; do left "$file"; done | grep -v '^cert-authority' \
  | grep -E '(^| )(sk-)?(ssh|ecdsa)-[^ ]+ AAAA' || true)
[ -n "$others" ] || fail "no other key would be left; nothing was removed"
if [ -n "$keep" ] && ! grep -qF -- "$keep" <<<"$others"; then
  fail "the key to keep is not authorized; nothing was removed"
fi
count=0
for file in "${files[@]}"; do
  went=$(grep -cF -- "$keys" <<<"${content[$file]}" || true)
  [ "$went" -gt 0 ] || continue
  count=$((count + went))
  rest=$(left "$file")
  if [ -n "$rest" ]; then
    printf '%s\n' "$rest" | put_place file "$file" 0600 "$user:$(id -gn "$user")"
  else
    put_place remove "$file"
  fi
done
printf '%s\n' "$count"
