#!/usr/bin/env bash
# What has changed, according to git:
#   deploy/changed.sh image|marts|streamlit SINCE   true or false; true if SINCE is empty or unknown, as at a first push
#   deploy/changed.sh image|marts|streamlit         the commit that changed it last, which is the image's tag
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { echo "changed.sh: $1" >&2; exit 2; }

case "${1:-}" in
  image)  # what the Dockerfile copies from the repository, and the Dockerfile's folder
    mapfile -t inputs < <(awk '$1 == "COPY" && !/ --from=/ { for (n = 2; n < NF; n++) if ($n !~ /^--/) print $n }' deploy/docker/Dockerfile)
    [ ${#inputs[@]} -gt 0 ] || fail "deploy/docker/Dockerfile copies nothing from the repository."
    inputs+=(deploy/docker) ;;
  marts) inputs=(dbt f1stream/marts deploy/locks/runtime.txt) ;;
  streamlit) inputs=(deploy/streamlit) ;;
  *) fail "The first argument must be image, marts or streamlit." ;;
esac

if [ $# -lt 2 ]; then
  [ "$(git rev-parse --is-shallow-repository)" = false ] || fail "The git history is shallow; fetch all of it (fetch-depth: 0)."
  git log -1 --format=%H -- "${inputs[@]}"
elif ! git cat-file -e "$2^{commit}" 2>/dev/null; then
  echo true
else
  code=0
  git diff --quiet "$2" HEAD -- "${inputs[@]}" || code=$?
  case $code in 0) echo false ;; 1) echo true ;; *) fail "git diff ended with code $code." ;; esac
fi
