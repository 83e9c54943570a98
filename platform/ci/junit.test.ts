import { describe, expect, test } from "vitest";
import { readJunit } from "./junit.ts";

const read = (text: string) => readJunit(text, "junit.xml");

describe("readJunit() refuses what it can't trust", () => {
  test.each([
    ["not XML", "hello"],
    ["cut off", "<testsuite><testcase name='a'>"],
    ["another document", "<html/>"],
    ["entities that grow", `<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><testsuite><testcase name="&c;"/></testsuite>`],
    ["an entity from a file", `<!DOCTYPE a SYSTEM "file:///etc/passwd"><testsuite/>`],
    ["endless nesting", `${"<testsuite>".repeat(10_000)}${"</testsuite>".repeat(10_000)}`],
  ])("%s", (_what, text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: "ci.no_test_report" }));
  });
});

test("readJunit() counts cases of suites in suites, whatever the sums in the attributes say", () => {
  const text = `<?xml version="1.0"?>
    <testsuites tests="1000" failures="0">
      <testsuite name="a" failures="0"><testcase name="one"/><testcase name="two"><failure message="x">&lt;y></failure></testcase>
        <testsuite name="b"><testcase name="three"><error/></testcase><testcase name="four"><skipped/></testcase></testsuite>
      </testsuite>
      <testsuite name="empty"/>
    </testsuites>`;
  expect(read(text)).toEqual({ total: 4, failed: 2, skipped: 1, suites: ["a", "b"], failures: ["two", "three"] });
});

test("readJunit() is not led astray by names such as __proto__", () => {
  expect(read(`<testsuite name="__proto__"><testcase name="constructor"/></testsuite>`)).toMatchObject({ total: 1, failed: 0 });
});
