import { denies } from "../../policy/model.ts";
import type { Why, Reason, Way, WhyFacts } from "./model.ts";
import { PLATFORM, fact, gateSays, stepOf, ruleSays, waysAround, breakGlassCommand, wayOf, counted, sentence, listed } from "./words.ts";

export function explainRelease({ release, decision, reopened, service, at }: Extract<WhyFacts, { kind: "release" }>): Why {
  const subject = {
    kind: "release" as const,
    id: release.id,
    title: `Release of ${release.service} to ${release.environment}`,
    link: `/releases/${release.id}`,
  };
  const relieved = (decision?.results ?? []).filter(({ relievedBy }) => relievedBy !== null).map(ruleSays);
  const revoked = reopened === null ? [] : [fact("re-opened", `Its decision can't be relied on any more: ${reopened}`)];
  const answer = (state: Why["state"], summary: string, because: Reason[], unblock: Way[], until: Date | null = null): Why => ({
    subject,
    state,
    summary,
    because: [...because, ...revoked, ...relieved],
    unblock,
    until,
  });
  const back = {
    who: `a member of ${service.owner}, or an administrator`,
    what: "roll it back",
    command: `cairn rollback ${release.id} -b REASON`,
  };
  switch (release.state) {
    case "planned":
      return explainPlanned();
    case "refused": {
      const denied = (decision?.results ?? []).filter(denies);
      const summary =
        denied.length > 0
          ? `${counted(denied.length, "rule")} denied it: ${listed(denied.map(({ rule }) => rule))}`
          : sentence(release.because);
      return answer(
        "refused",
        summary,
        denied.length > 0 ? denied.map(ruleSays) : [fact("refusal", release.because)],
        denied.length > 0
          ? waysAround(denied, service, release.environment)
          : [
              {
                who: service.owner,
                what: "give it what it lacks, then deliver the commit again",
                command: `cairn deliver ${service.name}`,
              },
            ],
      );
    }
    case "rolling_out":
      return answer(
        "waits",
        `It waits for its canary at ${release.percent} % of the traffic: ${release.because}`,
        at.endsWhen.map((says) => fact("step", says)),
        [
          {
            who: PLATFORM,
            what: "shifts on or rolls back by itself, by real traffic",
            command: `cairn releases ${release.service} --watch`,
          },
          back,
        ],
        at.stepEndsAt,
      );
    case "held":
      return answer(
        "waits",
        `It is held at ${release.percent} % of the traffic and waits for its owner: ${release.because}`,
        [fact("held", release.because)],
        [
          {
            who: `a member of ${service.owner}, or an administrator`,
            what: "let it go on to its next step",
            command: `cairn go-on ${release.id} -b REASON`,
          },
          back,
        ],
      );
    case "promoted":
      return answer(
        "done",
        `It was promoted: ${release.because}`,
        at.gate ? at.gate.openBy.map((says) => gateSays("passed", says)) : [],
        reopened === null ? [] : [{ who: service.owner, what: "merge a change, so that CI builds and proves anew", command: null }],
      );
    case "rolled_back":
      return answer(
        "failed",
        `It was rolled back: ${release.because}`,
        [
          fact(
            "rollback",
            release.previous ? `What served before serves again: ${release.previous}` : "Nothing served before; nothing serves now",
          ),
        ],
        [
          {
            who: service.owner,
            what: "mend it by another change request; an artifact that was worse is not released again",
            command: null,
          },
        ],
      );
    case "failed":
      return answer(
        "failed",
        `It failed: ${release.because}`,
        [fact("failure", release.because), ...stepOf(at.run)],
        [{ who: service.owner, what: "remove the cause and deliver the commit again", command: `cairn deliver ${service.name}` }],
      );
    case "superseded":
      return answer("done", `Another one took its place: ${release.because}`, [fact("superseded", release.because)], []);
  }

  function explainPlanned(): Why {
    const held = at.gate?.heldBy ?? [];
    if (held.length > 0) {
      // It goes on by itself only where all that holds it does.
      const times = held.flatMap(({ until }) => (until === null ? [] : [until.getTime()]));
      const until = times.length === held.length ? new Date(Math.max(...times)) : null;
      // Who took something back is asked, not passed by.
      const gates = held.flatMap(({ gate }) => (gate === "taken-back" ? [] : [gate]));
      const glass = {
        who: `a member of ${service.owner}, or an administrator`,
        what: "in an emergency: break the glass, before witnesses",
        command: breakGlassCommand(service, release.environment, gates),
      };
      return answer(
        "waits",
        `It waits for ${held.map(({ because }) => because).join(", and for ")}`,
        held.map(({ gate, because }) => gateSays(gate, because)),
        [...held.map(({ unblockedBy }) => wayOf(unblockedBy)), ...(gates.length === 0 ? [] : [glass])],
        until,
      );
    }
    if (at.before !== null)
      return answer(
        "waits",
        `It waits for its turn: release ${at.before} of ${release.service} is under way in ${release.environment}`,
        [fact("one at a time", "An environment takes one release of a service at a time, so that each is compared with what serves")],
        [{ who: PLATFORM, what: `begins it when ${at.before} has ended`, command: `cairn why ${at.before}` }],
      );
    return answer(
      "under_way",
      at.run ? `It is being prepared: ${at.run.step}` : "It is planned, and has not begun",
      stepOf(at.run),
      at.run ? [{ who: PLATFORM, what: "goes on by itself", command: `cairn why "${at.run.id}"` }] : [],
    );
  }
}
