# receive-image APP ID: read the missing parts of an image from stdin, verify the image, and only then
# tag it localhost/APP:sent. Header lines on stdin describe the bytes that follow. Received data stays
# in one folder until the image is verified, so an interrupted transfer continues at its last byte.
# Exit codes: 3 a layer is missing on this node, 4 stdin ended early, 5 data arrived damaged, 6 disk
# full, 7 podman refuses a layer.
# shellcheck shell=bash
app=$1 id=$2
tag=localhost/$app:sent
name=${id#sha256:}
incoming=/var/lib/corefab/images
place=$incoming/$name
lacks=3 cut=4 damaged=5 full=6 refused=7

install -d -m 0755 /var/lib/corefab
lock=$(lock_file "image-$name.lock")
exec 7<>"$lock"
# Starting podman is slow: ask again only after waiting for another transfer of this image.
if ! flock -n 7; then
  wait_for_lock 7 "$lock" 3600
  if podman image exists "$id"; then
    podman tag "$id" "$tag"
    echo present
    exit 0
  fi
fi
layout=$place/layout
blobs=$layout/blobs/sha256
(umask 077 && mkdir -p "$blobs")
# Exported bases take disk space; the next run exports them again.
forget_bases() {
  if [ -e "$place/bases" ] || [ -e "$place/window" ]; then rm -rf "$place/bases" "$place/window"; fi
}
trap forget_bases EXIT
forget_bases

# code_for OUTPUT: the exit code for a program's error output.
code_for() {
  case $1 in
    *[Nn]'o space left'*) echo $full ;;
    *) echo $lacks ;;
  esac
}

# take COUNT FILE SIZE: append COUNT bytes of stdin to a file of SIZE bytes; fails if stdin ends early.
take() {
  local before=$3 said
  said=$(head -c "$1" 2>&1 >>"$2") || fail "this node's disk is full or read-only: ${said##*: }" $full
  [ "$(stat -c %s "$2")" -eq "$((before + $1))" ]
}

# write_out IMAGE OTHER...: export an image's layers, except OTHER, as their original tars. Prints their
# size in bytes, and the microseconds this took.
write_out() {
  local image=$1 other said began=${EPOCHREALTIME//[.,]/} before
  shift
  before=$(bytes_of_bases)
  local to=$place/bases
  install -d -m 0700 "$to" "$to/blobs" "$to/blobs/sha256"
  for other in "$@"; do
    [ -e "$to/blobs/sha256/$other" ] || : >"$to/blobs/sha256/$other"
  done
  said=$(skopeo copy -q --dest-oci-accept-uncompressed-layers \
    "containers-storage:@$image" "oci:$to" 2>&1) \
    || fail "this node cannot export its layers: ${said##*$'\n'}" "$(code_for "$said")"
  echo "wrote $(($(bytes_of_bases) - before)) $((${EPOCHREALTIME//[.,]/} - began))"
}

bytes_of_bases() {
  if [ -e "$place/bases" ]; then du -sb "$place/bases" | cut -f 1; else echo 0; fi
}

# from_base START COUNT: print a range of the base.
from_base() {
  [ -s "$base" ] || fail "this node lacks layer ${base##*/}" $lacks
  dd if="$base" iflag=skip_bytes,count_bytes skip="$1" count="$2" bs=1M status=none \
    || fail "this node's disk is full or read-only: cannot copy from its own layers" $full
}

# unpack KIND START RANGE: append the chunk in descriptor 5 to the layer.
unpack() {
  local kind=$1
  if [ "$kind" = patch ]; then
    from_base "$2" "$3" >"$place/window"
    set -- --patch-from="$place/window"
  else
    set --
  fi
  local said
  said=$(zstd -dqc --long=27 "$@" <&5 2>&1 >>"$part") && return
  case $said in *'No space left'*) exit $full ;; esac
  exit $damaged
}

# forget_chunks: remove the partial chunk of an earlier transfer.
forget_chunks() {
  local old
  for old in "$place"/chunk.*; do
    if [ -e "$old" ]; then rm -f "$old"; fi
  done
}

# settle: wait for the chunk that is unpacked in the background.
job='' reached=0 length=0
settle() {
  local code=0
  [ -n "$job" ] || return 0
  wait "$job" || code=$?
  job=
  if [ $code -eq 0 ]; then
    reached=$((reached + length))
    return 0
  fi
  truncate -s "$reached" "$part"
  [ $code -ne $full ] || fail "this node's disk is full or read-only: No space left on device" $full
  [ $code -eq $damaged ] || exit $code
  forget_chunks
  fail "a chunk arrived damaged" $damaged
}

# receive_chunk KIND KEY COUNT SIZE START RANGE LENGTH: receive a compressed chunk of COUNT bytes, SIZE of
# which are here already, that unpacks to LENGTH bytes.
receive_chunk() {
  local file=$place/chunk.$2
  if [ "$4" -eq 0 ]; then
    forget_chunks
    : >"$file"
  else
    truncate -s "$4" "$file"
  fi
  take "$(($3 - $4))" "$file" "$4" || {
    settle
    fail "the transfer was interrupted" $cut
  }
  settle
  exec 5<"$file"
  rm "$file"
  length=$7
  unpack "$1" "$5" "$6" &
  job=$!
}

# fits: check the config against the image id, and the manifest's layers against the config. Skopeo
# compares the layers that it reads with their digests, and finds the others in the storage by digest.
fits() {
  local manifest
  manifest=$(jq -r '.manifests[0].digest | ltrimstr("sha256:")' "$layout/index.json") \
    && [ "$(sha256sum <"$blobs/$name")" = "$name  -" ] && jq -en --arg id "$id" \
    --slurpfile manifest "$blobs/$manifest" --slurpfile config "$blobs/$name" \
    '$manifest[0].config.digest == $id
     and [$manifest[0].layers[].digest] == $config[0].rootfs.diff_ids' >/dev/null
}

ended=no described=
while read -r word a b c d e f; do
  case $word in
    base)
      read -ra others <<<"$b $c $d $e $f"
      write_out "$a" "${others[@]}"
      ;;
    image)
      said=$(head -c "$a" | tar -xzf - -C "$layout" --no-same-owner 2>&1) || {
        [ "$(code_for "$said")" -ne $full ] || fail "this node's disk is full or read-only: ${said%%$'\n'*}" $full
        fail "the image's manifest or config arrived damaged" $damaged
      }
      fits &
      described=$!
      ;;
    layer)
      part=$place/$a.part base=$place/bases/blobs/sha256/$c
      if [ -e "$blobs/$a" ]; then mv -T "$blobs/$a" "$part"; fi
      if [ "$b" -eq 0 ]; then
        : >"$part"
      else
        [ "$(stat -c %s "$part" || echo 0)" -ge "$b" ] || fail "this node no longer has the partial layer $a" $lacks
        truncate -s "$b" "$part"
      fi
      reached=$b
      ;;
    plain | patch) receive_chunk "$word" "$a" "$b" "$c" "$d" "$e" "$f" ;;
    raw)
      settle
      take "$a" "$part" "$reached" || fail "the transfer was interrupted" $cut
      reached=$((reached + a))
      ;;
    copy)
      settle
      from_base "$a" "$b" >>"$part"
      reached=$((reached + b))
      ;;
    done)
      settle
      mv -T "$part" "$blobs/$a"
      ;;
    end) ended=yes && break ;;
    *) fail "unknown header line in the transfer: ${word:0:40}" $damaged ;;
  esac
done
settle
[ $ended = yes ] || fail "the transfer was interrupted" $cut
forget_bases

wait "$described" || fail "the image's manifest or config arrived damaged" $damaged

# Skopeo moves the tag last; before that nothing refers to the image.
said=$(skopeo copy -q "oci:$layout" "containers-storage:$tag@$name" 2>&1) || {
  lost=no
  for file in "$blobs"/*; do
    if [ "$(sha256sum <"$file" | cut -d ' ' -f 1)" != "${file##*/}" ]; then
      rm -f "$file"
      lost=yes
    fi
  done
  [ $lost = no ] || fail "a layer arrived damaged: ${said##*$'\n'}" $damaged
  if why=$(unpacking_error "$said"); then
    rm -rf "$place"
    fail "$why" $refused
  fi
  fail "this node cannot assemble the image: ${said##*$'\n'}" "$(code_for "$said")"
}
rm -rf "$place"
wait
echo proven
