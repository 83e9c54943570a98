import { Command } from "commander";

/** What `cairn --help` shows: every command in the order in which one meets it, a line each. A test holds it to be whole. */
const OVERVIEW: Record<string, Record<string, string>> = {
  "This machine's platform": {
    start: "start it; what runs already is found again",
    stop: "stop the server; with --all everything",
    status: "what is up",
    doctor: "look at all that it stands on",
    uninstall: "stop everything, and remove all that it keeps",
  },
  You: {
    login: "sign this terminal in; with --link a browser",
    logout: "forget that",
    whoami: "who you are, and what you may do",
    tokens: "API tokens for programs and git",
    inbox: "what you must know",
    completion: "completion for your shell",
    help: "what a command does, with examples",
  },
  "Make a service": {
    paths: "golden paths: what one can be made from",
    create: "plan a new one, and carry it out",
    import: "bring a repository that exists",
    plan: "show a plan",
    apply: "carry out exactly this plan",
    delete: "plan to delete one, and carry it out",
  },
  "Change it": {
    clone: "clone it; git signs in there by cairn",
    check: "what policy will say of a checkout",
    ci: "build, test and pack as the platform's CI does",
    changes: "change requests",
    merge: "merge one; waits for its checks",
    retry: "checks or a delivery once more",
  },
  "Ship it": {
    releases: "what went where, and why",
    approve: "approve a change request or a release",
    "go-on": "let a held release go on to its next step",
    rollback: "go back to what served before",
    deliver: "deliver what was merged last once more",
    runs: "what is under way, and how it ended",
    why: "what something waits for, and who unblocks it",
  },
  "Run it": {
    services: "what we run, and who owns it",
    logs: "what a service prints",
    slo: "objectives, error budget, burn rates",
    secrets: "values that it needs and nobody may read",
    incidents: "what is wrong, and what may have caused it",
    "on-call": "who is on call now, and who is next",
    score: "how well a service is kept, and what to do next",
    scorecards: "how well all are kept, the worst first",
    dora: "DORA's five metrics of production",
  },
  "Rules, and leave from them": {
    policies: "the rules in force, and what others would do",
    decisions: "what policy decided",
    replay: "make a decision again, without the server",
    exceptions: "let a service go on although a rule refuses",
    "break-glass": "go on at once, before witnesses",
    windows: "when releases may begin",
    freeze: "let no release begin for a while",
    quarantine: "artifacts that do not start any more",
  },
  "What can be shown": {
    evidence: "what was proven about an artifact",
    export: "take something along, to be checked elsewhere",
    audit: "whether the ledger is as it was written",
  },
  "The organisation": {
    org: "teams, people and rotations",
    webhooks: "where notices are sent, signed",
  },
  "The singular shows one": {
    service: "the same as services show",
    change: "the same as changes show",
    release: "the same as releases show",
    run: "the same as runs show",
    decision: "the same as decisions show",
    incident: "the same as incidents show",
  },
};

/** Puts the commands of a program in order, under their headings. Options stand in each command's own help. */
export function overview(program: Command): void {
  const help = new Command("help").argument("[command]").description("what a command does, with examples").helpGroup("You:");
  program.addHelpCommand(help).configureHelp({ subcommandTerm: termOf, showGlobalOptions: true });
  const place = new Map<string, number>();
  for (const [heading, commands] of Object.entries(OVERVIEW))
    for (const [name, text] of Object.entries(commands)) {
      program.commands
        .find((command) => command.name() === name)
        ?.summary(text)
        .helpGroup(`${heading}:`);
      place.set(name, place.size);
    }
  (program.commands as Command[]).sort((a, b) => (place.get(a.name()) ?? -1) - (place.get(b.name()) ?? -1));
}

function termOf(command: Command): string {
  const takes = command.registeredArguments.map((one) => {
    const name = `${one.name()}${one.variadic ? "..." : ""}`;
    return one.required ? `<${name}>` : `[${name}]`;
  });
  return [command.name(), ...takes].join(" ");
}
