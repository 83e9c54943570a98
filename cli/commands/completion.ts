import { Argument, type Command } from "commander";
import { complete } from "../complete.ts";

/** Each asks `cairn complete -- WORDS`, which answers a candidate a line with what it is behind a tab, and `:0` at the end where files may stand, too. */
const SCRIPTS = {
  bash: `_cairn_complete() {
  local typed=\${COMP_LINE:0:COMP_POINT} words value current before
  read -ra words <<<"$typed"
  [[ $typed == *[[:space:]] ]] && words+=("")
  current=\${words[-1]}
  # Readline takes a colon or an equals sign for the end of a word: what stands before it is there already.
  before=\${current%"\${current##*[:=]}"}
  COMPREPLY=()
  while IFS=$'\\t' read -r value _; do
    case $value in
      :0) compopt -o default ;;
      :*) ;;
      "$current"*) COMPREPLY+=("\${value#"$before"}") ;;
    esac
  done < <("\${words[0]}" complete -- "\${words[@]:1}" 2>/dev/null)
}
complete -F _cairn_complete cairn`,
  zsh: `#compdef cairn
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
_cairn() {
  local line
  local -a found
  for line in "\${(@f)$("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      :0) _files ;;
      :*|"") ;;
      *) found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}") ;;
    esac
  done
  _describe cairn found
}
compdef _cairn cairn`,
};

/** Completion of commands, options and names in the shell. */
export function completionCommands(program: Command): void {
  program
    .command("completion")
    .description("print a script that completes cairn's commands, options and names in your shell")
    .addArgument(new Argument("<shell>").choices(["bash", "zsh", "fish", "powershell"]))
    .action(async (shell: string) => {
      if (shell === "bash" || shell === "zsh") console.log(SCRIPTS[shell]);
      else (await import("@bomb.sh/tab")).script(shell, "cairn", "cairn");
    });
  program
    .command("complete [words...]", { hidden: true })
    .description("what the last word may be; for the scripts of cairn completion")
    .action(async (words: string[]) => {
      const { values, files } = await complete(program, words.length > 0 ? words : [""], process.env);
      for (const { value, description } of values) console.log(`${value}\t${description}`);
      console.log(files ? ":0" : ":4");
    });
}
