# certificate-undo APP RELEASE SIGNAL: put the previous certificate back, if one was swapped.
# shellcheck shell=bash
app=$1 release=$2 signal=$3
one_at_a_time "$app"
folder=$(home_of "$app")/releases/$release
if [ -d "$folder/before" ]; then
  install_certificate "$app" "$folder" "$folder/before"
  load_certificate "$app" "$signal"
fi
rm -rf "$folder/next" "$folder/before" "$folder/before.new"
