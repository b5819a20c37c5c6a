# fault APP WORKER FAULT: throw a switch of the sample app, to see it recover.
# shellcheck shell=bash
app=$1 worker=$2 fault=$3
slot=$(serving_slot "$app")
podman exec "$app-$slot" /usr/bin/python3 -m container.sample.app.fault "$worker" "$fault" >&2
