# receive-image APP ID: take the parts of an image that this node lacks from stdin, prove the image
# whole, and only then name it localhost/APP:sent. Lines on stdin say what the bytes after them are. What arrived
# stays in one folder until the image is proven, so that a cut transfer goes on from its last byte.
# Exit codes: 3 for what this node lacks, 4 for an early end, 5 for what arrived damaged.
# shellcheck shell=bash
app=$1 id=$2
tag=localhost/$app:sent
name=${id#sha256:}
incoming=/var/lib/corefab/images
place=$incoming/$name
lacks=3 cut=4 damaged=5

install -d -m 0755 /run/corefab /var/lib/corefab
install -d -m 0700 "$incoming"
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
install -d -m 0700 "$place" "$layout" "$layout/blobs" "$blobs"
rm -rf "$place/bases"

# take COUNT FILE HELD: bytes of stdin to the end of a file that holds some already.
take() {
  local count=$1 file=$2 held=$3
  head -c "$((count - held))" >>"$file"
  [ "$(stat -c %s "$file")" -eq "$count" ] || fail "the transfer was cut" $cut
}

# write_out IMAGE OTHER...: this node's layers of an image, but OTHER, as the tars they came as.
write_out() {
  local image=$1 other said
  shift
  local to=$place/bases
  install -d -m 0700 "$to" "$to/blobs" "$to/blobs/sha256"
  for other in "$@"; do
    [ -e "$to/blobs/sha256/$other" ] || : >"$to/blobs/sha256/$other"
  done
  said=$(skopeo copy -q --dest-oci-accept-uncompressed-layers \
    "containers-storage:@$image" "oci:$to" 2>&1) \
    || fail "this node cannot write out its layers: ${said##*$'\n'}" $lacks
}

# write_files IMAGE NAME: files of an image, whose names came, one after another as a base.
write_files() {
  local image=$1 to=$place/bases/blobs/sha256 mounted whole=yes
  install -d -m 0700 "$place/bases" "$place/bases/blobs" "$to"
  mounted=$(podman image mount "$image" 2>/dev/null) || fail "this node lacks the anchor" $lacks
  (cd "$mounted" && xargs -0 cat -- <"$place/names") >"$to/$2" || whole=no
  podman image unmount "$image" >/dev/null
  [ $whole = yes ] || fail "a file of the anchor cannot be read" $lacks
}

# from_base START COUNT: a range of the base.
from_base() {
  [ -s "$base" ] || fail "this node lacks layer ${base##*/}" $lacks
  dd if="$base" iflag=skip_bytes,count_bytes skip="$1" count="$2" bs=1M status=none
}

# piece KIND KEY COUNT HELD START COUNT: one compressed piece to the end of the layer.
piece() {
  local kind=$1 key=$2 count=$3 held=$4 start=$5 range=$6 size
  if [ "$held" -eq 0 ]; then
    rm -f "$place"/piece.*
    : >"$place/piece.$key"
  fi
  truncate -s "$held" "$place/piece.$key"
  take "$count" "$place/piece.$key" "$held"
  if [ "$kind" = patch ]; then
    from_base "$start" "$range" >"$place/window"
    set -- --patch-from="$place/window"
  else
    set --
  fi
  size=$(stat -c %s "$part")
  zstd -dqc --long=27 "$@" <"$place/piece.$key" >>"$part" || {
    truncate -s "$size" "$part"
    rm -f "$place"/piece.*
    fail "a piece arrived damaged" $damaged
  }
  rm -f "$place"/piece.* "$place/window"
}

ended=no
while read -r word a b c d e; do
  case $word in
    base)
      read -ra others <<<"$b $c $d $e"
      write_out "$a" "${others[@]}"
      ;;
    files)
      rm -f "$place/names"
      take "$c" "$place/names" 0
      write_files "$a" "$b"
      ;;
    image)
      rm -f "$place/described"
      take "$a" "$place/described" 0
      tar -xzf "$place/described" -C "$layout" --no-same-owner
      ;;
    layer)
      part=$place/$a.part base=$place/bases/blobs/sha256/$c
      if [ -e "$blobs/$a" ]; then mv -T "$blobs/$a" "$part"; fi
      [ -e "$part" ] || : >"$part"
      [ "$(stat -c %s "$part")" -ge "$b" ] || fail "this node lost a part of layer $a" $lacks
      truncate -s "$b" "$part"
      ;;
    plain | patch) piece "$word" "$a" "$b" "$c" "$d" "$e" ;;
    copy) from_base "$a" "$b" >>"$part" ;;
    done) mv -T "$part" "$blobs/$a" ;;
    end) ended=yes && break ;;
    *) fail "the transfer cannot be read at ${word:0:40}" $damaged ;;
  esac
done
[ $ended = yes ] || fail "the transfer was cut" $cut
rm -rf "$place/bases"

trial=localhost/corefab-incoming:$name
said=$(skopeo copy -q "oci:$layout" "containers-storage:$trial" 2>&1) || {
  lost=no
  for file in "$blobs"/*; do
    if [ "$(sha256sum <"$file" | cut -d ' ' -f 1)" != "${file##*/}" ]; then
      rm -f "$file"
      lost=yes
    fi
  done
  [ $lost = no ] || fail "a layer arrived damaged: ${said##*$'\n'}" $damaged
  fail "this node cannot put the image together: ${said##*$'\n'}" $lacks
}
# The storage names an image by the digest of its config: there is one of this id, or the image that
# was put together is another.
if ! podman tag "$name" "$tag" 2>/dev/null; then
  podman rmi "$trial" >/dev/null
  rm -rf "$place"
  fail "the image put together is another than $id" $damaged
fi
podman untag "$trial" "$trial"
rm -rf "$place"
echo proven
