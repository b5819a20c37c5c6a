# access-list USER: the files that let a user in, as JSON: path, age in seconds, lines.
# shellcheck shell=bash
user=$1
home=$(getent passwd "$user" | cut -d : -f 6)
[ -n "$home" ] || fail "there is no user $user on this node"
now=$(date +%s)
for file in "$home/.ssh/authorized_keys" "$home"/.ssh/authorized_keys.d/*; do
  [ -f "$file" ] || continue
  age=$((now - $(stat -c %Y "$file")))
  jq -Rcs --arg path "$file" --argjson age "$age" \
    '{path: $path, age_seconds: $age, lines: split("\n") | map(select(test("\\S")))}' "$file"
done | jq -cs .
