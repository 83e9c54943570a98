#!/bin/sh
# Makes a fresh checkout ready to run: packages by npm, the portal's build, the packages that golden paths need; with --tests a browser too.
# Does only what is missing, and is silent when nothing is.
set -eu
cd "$(dirname "$0")/.."
root=$PWD

fail() { printf '%s\n' "$1" >&2; exit 1; }
command -v git >/dev/null || fail "Cairn needs git 2.38 or newer: install it, then try again."
command -v npm >/dev/null || fail "Cairn needs npm with Node 20 or newer: install them, then try again."
git_version=$(git version | sed 's/[^0-9]*\([0-9]*\)\.\([0-9]*\).*/\1 \2/')
# shellcheck disable=SC2086
set -- "$@" -- $git_version
tests=no
while [ "$1" != "--" ]; do [ "$1" = "--tests" ] && tests=yes; shift; done
shift
{ [ "$1" -gt 2 ] || { [ "$1" -eq 2 ] && [ "$2" -ge 38 ]; }; } || fail "git $1.$2 is too old: Cairn needs 2.38 or newer."

# Two at once take turns: the second finds what the first has done.
if command -v flock >/dev/null; then
  exec 9<scripts/setup.sh
  flock 9
fi

wanted=$(cat package-lock.json ./*/package.json | cksum)
if [ "$(cat node_modules/.cairn-installed 2>/dev/null || true)" != "$wanted" ]; then
  echo "Installing packages (once)"
  # npm run sets npm_config_* for its children; the older Node that may run npm warns of engines, which says nothing here: the product runs on the pinned one.
  npm ci --no-audit --no-fund --loglevel=error >.cairn-install.log 2>&1 || { cat .cairn-install.log >&2; fail "npm ci failed: see above."; }
  rm -f .cairn-install.log
  [ -x node_modules/.bin/node ] || fail "The npm package 'node' did not bring its program: run npm ci with install scripts allowed for it (npm approve-scripts node)."
  printf '%s' "$wanted" >node_modules/.cairn-installed
fi
PATH="$root/node_modules/.bin:$PATH"
export PATH

built=$(find portal api platform/kernel -name node_modules -prune -o -name dist -prune -o -type f -print | LC_ALL=C sort | xargs cat | cksum)
if [ "$(cat portal/dist/.built 2>/dev/null || true)" != "$built" ]; then
  echo "Building the portal"
  (cd portal && node "$root/node_modules/vite/bin/vite.js" build --logLevel error)
  printf '%s' "$built" >portal/dist/.built
fi

node scripts/warm-cache.ts

[ "$tests" = no ] || sh scripts/browser.sh >/dev/null
