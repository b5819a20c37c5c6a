# routes: print the routes of this node's proxy as JSON: app, names, where its requests go, maintenance.
# shellcheck shell=bash disable=SC2016
each() {
  local file app down
  for file in /etc/corefab/routes/*.caddy; do
    [ -e "$file" ] || continue
    app=$(basename "$file" .caddy)
    down=no
    if [ -e "$(home_of "$app")/maintenance" ]; then down=yes; fi
    row "$app" "$(sed -n '2s/^# names: //p' "$file")" "$(serving_slot "$app")" \
      "$(upstream_of "$app")" "$down"
  done
}
answer --rawfile routes <(each) '$routes | table("app names slot upstream maintenance")'
