# texts APP LARGEST: print the contents of files, for the diffs of a plan. Stdin has a path a line: a
# project file of the release that serves, or an absolute path. The answer has a line for each: the
# content in base64, or `-` for a file that is missing, not regular, or larger than LARGEST bytes.
# shellcheck shell=bash
app=$1 largest=$2
files=$(home_of "$app")/current/files
while IFS= read -r path; do
  case $path in /*) file=$path ;; *) file=$files/$path ;; esac
  if [ -f "$file" ] && [ ! -L "$file" ] && [ "$(stat -c %s "$file")" -le "$largest" ]; then
    base64 -w 0 "$file"
    echo
  else
    echo -
  fi
done
