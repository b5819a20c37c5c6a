# receipts-keep APP: keep the receipts that are sent as a tar on stdin; those of the same names are replaced.
# shellcheck shell=bash
app=$1
one_at_a_time "$app"
home=$(home_of "$app")
[ -d "$home/releases" ] || fail "$app is not on this node"
rm -rf "$home/receipts.new"
install -d -m 0755 "$home/receipts" "$home/receipts.new"
tar -x -f - -C "$home/receipts.new" --no-same-owner
label "$home/receipts" "$home/receipts.new"
# The signatures first: a receipt without one would count as changed.
find "$home/receipts.new" -type f -name '*.sig' -exec mv -ft "$home/receipts" {} +
find "$home/receipts.new" -type f -exec mv -ft "$home/receipts" {} +
rm -rf "$home/receipts.new"
