import { Anchor, Button, Group, TextInput } from "@mantine/core";
import { useState } from "react";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { useAddress } from "../parts/address.ts";
import { Digest } from "../parts/digest.tsx";
import { Equivalents } from "../parts/equivalents.tsx";
import { nameOf, pageOf, sentence } from "../parts/names.ts";
import { Older } from "../parts/older.tsx";
import { Answered, Empty, Page } from "../parts/page.tsx";
import { Row, Rows } from "../parts/rows.tsx";
import { Time } from "../parts/time.tsx";

const LIMIT = 100;
const FILTERS = [
  { name: "about", label: "About", example: "component:default/orders" },
  { name: "actor", label: "By", example: "user:default/ada" },
  { name: "type", label: "What", example: "forge.merged" },
] as const;

/** Who did what? The ledger, newest first. */
export default function Audit() {
  const address = useAddress();
  const [typed, setTyped] = useState(() => Object.fromEntries(FILTERS.map(({ name }) => [name, address.get(name) ?? ""])));
  const filters = Object.fromEntries(
    FILTERS.flatMap(({ name }) => {
      const value = address.get(name);
      return value === null ? [] : [[name, value] as const];
    }),
  );
  const before = Number(address.get("before"));
  const query = { ...filters, limit: LIMIT, ...(before > 0 && { before }) };
  const ledger = useAnswer(["ledger", query], () => api.GET("/api/ledger", { params: { query } }), { keep: true });
  return (
    <Page
      title="Audit"
      actions={<Equivalents cli="cairn audit verify" api={`GET /api/ledger?${new URLSearchParams(filters).toString()}`} />}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          address.set(Object.fromEntries(Object.entries(typed).map(([name, value]) => [name, value.trim()])));
        }}
      >
        <Group align="flex-end" gap="xs">
          {FILTERS.map(({ name, label, example }) => (
            <TextInput
              key={name}
              label={label}
              placeholder={example}
              value={typed[name]}
              onChange={(event) => setTyped({ ...typed, [name]: event.currentTarget.value })}
              style={{ flex: "1 1 180px" }}
            />
          ))}
          <Button type="submit" variant="default">
            Filter
          </Button>
        </Group>
      </form>
      <Answered query={ledger}>
        {({ events }) =>
          events.length === 0 ? (
            <Empty title="Nothing is recorded here">Every change leaves a line: who, what, about what.</Empty>
          ) : (
            <>
              <Rows label="Ledger">
                {events.map((event) => {
                  const page = pageOf(event.about);
                  return (
                    <Row
                      key={event.seq}
                      sign={<span className="number mono">{event.seq}</span>}
                      title={said(event.type)}
                      below={
                        <>
                          {page ? (
                            <Anchor component={Link} to={page} size="xs">
                              {event.about}
                            </Anchor>
                          ) : (
                            event.about
                          )}{" "}
                          by {nameOf(event.actor)}
                        </>
                      }
                    >
                      <Digest of={event.hash} length={8} />
                      <Time at={event.at} />
                    </Row>
                  );
                })}
              </Rows>
              <Older address={address} next={events.length === LIMIT ? String(events.at(-1)?.seq) : null} />
            </>
          )
        }
      </Answered>
    </Page>
  );
}

/** `releases.rolled_back` reads as "Releases: rolled back". */
const said = (type: string): string => sentence(type.replace(".", ": ").replaceAll("_", " "));
