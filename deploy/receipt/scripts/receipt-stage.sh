# receipt-stage APP RELEASE: put the receipt of a staged release (tar on stdin) into its folder; `finish` keeps it.
# shellcheck shell=bash
app=$1 release=$2
one_at_a_time "$app"
home=$(home_of "$app")
staged=$home/releases/$release
[ -d "$staged" ] || fail "release $release is not staged"
tar -x -f - -C "$staged" --no-same-owner receipt.json receipt.json.sig
install -d -m 0755 "$home/receipts"
label "$staged/receipt.json" "$staged/receipt.json.sig" "$home/receipts"
sync "$staged/receipt.json" "$staged/receipt.json.sig"
