import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, nat, property, string, uint8Array } from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { keyIdOf, openEnvelope, pae, signEnvelope } from "./dsse.ts";
import { fileSigner } from "./signer.ts";

test("pae() gives the bytes of the DSSE protocol's own example", () => {
  expect(pae("http://example.com/HelloWorld", Buffer.from("hello world")).toString()).toBe(
    "DSSEv1 29 http://example.com/HelloWorld 11 hello world",
  );
  expect(pae("ü", Buffer.from("")).toString()).toBe("DSSEv1 2 ü 0 ");
});

test("openEnvelope() takes the signature of the DSSE protocol's test vector", () => {
  // Source: secure-systems-lab/dsse, protocol.md, "Test Vectors": ECDSA over P-256 with SHA-256; the signature is r and s in IEEE P1363 form.
  const publicKey = createPublicKey({
    key: {
      kty: "EC",
      crv: "P-256",
      x: Buffer.from(
        BigInt("46950820868899156662930047687818585632848591499744589407958293238635476079160").toString(16).padStart(64, "0"),
        "hex",
      ).toString("base64url"),
      y: Buffer.from(
        BigInt("5640078356564379163099075877009565129882514886557779369047442380624545832820").toString(16).padStart(64, "0"),
        "hex",
      ).toString("base64url"),
    },
    format: "jwk",
  });
  const envelope = {
    payload: "aGVsbG8gd29ybGQ=",
    payloadType: "http://example.com/HelloWorld",
    signatures: [{ keyid: "", sig: "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==" }],
  };
  expect(openEnvelope(envelope, [{ publicKey }])?.body.toString()).toBe("hello world");
});

test("openEnvelope() refuses anything that was not signed as it stands", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const other = generateKeyPairSync("ed25519").publicKey;
  assert(
    property(uint8Array({ minLength: 1 }), string(), nat(), (body, type, at) => {
      const envelope = signEnvelope(type, body, privateKey);
      expect(openEnvelope(envelope, [{ publicKey: other }, { publicKey }])?.body).toEqual(Buffer.from(body));
      expect(openEnvelope(envelope, [{ publicKey: other }])).toBeUndefined();
      const changed = Buffer.from(body);
      changed[at % changed.length] = (changed[at % changed.length] as number) ^ 1;
      expect(openEnvelope({ ...envelope, payload: changed.toString("base64") }, [{ publicKey }])).toBeUndefined();
      expect(openEnvelope({ ...envelope, payloadType: `${type} ` }, [{ publicKey }])).toBeUndefined();
    }),
    { numRuns: 50 },
  );
});

test("fileSigner() makes one key, its owner's alone, also when several make it at once", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cairn-keys-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const keys = join(folder, "keys");
  const signers = await Promise.all(Array.from({ length: 8 }, () => fileSigner(keys)));
  expect(new Set(signers.map((signer) => signer.keyId)).size).toBe(1);
  expect((await stat(join(keys, "builder.pem"))).mode & 0o777).toBe(0o600);
  expect((await stat(keys)).mode & 0o777).toBe(0o700);
  expect(openEnvelope(signers[0]!.sign({ a: 1 }), [signers[7]!])?.body.toString()).toBe('{"a":1}');
});

test("keyIdOf() names a key pair by its public half", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  expect(keyIdOf(createPrivateKey(privateKey.export({ type: "pkcs8", format: "pem" })))).toBe(keyIdOf(publicKey));
});
