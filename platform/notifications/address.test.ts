import { expect, test } from "vitest";
import { checkedUrl, objectionTo } from "./address.ts";

test("objectionTo() refuses every address that is not public, in whatever way it is written", () => {
  const refused = [
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "fe80::1",
    "fd00::1",
    "::ffff:10.0.0.1",
    "::ffff:a00:1",
    "64:ff9b::a00:1",
    "2002:a00:1::",
    "2001:db8::1",
    "ff02::1",
    "no address",
  ];
  for (const address of refused) expect(objectionTo(address, true), address).toBeDefined();
});

test("objectionTo() lets public addresses through, and this very machine only where that was allowed", () => {
  for (const address of ["93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111"])
    expect(objectionTo(address, false), address).toBeUndefined();
  for (const address of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1"]) {
    expect(objectionTo(address, false), address).toBe("this very machine");
    expect(objectionTo(address, true), address).toBeUndefined();
  }
});

test("checkedUrl() refuses what can't be a webhook and says what to write", () => {
  const wrong = [
    "no address",
    "ftp://example.com/",
    "http://example.com/",
    "https://user:secret@example.com/",
    "https://example.com/#part",
  ];
  for (const url of wrong)
    expect(() => checkedUrl(url, false), url).toThrow(expect.objectContaining({ code: "notifications.webhook_url" }));
  expect(() => checkedUrl("https://user:secret@example.com/", false)).not.toThrow(/secret/);
  // Other ways to write 127.0.0.1 and 10.0.0.1.
  for (const url of [
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://[::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://012.0.0.1/",
  ])
    expect(() => checkedUrl(url, false), url).toThrow(expect.objectContaining({ code: "notifications.address_refused" }));
  expect(checkedUrl("http://127.0.0.1:8080/hooks", true).href).toBe("http://127.0.0.1:8080/hooks");
  expect(checkedUrl("https://example.com/hooks?key=1", false).href).toBe("https://example.com/hooks?key=1");
});
