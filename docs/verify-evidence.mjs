#!/usr/bin/env node
// Checks what `cairn export evidence RELEASE` wrote, from the commit to the bytes that run. It needs Node and nothing else: read it before you believe it.
//   node verify-evidence.mjs BUNDLE [--commit SHA] [--builder-key PEM] [--platform-key PEM] [--artifact FILE] [--live]
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    commit: { type: "string" },
    "builder-key": { type: "string" },
    "platform-key": { type: "string" },
    artifact: { type: "string" },
    live: { type: "boolean" },
  },
});
if (positionals.length !== 1) {
  console.error(
    "usage: node verify-evidence.mjs BUNDLE [--commit SHA] [--builder-key PEM] [--platform-key PEM] [--artifact FILE] [--live]",
  );
  process.exit(2);
}

const sha256 = (content) => `sha256:${createHash("sha256").update(content).digest("hex")}`;

/** JSON with sorted keys and no white space (RFC 8785 for what is in here): equal values have one text. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}
const digestOf = (value) => sha256(canonical(value));

let failures = 0;
function check(what, holds, otherwise = "") {
  if (!holds) failures++;
  console.log(`${holds ? "ok  " : "FAIL"}  ${what}${holds || otherwise === "" ? "" : `: ${otherwise}`}`);
  return holds;
}

/** The statement in a DSSE envelope: its signature covers the type and the body. Null where the key did not sign it. */
function opened(envelope, key) {
  if (envelope?.payloadType !== "application/vnd.in-toto+json") return null;
  const body = Buffer.from(envelope.payload, "base64");
  const signed = Buffer.concat([Buffer.from(`DSSEv1 ${envelope.payloadType.length} ${envelope.payloadType} ${body.length} `), body]);
  const fits = envelope.signatures.some(({ sig }) => verify(null, signed, key, Buffer.from(sig, "base64")));
  return fits ? JSON.parse(body.toString("utf8")) : null;
}

function keyOf(name, pem) {
  const file = given[`${name}-key`];
  const key = createPublicKey(file ? readFileSync(file) : pem);
  const id = createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest("hex");
  console.log(`      ${name} key ${id} (${file ? "yours" : "from the bundle: compare it with one that you trust"})`);
  return key;
}

async function main() {
  const bundle = JSON.parse(readFileSync(positionals[0], "utf8"));
  if (!check("the bundle has a known format", bundle.format === "cairn-evidence/1", String(bundle.format))) return;
  const { release, decision: judged, plan } = bundle;
  const artifact = release.artifactDigest;
  const hex = artifact.slice("sha256:".length);
  const about = (statement) => statement?.subject?.length === 1 && statement.subject[0].digest.sha256 === hex;
  const builder = keyOf("builder", bundle.keys.builder);
  const platform = keyOf("platform", bundle.keys.platform);

  // Commit -> provenance -> artifact
  if (given.commit) check("the release is of the commit that you expect", release.commit === given.commit, release.commit);
  const commit = Buffer.from(bundle.commit ?? "", "base64");
  const found = createHash(release.commit.length === 64 ? "sha256" : "sha1")
    .update(`commit ${commit.length}\0`)
    .update(commit)
    .digest("hex");
  check(
    "the commit's bytes are what its id is the hash of",
    found === release.commit,
    bundle.commit === null ? "its repository is gone" : found,
  );
  const tree = /^tree ([0-9a-f]+)\n/.exec(commit.toString("latin1"))?.[1];
  const statements = bundle.evidence.map((one) => ({ ...one, statement: opened(one.envelope, builder) }));
  for (const { kind, digest, envelope, statement, revokedBecause } of statements) {
    check(`${kind} is signed by the builder`, statement !== null);
    check(`${kind} is about the artifact, and no other`, about(statement));
    check(`${kind} has the digest that it is known by`, digestOf(envelope) === digest);
    check(`${kind} stands`, revokedBecause === null, `revoked: ${revokedBecause}`);
  }
  const said = (type) => statements.find(({ statement }) => statement?.predicateType === type)?.statement.predicate;
  const provenance = said("https://slsa.dev/provenance/v1");
  if (check("there is provenance", provenance !== undefined)) {
    const { externalParameters, resolvedDependencies, internalParameters } = provenance.buildDefinition;
    check("it was built from the release's commit", externalParameters.commit === release.commit, externalParameters.commit);
    check(
      "and from the service's repository",
      externalParameters.repository === judged.subject.service.repository,
      externalParameters.repository,
    );
    const fetched = resolvedDependencies.find((one) => one.digest?.gitCommit === release.commit);
    if (check("that commit is what was fetched", fetched !== undefined) && fetched.digest.gitTree !== undefined)
      check("with the tree of files that the commit names", fetched.digest.gitTree === tree, tree);
    console.log(
      `      built by ${provenance.runDetails.builder.id}, ${internalParameters.isolated ? `isolated (${internalParameters.isolation})` : "not isolated"}`,
    );
  }
  const tests = said("https://in-toto.io/attestation/test-result/v0.1");
  check("its tests passed", tests?.result === "PASSED", tests?.result ?? "no test result");
  if (given.artifact) check("the file is the artifact", sha256(readFileSync(given.artifact)) === artifact);

  // Artifact -> decision
  const { id, ...judgement } = judged.decision;
  check("the decision is what its id says", id === `dec_${digestOf(judgement).slice(7, 33)}`);
  check("the facts are those that were judged", digestOf(judged.subject) === judgement.subject);
  check("the rules are those that judged", digestOf(judged.rules) === judgement.bundle);
  check("the exceptions are those that held", judgement.reliefs === null || digestOf(judged.reliefs) === judgement.reliefs);
  check("the release names this decision", release.decision === id);
  check("it let the release on", ["allow", "warn"].includes(judgement.outcome), judgement.outcome);
  check("it is about this artifact", judged.subject.artifact?.digest === artifact, judged.subject.artifact?.digest);
  check("this commit", judged.subject.commit === release.commit, judged.subject.commit);
  const place = `${judged.subject.service.name} in ${judged.subject.environment?.name}`;
  check("and this service and environment", place === `${release.service} in ${release.environment}`, place);

  // Decision -> plan -> revision
  check("the plan is the one that was applied", digestOf(plan) === release.plan);
  const { revision } = plan.payload;
  check("it deploys this artifact", revision.artifact.digest === artifact && plan.basis.artifact === artifact);
  const configuration = digestOf({ artifact: artifact, start: revision.start, manifests: revision.manifests });
  check("the revision is named after its bytes and configuration", configuration.slice(7, 19) === release.revision);

  // The platform's word
  const summary = opened(bundle.summary, platform);
  check("the summary is signed by the platform, about the artifact", about(summary));
  const sums = summary?.predicate ?? {};
  check("it passed", sums.verificationResult === "PASSED", sums.verificationResult);
  check("by the same rules", `sha256:${sums.policy?.digest.sha256}` === judgement.bundle);
  const inputs = (sums.inputAttestations ?? []).map((one) => `sha256:${one.digest.sha256}`).sort();
  check(
    "on the same evidence",
    inputs.join() ===
      bundle.evidence
        .map(({ digest }) => digest)
        .sort()
        .join(),
  );
  check("for this release, decision and plan", sums.release === release.id && sums.decision === id && sums.plan === release.plan);

  // Running bytes
  const running = opened(bundle.running, platform);
  check("what runs is signed by the platform, about the artifact", about(running));
  const seen = running?.predicate ?? {};
  check(
    "the runtime hashed the artifact's bytes",
    seen.artifactDigest === artifact && seen.revision === release.revision,
    `${seen.artifactDigest ?? "it does not run"}`,
  );
  const bad = (seen.findings ?? ["nothing is said of findings"]).filter(
    (one) => !/^(listens_on_all|process_foreign|port_taken):/.test(one),
  );
  check("and found them as they were unpacked", bad.length === 0, bad.join("; "));
  for (const other of seen.findings ?? []) if (!bad.includes(other)) console.log(`      noted: ${other}`);
  check("it serves", seen.weightPercent > 0, `${seen.weightPercent ?? 0} % of the traffic, seen ${seen.at}`);
  if (given.live) {
    const answer = await fetch(seen.url, { redirect: "manual", signal: AbortSignal.timeout(10_000) });
    check(
      "its address answers with the artifact's digest",
      answer.headers.get("x-cairn-digest") === artifact,
      answer.headers.get("x-cairn-digest"),
    );
  }
}

await main().catch((error) => check("the bundle can be read", false, error.message));
console.log(failures === 0 ? "\nEverything holds." : `\n${failures} of the checks failed.`);
process.exitCode = failures === 0 ? 0 : 1;
