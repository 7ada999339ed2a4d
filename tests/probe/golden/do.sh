n=0123456789abcdef d=/tmp/fleet-audit-0123456789abcdef label=org.fleet-audit.probe file=fleet-audit-0123456789abcdef.Dockerfile tags='r.example:5000/scratch:0123456789abcdef-0 r.example:5000/scratch:0123456789abcdef-1 fleet-audit-probe:0123456789abcdef-link'
link=4096 ways=2 registry=r.example:5000/scratch
h=${HOME:-}
[ -n "$h" ] || { h=$(getent passwd "$(id -u)"); h=${h%:*}; h=${h##*:}; }

exec 3>&1 1>&2
umask 077
rec() { printf 'FP%s %s\n' "$n" "$*" >&3; }
tail_of() { # tail_of PREFIX: the last lines of the log
  tail -n 20 "$d/log" | tr -c '[:print:]\n' ' ' | cut -c 1-600 | while IFS= read -r l; do rec "$1 $l"; done
}
command -v docker >/dev/null || { rec 'X there is no docker command'; exit 3; }
b=${BUILDX_CONFIG:-${DOCKER_CONFIG:-${h:-/}/.docker}/buildx}
new=; [ -e "$b" ] || new=$b; [ -e "${b%/*}" ] || new=${b%/*}
mkdir "$d" || { rec "X the folder $d cannot be made"; exit 3; }
[ -z "$new" ] || printf '%s\n' "$new" >"$d/new"
dd bs=1 count="$link" of="$d/link.tar" 2>/dev/null
[ "$(wc -c <"$d/link.tar")" -eq "$link" ] || { rec "X there is no room in $d"; exit 3; }
input=
[ "$ways" = 1 ] || { input=$d/image.tar; cat >"$input" || { rec "X there is no room in $d"; exit 3; }; }
case $(docker info --format '{{json .DriverStatus}}' 2>"$d/log") in
*io.containerd.snapshotter*) store=containerd ;;
*'[['*) store=graphdriver ;;
*) tail_of 'X the engine does not answer:'; exit 3 ;;
esac
rec "S $store"
way() { # way NUMBER TAG PUSHES METADATA PUSH-FLAGS COMMAND...
  w=$1 t=$2 pushes=$3 meta=$4 flags=$5; shift 5
  rec "B $w"
  [ "$meta" = no ] || set -- "$@" --metadata-file "$d/$w.json"
  set -- "$@" --iidfile "$d/$w.iid" -f "$file" -t "$t" -
  if [ -n "$input" ]; then "$@" <"$input" >"$d/log" 2>&1; else "$@" >"$d/log" 2>&1; fi
  s=$?
  rec "E $w $s"
  iid=; [ ! -s "$d/$w.iid" ] || read -r iid <"$d/$w.iid"
  known=-
  [ -z "$iid" ] || { docker image inspect "$iid" >/dev/null 2>"$d/inspect" && known=yes; } || {
    grep -qi 'no such image' "$d/inspect" && known=no; }
  rec "I $w ${iid:--} $known"
  [ "$s" = 0 ] || { tail_of "L $w"; return; }
  p=-
  if [ "$pushes" = no ]; then
    [ -n "$registry" ] || { export_of; return; }
    docker push $flags "$t" >"$d/log" 2>&1
    p=$?
    g=$(sed -n 's/.*digest: \(sha256:[0-9a-f]\{64\}\) size.*/\1/p' "$d/log")
  else
    g=$(sed -n 's/.*"containerimage.digest": *"\(sha256:[0-9a-f]\{64\}\)".*/\1/p' "$d/$w.json" 2>/dev/null)
    [ -n "$g" ] || g=$(sed -n 's/.*pushing manifest for [^ ]*@\(sha256:[0-9a-f]\{64\}\).*/\1/p' "$d/log" | tail -n 1)
  fi
  rec "P $w $p ${g:--}"
  case $p in 0 | -) ;; *) tail_of "L $w" ;; esac
}
export_of() { # what a push would read: of a containerd store as it is, of the other one nobody can tell before
  [ "$store" = containerd ] || { docker image inspect "$t" >/dev/null 2>"$d/log" && rec "F $w image -"; return; }
  mkdir "$d/$w" && docker save -o "$d/$w.tar" "$t" 2>"$d/log" && tar -xf "$d/$w.tar" -C "$d/$w" 2>>"$d/log" || {
    tail_of "L $w"; return; }
  (cd "$d/$w" && for f in index.json blobs/sha256/*; do
    [ ! -f "$f" ] || [ "$(wc -c <"$f")" -gt 30000 ] || rec "F $w $f $(od -An -v -tx1 <"$f" | tr -d ' \n')"
  done)
}
link_of() { # link_of COMMAND...
  "$@" --iidfile "$d/link.iid" -f "$file" -t "$linktag" - <"$d/link.tar" >"$d/log" 2>&1
  s=$?
  rec "C $s"
  [ "$s" = 0 ] || tail_of D
}

way 0 r.example:5000/scratch:0123456789abcdef-0 no no '' docker build
way 1 r.example:5000/scratch:0123456789abcdef-1 no no '' env DOCKER_BUILDKIT=0 docker build
linktag=fleet-audit-probe:0123456789abcdef-link
link_of docker build
exit 0
