#!/usr/bin/env bash
# bash scripts/publish.sh TARBALL: puts a tarball that was tested on the registry, as it is, with its provenance. Run by
# release.yml. A package whose owner named the workflow as trusted publisher needs no token; the first version of one does:
# the secret NPM_TOKEN of the environment npm.
set -euo pipefail

if [ -n "${NODE_AUTH_TOKEN:-}" ]; then
  registry=$(npm config get registry)
  # the name of the variable: the token itself is in no file
  echo "${registry#https:}:_authToken=\${NODE_AUTH_TOKEN}" > "$HOME/.npmrc"
else
  unset NODE_AUTH_TOKEN
fi
case "$GITHUB_REF_NAME" in
  *-*) tag=next ;; # v1.2.3-beta.1
  *) tag=latest ;;
esac
npm publish --provenance --access public --tag "$tag" "./$1"
