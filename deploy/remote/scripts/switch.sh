# switch APP RELEASE: make a staged release the one that serves.
# shellcheck shell=bash
app=$1 release=$2
one_at_a_time "$app"
touch "$(home_of "$app")/switching"
install_release "$app" "$release"
restart_app "$app"
