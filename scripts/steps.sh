# shellcheck shell=bash
# Sourced by demo, demo-install and demo-pull: a throwaway copy of the project, and steps in it with their
# times. Names hold this process's id, so that demos of several checkouts can run at once.
set -euo pipefail
set -m # a step is a process group of its own: it is interrupted once, by us

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
site=shop.example.org
image=localhost/corefab-demo-$$:latest
images=("$image") # removed in the end
began=${EPOCHREALTIME//[!0-9]/}
summary=()
step=

# Makes the copy with a key pair and passwords of its own, and enters it.
lay_out() {
  if [ ! -x "$checkout/.venv/bin/fab" ]; then
    echo "$checkout/.venv has no fab: run make setup" >&2
    exit 1
  fi
  folder=$(mktemp -d)
  trap clean_up EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  environment=(
    env -i "HOME=$HOME" "PATH=$checkout/.venv/bin:$PATH" "LANG=${LANG-C.UTF-8}"
    "TERM=${TERM-dumb}" "TMPDIR=${TMPDIR-/tmp}" "XDG_CACHE_HOME=${XDG_CACHE_HOME-}"
    "PROJECT=demo$$" "IMAGE=$image" SSH_KEYS=id.pub IDENTITY_FILE=id
    "AUTHORITY_PASSWORD_COMMAND=cat '$folder/authority_pass'"
    "CERT_PASSWORD_COMMAND=cat '$folder/cert_pass'" "SMTP_PASSWORD_COMMAND=cat '$folder/smtp_pass'"
  )
  "$checkout/scripts/checkout" "$folder"
  cd "$folder"
  ssh-keygen -q -t ed25519 -N '' -C demo -f id
  (umask 077 && for name in authority cert smtp; do base64 <(head -c 24 /dev/urandom) >"${name}_pass"; done)
}

# Shows a command, runs it and notes how long it took; the demo ends where it fails.
run() {
  local start=${EPOCHREALTIME//[!0-9]/}
  printf '\n$ %s\n' "$*"
  if ! quietly "$@"; then
    echo "✗ $* failed: see above" >&2
    exit 1
  fi
  note "$start" "$*"
}

# Runs a command as a step; prints nothing itself and gives back its exit code.
quietly() {
  local code=0
  "${environment[@]}" "$@" </dev/null &
  step=$!
  wait "$step" || code=$?
  step=
  return "$code"
}

# note START SUMMARY: adds a line to the summary.
note() {
  summary+=("$(printf '✓ %6s s  %s' "$(seconds_since "$1")" "$2")")
}

seconds_since() {
  local tenths=$(((${EPOCHREALTIME//[!0-9]/} - $1) / 100000))
  echo "$((tenths / 10)).$((tenths % 10))"
}

# page ADDRESS [TEXT [SITE [OPTION...]]]: fetches the page of a site, NAME or NAME:PORT, with the project's own
# authority and these options of curl; it has to say TEXT.
page() {
  local address=$1 text=${2-} at=${3-$site} heading port
  port=${at#*:}
  if [ "$port" = "$at" ]; then port=443; fi
  run curl -q -sSf --max-time 10 --output page.html --cacert certs/material/authority/ca.crt \
    "${@:4}" --resolve "${at%:*}:$port:$address" "https://$at/"
  heading=$(sed -n 's:.*<h2>\(.*\)</h2>.*:\1:p' page.html | tail -n 1)
  if [[ $heading != *"$text"* ]]; then
    echo "✗ https://$at/ says: $heading; expected: $text" >&2
    exit 1
  fi
  summary[-1]=${summary[-1]%%curl*}"https://$at/ says: $heading${4:+ ($4)}"
  echo "✓ https://$at/ says: $heading"
}

# Removes all that the demo started, whatever its end; shows the summary if it was a good one.
clean_up() {
  local code=$? start
  trap '' HUP INT TERM
  set +e
  if [ -n "$step" ]; then
    kill -INT -- "-$step"
    wait "$step"
  fi
  if [ -e .env ]; then
    start=${EPOCHREALTIME//[!0-9]/}
    printf '\n$ fab rehearsal-down\n'
    quietly fab rehearsal-down && note "$start" 'fab rehearsal-down' || code=1
  fi
  quietly podman rmi --ignore "${images[@]}" >/dev/null || code=1
  cd / && rm -rf "$folder"
  if [ "$code" = 0 ]; then
    printf '\nWhat happened\n'
    printf '%s\n' "${summary[@]}"
    printf '\nAll of it in %s s, and all it started is removed.\n' "$(seconds_since "$began")"
  fi
  exit "$code"
}
