# access-drop USER: remove lines from every authorized_keys file of the user, those of Ignition too. On
# stdin JSON: `drop`, the lines; `keep`, lines of which one has to be left, or nothing is removed. Prints
# the number of lines removed.
# shellcheck shell=bash disable=SC2016
user=$1
one_at_a_time access
home=$(home_folder "$user")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/asked"

# lines PROGRAM [FILE]: run a program of jq on the lines of a file, with $drop and $keep.
lines() {
  jq -Rrs --slurpfile asked "$work/asked" \
    '($asked[0] | .drop) as $drop | ($asked[0] | .keep) as $keep | split("\n") | '"$1" "$2"
}

mapfile -d "" -t files < <(as_owner "$home/.ssh/authorized_keys.d/" find "$home/.ssh/authorized_keys" \
  "$home/.ssh/authorized_keys2" "$home/.ssh/authorized_keys.d/" -maxdepth 1 -xtype f -readable \
  -not -name '.*' -print0 </dev/null 2>/dev/null || true)
left=0
for at in "${!files[@]}"; do
  read_place "${files[at]}" >"$work/$at" || fail "${files[at]} cannot be read; nothing was removed"
  left=$((left + $(lines 'map(select(IN($keep[]))) - $drop | length' "$work/$at")))
done
[ "$left" -gt 0 ] || fail "none of the keys to keep is authorized any more; nothing was removed"
count=0
for at in "${!files[@]}"; do
  file=${files[at]}
  mapfile -t gone < <(lines 'to_entries[] | select(.value | IN($drop[])) | .key + 1' "$work/$at")
  [ ${#gone[@]} -gt 0 ] || continue
  count=$((count + ${#gone[@]}))
  sed "$(printf '%sd;' "${gone[@]}")" "$work/$at" >"$work/rest"
  if grep -q '[^[:space:]]' "$work/rest"; then
    put_place file "$file" 0600 "$user:$(id -gn "$user")" <"$work/rest"
  else
    put_place remove "$file"
  fi
done
printf '%s\n' "$count"
