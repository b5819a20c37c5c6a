# fault APP WORKER FAULT: throw a switch of the sample app, to see it recover.
# shellcheck shell=bash
app=$1 worker=$2 fault=$3
podman exec "$app" /usr/bin/python3 -m container.sample.app.fault "$worker" "$fault" >&2
