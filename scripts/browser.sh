#!/bin/sh
# Prints the path of a Chromium for the tests: the machine's, else Debian's package (as root), else Playwright's own.
set -eu
cd "$(dirname "$0")/.."
find_browser() {
  for name in "${CAIRN_CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
    [ -n "$name" ] && command -v "$name" 2>/dev/null && return 0
  done
  found=$(find "${PLAYWRIGHT_BROWSERS_PATH:-$HOME/.cache/ms-playwright}" -type f \( -name chrome -o -name headless_shell \) 2>/dev/null | head -n 1)
  [ -n "$found" ] && printf '%s\n' "$found"
}
find_browser && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing Chromium for the tests" >&2
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core; } >&2 2>/dev/null || true
  find_browser && exit 0
fi
node node_modules/playwright-core/cli.js install chromium >&2 || true
find_browser && exit 0
echo "The tests need a Chromium: install the package chromium (or google-chrome), or set CAIRN_CHROMIUM to one." >&2
exit 1
