#!/usr/bin/env bash
# Runs for real what needs Docker: image and docker-compose.yml with a migration through them, and tests on
# testcontainers. Works on a Debian machine where no image registry can be reached: engine from apt, base image by
# debootstrap, the rest as stand-ins under the official images' names. Needs root. Apart from the default test run.
#
#   test/containers/run.sh [file filters of the tests; default: support]
set -euo pipefail

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$checkout/.local/containers
mkdir -p "$work"
cd "$checkout"
bash deploy/local/setup.sh

missing=()
command -v dockerd >/dev/null || missing+=(docker.io iptables)
command -v docker-compose >/dev/null || missing+=(docker-compose)
command -v debootstrap >/dev/null || missing+=(debootstrap)
if [ ${#missing[@]} -gt 0 ]; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$work/apt.log"
fi

# An engine of our own, which nobody else on the machine talks to, unless DOCKER_HOST names one.
engine=
project=
stop() {
  if [ -n "$project" ]; then docker-compose down --volumes >"$work/down.log" 2>&1 || true; fi
  if [ -n "$engine" ]; then kill "$engine" && wait "$engine" || true; fi
}
trap stop EXIT
if [ -z "${DOCKER_HOST:-}" ]; then
  export DOCKER_HOST=unix://$work/docker.sock
  dockerd --iptables=false --ip6tables=false --host "$DOCKER_HOST" --data-root "$work/data" --exec-root "$work/exec" \
    --pidfile "$work/dockerd.pid" >"$work/dockerd.log" 2>&1 &
  engine=$!
  for _ in $(seq 60); do
    if docker version >/dev/null 2>&1; then break; fi
    sleep 1
  done
fi
docker version >/dev/null

bash test/containers/stand-ins/build.sh
DOCKER_BUILDKIT=0 docker build --network host --tag sluice --file deploy/Dockerfile . >"$work/build.log"

export KAFKA_PORT=29092 REGISTRY_PORT=28081 SOURCE_PORT=25432 DESTINATION_PORT=25433
export COMPOSE_PROJECT_NAME=sluice-containers
project=$COMPOSE_PROJECT_NAME
node --import tsx test/containers/migration.ts
docker-compose down --volumes >"$work/down.log" 2>&1

export TEST_SERVERS=docker TESTCONTAINERS_RYUK_DISABLED=true
node --import tsx test/run.ts --project integration "${@:-support}"
