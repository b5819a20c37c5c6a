# metrics [write [SECONDS]]: print facts of this node as metrics, in Prometheus' text format; with `write`, write them
# to a file, once or every so many seconds. A machine with METRICS=on does that all the time: so this starts few
# programs, and no podman. What takes longer is kept, and asked again when what it is read from has changed.
# shellcheck shell=bash disable=SC2016
file=/run/corefab/metrics/corefab.prom
parts=/run/corefab/metrics.parts
more=/run/corefab/metrics.d
proxy_certificates=/var/lib/corefab-proxy/data/certificates
host_key=/var/lib/systemd/credential.secret
most_files=32 most_bytes=65536

if [ "${1:-}" != write ] && [ -e "$file" ] && [ "$(age "$file")" -lt 60 ]; then
  cat "$file"
  exit
fi

declare -A about samples
families=()
while read -r name kind text; do
  families+=("$name")
  about[$name]="# HELP $name $text"$'\n'"# TYPE $name $kind"$'\n'
done <<<'corefab_os_info gauge Operating system, kernel, and the hash of the machine spec.
corefab_os_staged_info gauge Version of the operating system that the next boot starts.
corefab_os_staged gauge 1 when the next boot starts another version.
corefab_boot_timestamp_seconds gauge When the machine started.
corefab_failed_units gauge Number of systemd units that have failed.
corefab_clock_offset_seconds gauge How far the clock is behind NTP time, as chronyd measures it.
corefab_clock_synchronized gauge 1 when chronyd follows NTP time.
corefab_cpu_seconds_total counter Processor time of the machine, by mode.
corefab_memory_size_bytes gauge Memory of the machine.
corefab_memory_available_bytes gauge Memory that programs can still get.
corefab_swap_size_bytes gauge Swap of the machine.
corefab_swap_free_bytes gauge Swap that is free.
corefab_pressure_seconds_total counter Time in which some or all tasks waited for a resource.
corefab_filesystem_size_bytes gauge Size of the file system that has a path.
corefab_filesystem_available_bytes gauge Bytes that users other than root can still write.
corefab_filesystem_inodes gauge Number of inodes, used and free.
corefab_filesystem_inodes_free gauge Number of free inodes.
corefab_release_info gauge The release that serves, its image and who made it.
corefab_release_timestamp_seconds gauge When the release that serves was made.
corefab_release_deploy_duration_seconds gauge How long the deploy of the release that serves took.
corefab_deploy_unfinished gauge 1 while a deploy runs, or after one that was cut.
corefab_maintenance gauge 1 while visitors get the maintenance page.
corefab_front_door_open gauge 1 when the front door, or the proxy, leads to the serving slot.
corefab_slot_serving gauge 1 for the slot that serves.
corefab_slot_state gauge 1 for the state that the unit of the slot is in.
corefab_slot_memory_bytes gauge Memory of the unit of the slot.
corefab_slot_cpu_seconds_total counter Processor time of the unit of the slot.
corefab_slot_restarts_total counter How often systemd restarted the unit since it was last started otherwise.
corefab_workers gauge Number of workers under the supervisor.
corefab_workers_healthy gauge Number of workers that are healthy.
corefab_worker_restarts_total counter How often the supervisor restarted a worker.
corefab_certificate_expiry_timestamp_seconds gauge When the certificate expires.
corefab_credential_opens gauge 1 when this node can decrypt the sealed credential.
corefab_changes_total counter Changes of an app or of the machine, in the journal of changes.
corefab_last_change_timestamp_seconds gauge When an app or the machine was last changed.
corefab_pull_info gauge Result of the last look at the tag that the app follows.
corefab_pull_timestamp_seconds gauge When the node last looked at the tag.
corefab_metrics_file_accepted gauge 0 for a file in metrics.d that is left out.
corefab_metrics_timestamp_seconds gauge When these metrics were read.'

# sample FAMILY LABELS VALUE: add a sample. Labels are written as the format wants them, or empty.
sample() { samples[$1]=${samples[$1]:-}$1${2:+"{$2}"}' '$3$'\n'; }

# The same in jq. What a value may not have unescaped is escaped; what steers a terminal becomes `?`.
written='
  def escaped: tostring | .[:200] | gsub("[\\p{C}\\p{Zl}\\p{Zp}]"; "?") | gsub("(?<one>[\\\\\"])"; "\\\(.one)");
  def sample($family; $labels; $value): $labels
    | to_entries | map("\(.key)=\"\(.value // "" | escaped)\"") | "\($family){\(join(","))} \($value)";
  def seconds: try (.[:19] + "Z" | fromdateiso8601) catch empty;'

# kept PART SECONDS COMMAND...: read what a command printed up to SECONDS ago, into `lines`. If that is older, or one
# of the paths in `sources` has changed since, run the command.
kept() {
  local part=$parts/$1 most=$2 began=0 path fresh=no
  shift 2
  if { read -r began <"$part"; } 2>/dev/null && [ $((EPOCHSECONDS - began)) -lt "$most" ]; then
    fresh=yes
    for path in "${sources[@]}"; do
      if [ "$path" -nt "$part" ]; then fresh=no; fi
    done
  fi
  if [ $fresh = no ]; then
    began=$EPOCHSECONDS
    { printf '%s\n' "$began" && "$@" </dev/null; } >"$part.$$" 2>/dev/null || true
    # A source that changes from now on is newer.
    touch -d "@$began" "$part.$$"
    mv -fT "$part.$$" "$part"
  fi
  mapfile -t -s 1 lines <"$part"
}

# kept_samples PART SECONDS COMMAND...: the same for a command that prints samples.
kept_samples() {
  local line name
  kept "$@"
  for line in "${lines[@]}"; do
    name=${line%%[\{ ]*}
    samples[$name]=${samples[$name]:-}$line$'\n'
  done
}

operating_system() {
  local PRETTY_NAME='' OSTREE_VERSION='' VERSION_ID=''
  . /etc/os-release
  jq -rn --arg name "$PRETTY_NAME" --arg version "${OSTREE_VERSION:-$VERSION_ID}" \
    --arg kernel "$(</proc/sys/kernel/osrelease)" --arg spec "$(spec_hash)" \
    "$written"'sample("corefab_os_info"; {$name, $version, $kernel, $spec}; 1)'
  sed -n 's/^btime /corefab_boot_timestamp_seconds /p' /proc/stat
}

staged() {
  jq -rn --arg version "$(staged_update)" \
    "$written"'$version | select(. != "") | sample("corefab_os_staged_info"; {$version}; 1)'
}

# checks APP...: what takes a program each time it is asked.
checks() {
  local app clock failed open synchronized
  failed=$(systemctl show -P NFailedUnits)
  if [[ $failed =~ ^[0-9]+$ ]]; then printf 'corefab_failed_units %s\n' "$failed"; fi
  IFS=, read -ra clock < <(chronyc -nc tracking)
  if [ ${#clock[@]} -eq 14 ] && [[ ${clock[4]} =~ ^-?[0-9]+\.[0-9]+$ ]]; then
    printf 'corefab_clock_offset_seconds %s\n' "${clock[4]}"
    synchronized=1
    if [ "${clock[13]}" = 'Not synchronised' ]; then synchronized=0; fi
    printf 'corefab_clock_synchronized %d\n' $synchronized
  fi
  for app in "$@"; do
    [ -e "/var/lib/$app/current" ] || continue
    open=0
    if [ "$(door_state "$app")" = open ]; then open=1; fi
    printf 'corefab_front_door_open{app="%s"} %d\n' "$app" $open
  done
}

release() {
  manifest_of "$1" | jq -r --arg app "$1" "$written"'objects
    | sample("corefab_release_info"; {$app, release, image, image_id, commit, by}; 1),
      sample("corefab_release_timestamp_seconds"; {$app}; .at | seconds),
      ([.seconds[]? | numbers] | add // empty | sample("corefab_release_deploy_duration_seconds"; {$app}; .))'
}

# certificates APP: the one of ours; of the proxy, those that it got.
certificates() {
  local name path until own=/var/lib/$1/current/tls/server.crt
  while IFS= read -r name && IFS= read -r path; do
    if ! [[ $name =~ ^[A-Za-z0-9._/:-]+$ ]]; then continue; fi
    until=$(as_owner "$path" head -c 65536 "$path" | openssl x509 -noout -enddate) || continue
    printf 'corefab_certificate_expiry_timestamp_seconds{app="%s",certificate="%s"} %s\n' \
      "$1" "${name%.crt}" "$(date -d "${until#*=}" +%s)"
  done < <(
    if [ -e "$own" ]; then printf 'server.crt\n%s\n' "$own"; fi
    if [ "$1" = corefab-proxy ]; then
      find "$proxy_certificates" -mindepth 3 -maxdepth 3 -type f -name '*.crt' -printf '%P\n%p\n' | head -n 400
    fi
  )
}

credentials() {
  local sealed name opens
  for sealed in /var/lib/"$1"/current/credentials/*; do
    name=${sealed##*/} opens=0
    if ! [[ $name =~ ^[A-Za-z0-9._-]+$ ]]; then continue; fi
    if decrypted "$name" "$sealed" >/dev/null; then opens=1; fi
    printf 'corefab_credential_opens{app="%s",credential="%s"} %d\n' "$1" "$name" $opens
  done
}

changes() {
  jq -Rrn "$written"'
    reduce (inputs | fromjson? | objects | [([.app, .what, .result] | map(. // "" | tostring | .[:100])), (.at | seconds)])
      as [$key, $at] ({}; .[$key | tojson] |= {count: ((.count // 0) + 1), $at})
    | [to_entries[:200][] | (.key | fromjson) as [$app, $what, $result] | {$app, $what, $result} + .value]
    | (.[] | sample("corefab_changes_total"; {app, what, result}; .count)),
      (group_by(.app)[] | .[0].app as $app | map(.at // empty) | max // empty
        | sample("corefab_last_change_timestamp_seconds"; {$app}; .))' /var/lib/corefab/audit.log
}

pulled() {
  jq -r --arg app "$1" "$written"'objects
    | sample("corefab_pull_info"; {$app, result, reference, digest, release}; 1),
      sample("corefab_pull_timestamp_seconds"; {$app}; .at | seconds)' "/var/lib/corefab/pull/$1/status.json"
}

# machine: processor, memory, pressure and file systems.
machine() {
  local word kind rest user nice system idle wait irq soft steal path block size free inodes left data seen=' ' key
  read -r word user nice system idle wait irq soft steal rest </proc/stat
  for key in user=$((user + nice)) system=$((system + irq + soft)) iowait="$wait" steal="$steal" idle="$idle"; do
    printf -v rest '%d.%02d' $((${key#*=} / 100)) $((${key#*=} % 100))
    sample corefab_cpu_seconds_total "mode=\"${key%=*}\"" "$rest"
  done
  while read -r word size rest; do
    case $word in
      MemTotal:) sample corefab_memory_size_bytes '' $((size * 1024)) ;;
      MemAvailable:) sample corefab_memory_available_bytes '' $((size * 1024)) ;;
      SwapTotal:) sample corefab_swap_size_bytes '' $((size * 1024)) ;;
      SwapFree:) sample corefab_swap_free_bytes '' $((size * 1024)) && break ;;
    esac
  done </proc/meminfo
  for word in cpu io memory; do
    while read -r kind rest; do
      rest=${rest##*total=}
      printf -v rest '%d.%06d' $((rest / 1000000)) $((rest % 1000000))
      sample corefab_pressure_seconds_total "resource=\"$word\",tasks=\"$kind\"" "$rest"
    done <"/proc/pressure/$word"
  done 2>/dev/null || true
  # The root of Fedora CoreOS is an image; what can be written is /var.
  while read -r path key block size free inodes left; do
    if [[ $seen == *" $key "* ]]; then continue; fi
    seen+="$key "
    path="path=\"$path\""
    sample corefab_filesystem_size_bytes "$path" $((block * size))
    sample corefab_filesystem_available_bytes "$path" $((block * free))
    if [ "$inodes" -gt 0 ]; then
      sample corefab_filesystem_inodes "$path" "$inodes"
      sample corefab_filesystem_inodes_free "$path" "$left"
    fi
  done < <(exec stat -f -c '%n %i-%b %S %b %a %c %d' /var /boot "$@" 2>/dev/null)
}

# units APP...: the slots, by one question to systemd.
units() {
  local app slot word names=() key value state='' memory='' cpu='' restarts='' status=''
  for app in "$@"; do names+=("$app-blue.service" "$app-green.service"); done
  [ ${#names[@]} -gt 0 ] || return 0
  # An empty line is between what is said of two units.
  while IFS='=' read -r key value; do
    case $key in
      Id) app=${value%-*.service} slot=${value##*-} slot=${slot%.service} ;;
      ActiveState) state=${value/reloading/active} ;;
      MemoryCurrent) memory=$value ;;
      CPUUsageNSec) cpu=$value ;;
      NRestarts) restarts=$value ;;
      StatusText) status=$value ;;
      '')
        unit "app=\"$app\",slot=\"$slot\""
        state='' memory='' cpu='' restarts='' status=''
        ;;
    esac
  done < <(exec systemctl show -p Id,ActiveState,MemoryCurrent,CPUUsageNSec,NRestarts,StatusText "${names[@]}")
  if [ -n "$state" ]; then unit "app=\"$app\",slot=\"$slot\""; fi
}

# unit LABELS: samples of what `units` has read of a slot.
unit() {
  local word is serving=0
  if [ "/var/lib/$app/$slot" -ef "/var/lib/$app/current" ]; then serving=1; fi
  sample corefab_slot_serving "$1" $serving
  for word in activating active deactivating failed inactive; do
    is=0
    if [ "$state" = "$word" ]; then is=1; fi
    sample corefab_slot_state "$1,state=\"$word\"" $is
  done
  if [ "$state" = inactive ]; then return; fi
  if [[ $memory =~ ^[0-9]{1,18}$ ]]; then sample corefab_slot_memory_bytes "$1" "$memory"; fi
  if [[ $cpu =~ ^[0-9]{1,18}$ ]]; then
    printf -v word '%d.%09d' $((cpu / 1000000000)) $((cpu % 1000000000))
    sample corefab_slot_cpu_seconds_total "$1" "$word"
  fi
  if [[ $restarts =~ ^[0-9]{1,9}$ ]]; then sample corefab_slot_restarts_total "$1" "$restarts"; fi
  # The last words of what container/supervise/core/account.py writes.
  if [[ $status =~ (^|\ )([0-9]{1,4})\ of\ ([0-9]{1,4})\ workers\ healthy(,\ restarts:\ ([0-9]{1,9}))?$ ]]; then
    sample corefab_workers "$1" "${BASH_REMATCH[3]}"
    sample corefab_workers_healthy "$1" "${BASH_REMATCH[2]}"
    sample corefab_worker_restarts_total "$1" "${BASH_REMATCH[5]:-0}"
  fi
}

# accepted FILE: print a file that something else of this node wrote, NAME.prom, if what it has are metrics whose
# names begin with NAME_ or corefab_NAME_: a single wrong line would cost a scraper all of them.
accepted() {
  local name=${1##*/} text='' line family label value metric
  local -A typed=() sampled=()
  name=${name%.prom}
  IFS= read -rN $((most_bytes + 1)) text <"$1" || true
  if [ ${#text} -gt $most_bytes ] || [[ $text == *[!$'\n'\ -~]* ]]; then return; fi
  metric="(corefab_)?${name}_[a-zA-Z0-9_]+"
  label='[a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\[\\n"])*"'
  value='(-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?|[-+]?Inf|NaN)'
  while IFS= read -r line; do
    if [[ $line =~ ^\#\ TYPE\ ($metric)\ (counter|gauge|histogram|summary|untyped)$ ]]; then
      family=${BASH_REMATCH[1]}
      if [ -n "${typed[$family]:-}${sampled[$family]:-}" ]; then return; fi
      typed[$family]=yes
    elif [[ $line =~ ^($metric)(\{($label(,$label)*)?\})?\ $value$ ]]; then
      family=${BASH_REMATCH[1]}
      sampled[$family]=yes
    elif [[ $line =~ ^\#\ HELP\ ($metric)\ .*$ ]]; then
      family=${BASH_REMATCH[1]}
    elif [ -z "$line" ] || [ "$line" = '# EOF' ]; then
      continue
    else
      return
    fi
    if [ -n "${about[$family]:-}" ]; then return; fi
  done <<<"$text"
  grep -vxE '|# EOF' <<<"$text"
}

# collect: read everything, into `text`.
collect() {
  local app home unfinished maintenance staged path name is others
  local known=() data=() own=() sources=() lines=()
  samples=()
  sources=(/var/lib /etc/corefab/pull)
  kept apps 60 apps
  for app in "${lines[@]:0:50}"; do
    if [[ $app =~ ^[a-z0-9-]+$ ]]; then known+=("$app"); fi
  done

  sources=(/etc/os-release /etc/corefab/spec)
  kept_samples os 86400 operating_system
  staged=0
  if [ -e /run/ostree/staged-deployment ]; then
    staged=1
    sources=(/run/ostree/staged-deployment)
    kept_samples staged 3600 staged
  fi
  sample corefab_os_staged '' $staged
  sources=(/var/lib/corefab/audit.log)
  kept_samples changes 86400 changes
  sources=("${known[@]/#//var/lib/}")
  kept_samples checks 60 checks "${known[@]}"
  for app in "${known[@]}"; do
    home=/var/lib/$app unfinished=0 maintenance=0
    data+=("$home/data")
    if [ -e "$home/deploying" ]; then unfinished=1; fi
    if [ -e "$home/maintenance" ]; then maintenance=1; fi
    sample corefab_deploy_unfinished "app=\"$app\"" $unfinished
    sample corefab_maintenance "app=\"$app\"" $maintenance
    sources=("$home" "$home/current/manifest.json")
    kept_samples "$app.release" 86400 release "$app"
    sources=("$home" "$home/current/tls/server.crt")
    if [ "$app" = corefab-proxy ]; then sources+=("$proxy_certificates"{,/*,/*/*}); fi
    kept_samples "$app.certificates" 3600 certificates "$app"
    # What opens them changes at a boot, which clears what is kept, or with the node's key.
    sources=("$home" "$home/current/credentials" "$host_key")
    kept_samples "$app.credentials" 3600 credentials "$app"
    sources=("/var/lib/corefab/pull/$app/status.json")
    if [ -e "${sources[0]}" ]; then kept_samples "$app.pulled" 86400 pulled "$app"; fi
  done
  machine "${data[@]}"
  units "${known[@]}"

  others=
  own=("$more"/*.prom)
  for path in "${own[@]:0:$most_files}"; do
    name=${path##*/} is=0
    name=${name%.prom}
    if ! [[ $name =~ ^[a-z][a-z0-9_]*$ ]]; then continue; fi
    sources=("$path")
    kept "more.$name" 3600 accepted "$path"
    if [ ${#lines[@]} -gt 0 ]; then
      is=1
      printf -v text '%s\n' "${lines[@]}"
      others+=$text
    fi
    sample corefab_metrics_file_accepted "file=\"$name\"" $is
  done

  sample corefab_metrics_timestamp_seconds '' "$EPOCHSECONDS"
  text=
  for name in "${families[@]}"; do
    [ -z "${samples[$name]:-}" ] || text+=${about[$name]}${samples[$name]}
  done
  text+=$others'# EOF'
}

if ! [ -d "$parts" ] || ! [ -d "$more" ]; then
  install -d -m 0711 /run/corefab
  install -d -m 0700 "$parts"
  install -d -m 0755 "$more" "${file%/*}"
fi
shopt -s nullglob
if [ "${1:-}" != write ]; then
  collect
  printf '%s\n' "$text"
  exit
fi
served=${METRICS_SERVED:-}
if [ -n "$served" ]; then install -d -m 0755 "${served%/*}" "$served"; fi
# Nothing ever comes from here: waiting starts no program.
exec 8<> <(:)
while :; do
  collect
  printf '%s\n' "$text" >"$file.new"
  mv -fT "$file.new" "$file"
  if [ -n "$served" ] && [ -d "$served" ]; then
    printf '%s\n' "$text" >"$served/.new"
    mv -fT "$served/.new" "$served/corefab.prom"
  fi
  [ -n "${2:-}" ] || break
  read -rt "$2" -u 8 || true
done
