n=0123456789abcdef d=/tmp/fleet-audit-0123456789abcdef label=org.fleet-audit.probe file=fleet-audit-0123456789abcdef.Dockerfile tags='r.example:5000/scratch:0123456789abcdef-0 r.example:5000/scratch:0123456789abcdef-1 fleet-audit-probe:0123456789abcdef-link'
h=${HOME:-}
[ -n "$h" ] || { h=$(getent passwd "$(id -u)"); h=${h%:*}; h=${h##*:}; }

exec 3>&1 1>/dev/null 2>&1
rec() { printf 'FP%s %s\n' "$n" "$*" >&3; }
[ -e "$d" ] || exit 0
soon() { if command -v timeout >/dev/null; then timeout -k 2 10 "$@"; else "$@"; fi; }
left=0
b=${BUILDX_CONFIG:-${DOCKER_CONFIG:-${h:-/}/.docker}/buildx}
# An engine may come to the end of a build after its client has gone: so it is looked at until nothing more turns up.
quiet=0 i=0
want=1; [ "$1" != yes ] || want=3
while [ "$quiet" -lt "$want" ] && [ "$i" -lt 6 ]; do
  i=$((i + 1))
  found=
  for t in $tags; do soon docker image inspect "$t" && found="$found $t"; done
  all=$(soon docker image ls -aq --no-trunc --filter "label=$label=$n") || { left=1; break; }
  if [ -z "$found$all" ]; then quiet=$((quiet + 1)); [ "$quiet" -ge "$want" ] || sleep 1; continue; fi
  quiet=0
  [ -z "$found" ] || soon docker image rm -f $found
  all=$(soon docker image ls -aq --no-trunc --filter "label=$label=$n")
  for t in $all; do soon docker image rm -f "$t"; done
done
if [ "$left" != 0 ]; then rec 'N the engine does not answer, so images may be left; later: docker image rm -f' $tags
elif [ "$quiet" -lt "$want" ]; then left=1; rec 'N images are left; remove them: docker image rm -f' $tags; fi
# The cache's own records: the nonce stands in what they describe. Those of buildx and its history: in the file's name.
if [ "$left" = 0 ] && [ -d "$b/refs" ]; then
  for t in 1 2 3; do # a record goes only after those that were made from it
    soon docker buildx du --verbose >"$d/du"
    ids=$(awk -v n="$n" '/^ID:/ { id = $2 } /^Description:/ && index($0, n) { printf "%s%s", s, id; s = "|" }' "$d/du")
    [ -n "$ids" ] || break
    soon docker builder prune -af --filter "id=$ids" # matched as a regular expression, by buildx and the engine alike
  done
fi
set +f
for g in "$b"/refs/*; do
  found=$(grep -lF -e "$file" "$g"/*/*) || continue
  soon docker buildx --builder "${g##*/}" history rm $(printf '%s\n' "$found" | sed 's,.*/,,')
  rm -f $found
done
if read -r new <"$d/new"; then
  rm -f "$b/.lock" "$b/.buildNodeID" "$b/current" "$b"/activity/*
  rmdir "$b"/refs/*/* "$b"/refs/* "$b/refs" "$b/activity" "$b/instances" "$b/defaults" "$b"
  [ "$new" = "$b" ] || { rm -f "$new/.token_seed" "$new/.token_seed.lock"; rmdir "$new"; }
fi
rm -rf "$d"
[ ! -e "$d" ] || { left=1; rec "N the folder $d is left; remove it"; }
exit "$left"
