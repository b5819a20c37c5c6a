# receive-image APP ID: take the parts of an image that this node lacks from stdin, prove the image
# whole, and only then name it localhost/APP:sent. Lines on stdin say what the bytes after them are. What arrived
# stays in one folder until the image is proven, so that a cut transfer goes on from its last byte.
# Exit codes: 3 for what this node lacks, 4 for an early end, 5 for what arrived damaged, 6 for a full
# disk.
# shellcheck shell=bash
app=$1 id=$2
tag=localhost/$app:sent
name=${id#sha256:}
incoming=/var/lib/corefab/images
place=$incoming/$name
lacks=3 cut=4 damaged=5 full=6

install -d -m 0755 /run/corefab /var/lib/corefab
exec 7>"/run/corefab/image-$name.lock"
# Each start of podman costs: ask again only where another transfer of the image was waited for.
if ! flock -n 7; then
  flock 7
  if podman image exists "$id"; then
    podman tag "$id" "$tag"
    echo present
    exit 0
  fi
fi
layout=$place/layout
blobs=$layout/blobs/sha256
(umask 077 && mkdir -p "$blobs")
# What the node wrote out of its own storage is made anew by the next run; till then it takes room.
forget_bases() {
  if [ -e "$place/bases" ] || [ -e "$place/window" ]; then rm -rf "$place/bases" "$place/window"; fi
}
trap forget_bases EXIT
forget_bases

# code_for WORDS: the exit code for what a program said; a full disk is nothing that is lacking.
code_for() {
  case $1 in
    *[Nn]'o space left'*) echo $full ;;
    *) echo $lacks ;;
  esac
}

# take COUNT FILE HELD: so many bytes of stdin to the end of a file; fails when there are fewer.
take() {
  local before=$3 said
  said=$(head -c "$1" 2>&1 >>"$2") || fail "this node cannot keep what arrives: ${said##*: }" $full
  [ "$(stat -c %s "$2")" -eq "$((before + $1))" ]
}

# write_out IMAGE OTHER...: this node's layers of an image, but OTHER, as the tars they came as. Says how
# many bytes that were, and the microseconds they took.
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
    || fail "this node cannot write out its layers: ${said##*$'\n'}" "$(code_for "$said")"
  echo "wrote $(($(bytes_of_bases) - before)) $((${EPOCHREALTIME//[.,]/} - began))"
}

bytes_of_bases() {
  if [ -e "$place/bases" ]; then du -sb "$place/bases" | cut -f 1; else echo 0; fi
}

# from_base START COUNT: a range of the base.
from_base() {
  [ -s "$base" ] || fail "this node lacks layer ${base##*/}" $lacks
  dd if="$base" iflag=skip_bytes,count_bytes skip="$1" count="$2" bs=1M status=none \
    || fail "this node cannot keep what it copies from its own layers" $full
}

# unpack KIND START RANGE: the piece in descriptor 5 to the end of the layer.
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

# forget_pieces: the one that was cut short in an earlier transfer.
forget_pieces() {
  local old
  for old in "$place"/piece.*; do
    if [ -e "$old" ]; then rm -f "$old"; fi
  done
}

# settle: wait for the piece that is being unpacked while the next one arrives.
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
  [ $code -ne $full ] || fail "this node cannot keep what arrives: No space left on device" $full
  [ $code -eq $damaged ] || exit $code
  forget_pieces
  fail "a piece arrived damaged" $damaged
}

# piece KIND KEY COUNT HELD START RANGE LENGTH: one compressed piece, of which some is here, and the
# bytes that it makes.
piece() {
  local file=$place/piece.$2
  if [ "$4" -eq 0 ]; then
    forget_pieces
    : >"$file"
  else
    truncate -s "$4" "$file"
  fi
  take "$(($3 - $4))" "$file" "$4" || {
    settle
    fail "the transfer was cut" $cut
  }
  settle
  exec 5<"$file"
  rm "$file"
  length=$7
  unpack "$1" "$5" "$6" &
  job=$!
}

# fits: whether the config is the one that was built, and the layers are those that it names: skopeo
# compares each that it reads with its digest, and finds the others in the storage by theirs.
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
        [ "$(code_for "$said")" -ne $full ] || fail "this node cannot keep what arrives: ${said%%$'\n'*}" $full
        fail "what describes the image arrived damaged" $damaged
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
        [ "$(stat -c %s "$part" || echo 0)" -ge "$b" ] || fail "this node lost a part of layer $a" $lacks
        truncate -s "$b" "$part"
      fi
      reached=$b
      ;;
    plain | patch) piece "$word" "$a" "$b" "$c" "$d" "$e" "$f" ;;
    raw)
      settle
      take "$a" "$part" "$reached" || fail "the transfer was cut" $cut
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
    *) fail "the transfer cannot be read at ${word:0:40}" $damaged ;;
  esac
done
settle
[ $ended = yes ] || fail "the transfer was cut" $cut
forget_bases

wait "$described" || fail "what describes the image arrived damaged" $damaged

# The tag is moved by skopeo when everything else has been done; before that nothing refers to the
# image.
said=$(skopeo copy -q "oci:$layout" "containers-storage:$tag@$name" 2>&1) || {
  lost=no
  for file in "$blobs"/*; do
    if [ "$(sha256sum <"$file" | cut -d ' ' -f 1)" != "${file##*/}" ]; then
      rm -f "$file"
      lost=yes
    fi
  done
  [ $lost = no ] || fail "a layer arrived damaged: ${said##*$'\n'}" $damaged
  fail "this node cannot put the image together: ${said##*$'\n'}" "$(code_for "$said")"
}
rm -rf "$place"
wait
echo proven
