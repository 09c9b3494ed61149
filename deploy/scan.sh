#!/usr/bin/env bash
# Scans an image for known vulnerabilities: deploy/scan.sh IMAGE
# grype is built from source, because Go's checksum database verifies a version's code. Vulnerabilities without a fix are listed, but do
# not fail the scan.
set -euo pipefail
GOBIN=${GOBIN:-$(mktemp -d)}
GOBIN="$GOBIN" go install github.com/anchore/grype/cmd/grype@v0.121.3
"$GOBIN/grype" "docker:${1:?image is missing}" --fail-on high --only-fixed
