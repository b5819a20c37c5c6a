# lock APP HOLDER: hold the app's lock for as long as this connection lives. HOLDER is JSON.
# shellcheck shell=bash
app=$1 holder=$2
install -d -m 0755 /run/corefab
exec 9<>"/run/corefab/$app.lock"
# A holder whose connection was just cut may need a moment to notice.
if ! flock -w 5 9; then
  cat "/run/corefab/$app.lock" >&2
  exit 75
fi
printf '%s\n' "$holder" >"/run/corefab/$app.lock"
echo held
# Ends when the other end of the connection goes away.
cat >/dev/null
