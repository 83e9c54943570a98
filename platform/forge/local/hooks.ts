import { DEFAULT_BRANCH } from "../model.ts";

const MOST_FILE_BYTES = 50 * 2 ** 20;
const MOST_TREE_BYTES = 512 * 2 ** 20;
const MOST_ENTRIES = 20_000;
const MOST_PATH_BYTES = 2000;

/**
 * Refuses what a push may not change. The server gives CAIRN_REPOSITORY; whoever pushes around the server, on the disk, meets the same refusal.
 * What it prints reaches the client as `remote:` lines.
 */
export const preReceive = `#!/bin/sh
# Written by the platform at every start.
refused=0
while read -r old new ref; do
  case "$ref" in
    refs/heads/${DEFAULT_BRANCH})
      refused=1
      case "$new" in
        *[!0]*) echo "${DEFAULT_BRANCH} is protected: it changes by merged change requests only. Push a branch and open one:" ;;
        *) echo "${DEFAULT_BRANCH} is protected: it can't be deleted. To change it, push a branch and open a change request:" ;;
      esac
      echo "  git push origin HEAD:refs/heads/my-change"
      echo "  cairn changes open \${CAIRN_REPOSITORY:-REPOSITORY} my-change"
      ;;
    refs/heads/*|refs/tags/*)
      case "$new" in *[!0]*)
        # What unpacks to more than a machine wants, as one that packs itself a thousand times over, ends here before anybody checks it out.
        why=$(git ls-tree -r -t -l --full-tree "$new" 2>/dev/null | LC_ALL=C awk '
          { entries++; bytes += $4 }
          $4 > ${MOST_FILE_BYTES} { sub(/^[^\t]*\t/, ""); print "the file " substr($0, 1, 200) " is larger than ${MOST_FILE_BYTES / 2 ** 20} MiB"; exit }
          length($0) > ${MOST_PATH_BYTES} { print "a path is longer than ${MOST_PATH_BYTES} bytes"; exit }
          entries > ${MOST_ENTRIES} { print "it holds more than ${MOST_ENTRIES} files and folders"; exit }
          bytes > ${MOST_TREE_BYTES} { print "its files are larger than ${MOST_TREE_BYTES / 2 ** 20} MiB together"; exit }
        ')
        if [ -n "$why" ]; then
          refused=1
          echo "$ref is refused: $why. Keep what is large in a package or an object store, and take it out of the commit (git rebase, git filter-repo)."
        fi
      esac
      ;;
    *)
      refused=1
      echo "$ref is the platform's own: push branches (refs/heads/...) and tags (refs/tags/...)."
      ;;
  esac
done
exit $refused
`;

/** Tells the way on after a push. CAIRN_OPEN_CHANGES has a line \`number branch\` for each open change request. */
export const postReceive = `#!/bin/sh
# Written by the platform at every start.
[ -n "$CAIRN_REPOSITORY" ] || exit 0
while read -r old new ref; do
  branch=\${ref#refs/heads/}
  [ "$branch" != "$ref" ] || continue
  case "$new" in *[!0]*) ;; *) continue ;; esac
  number=$(printf '%s\\n' "$CAIRN_OPEN_CHANGES" | while read -r n b; do
    if [ "$b" = "$branch" ]; then echo "$n"; break; fi
  done)
  if [ -n "$number" ]; then
    echo "Change request $number has this head now: $CAIRN_URL/changes/$CAIRN_REPOSITORY/$number"
  else
    echo "To open a change request for $branch:"
    echo "  cairn changes open $CAIRN_REPOSITORY $branch"
  fi
done
`;
