# texts APP LARGEST: the contents of files that a plan shows the difference of. On stdin a line a
# file: a path of a project file of the serving release, or an absolute path of a host file. The
# answer has a line for each: the content in base64, or `-` for one that is missing, larger than
# LARGEST bytes, or no regular file.
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
