import { DEFAULT_BRANCH } from "../model.ts";

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
    refs/heads/*|refs/tags/*) ;;
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
