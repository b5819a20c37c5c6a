# fault APP WORKER FAULT: switch on a fault of the sample app, to watch it recover.
# shellcheck shell=bash
app=$1 worker=$2 fault=$3
slot=$(serving_slot "$app")
in_container "$app-$slot" 30 /usr/bin/python3 -m container.sample.app.fault "$worker" "$fault" >&2
