import type { Command } from "commander";
import { answer, type Answered } from "@cairn/api";
import { tell } from "../answer.ts";
import { ago, bold, dim, facts, plain, status, table } from "../print.ts";
import { session } from "../session.ts";

type Inbox = Answered<"listInbox">;
type Delivery = Answered<"listWebhookDeliveries">["deliveries"][number];

/** What a person must know, and where else it is sent. */
export function inboxCommands(program: Command): void {
  const inbox = program.command("inbox").description("what you must know");
  inbox
    .command("list", { isDefault: true })
    .description("what you have not read; with --all everything")
    .option("-a, --all", "what you have read too")
    .action(async (options: { all?: boolean }, command: Command) => {
      const { api } = await session(process.env);
      const query = { limit: 100, ...(!options.all && { unread: "true" }) };
      tell(command, await answer(api.GET("/api/inbox", { params: { query } })), inboxText);
    });
  inbox
    .command("read [ids...]")
    .description("mark as read: the ones named, or --all")
    .option("-a, --all", "all of it")
    .action(async (ids: string[], options: { all?: boolean }, command: Command) => {
      const { api } = await session(process.env);
      const body = { ids: options.all ? ("all" as const) : ids };
      tell(command, await answer(api.POST("/api/inbox/read", { body })), ({ marked }) => `Marked ${marked} as read.`);
    });

  const webhooks = program.command("webhooks").description("where notices are sent, signed");
  webhooks
    .command("list", { isDefault: true })
    .description("webhooks")
    .action(async (_options, command: Command) => {
      const { api } = await session(process.env);
      tell(command, await answer(api.GET("/api/webhooks")), (found) =>
        table(
          found.webhooks,
          [
            { title: "WEBHOOK", value: (row) => row.id },
            { title: "ADDRESS", value: (row) => row.url },
            { title: "KINDS", value: (row) => row.kinds.join(", ") || "all" },
            { title: "STATE", value: (row) => (row.disabled ? `off: ${row.disabled.because}` : "on") },
            { title: "ADDED", value: (row) => `${ago(row.createdAt, new Date())} by ${row.createdBy}` },
          ],
          "No webhook. Add one: cairn webhooks add https://example.com/hooks",
        ),
      );
    });
  webhooks
    .command("add <url>")
    .description("send notices to an address; shows the signing secret once")
    .option("-k, --kind <kind...>", "only these, e.g. break_glass.opened; without it all")
    .option("-d, --description <text>", "", "")
    .option("--this-machine", "it lies on this very machine: http://127.0.0.1:PORT/...")
    .action(async (url: string, options: { kind?: string[]; description: string; thisMachine?: boolean }, command: Command) => {
      const { api } = await session(process.env);
      const { description, kind, thisMachine } = options;
      const body = { url, description, kinds: (kind ?? []) as Inbox["items"][number]["kind"][], thisMachine: thisMachine ?? false };
      tell(command, await answer(api.POST("/api/webhooks", { body })), ({ webhook, secret }) =>
        [
          `Added ${webhook.id}.`,
          `Signing secret, shown this once: ${bold(secret)}`,
          `See whether it arrives: cairn webhooks test ${webhook.id}`,
        ].join("\n"),
      );
    });
  webhooks
    .command("remove <webhook>")
    .description("send nothing there any more")
    .action(async (id: string, _options, command: Command) => {
      const { api } = await session(process.env);
      await answer(api.DELETE("/api/webhooks/{id}", { params: { path: { id } } }));
      tell(command, { removed: id }, () => `Removed ${id}.`);
    });
  webhooks
    .command("test <webhook>")
    .description("send a message that means nothing")
    .action(async (id: string, _options, command: Command) => {
      const { api } = await session(process.env);
      tell(
        command,
        await answer(api.POST("/api/webhooks/{id}/test", { params: { path: { id } } })),
        (delivery) => `Sending ${delivery.id}. How it went: cairn webhooks deliveries ${id}`,
      );
    });
  webhooks
    .command("deliveries <webhook>")
    .description("what was sent there, and how each attempt went")
    .action(async (id: string, _options, command: Command) => {
      const { api } = await session(process.env);
      tell(command, await answer(api.GET("/api/webhooks/{id}/deliveries", { params: { path: { id } } })), (log) =>
        table(
          log.deliveries,
          [
            { title: "MESSAGE", value: (row) => row.id },
            { title: "KIND", value: (row) => row.kind },
            { title: "STATE", value: (row) => row.state.replace("_", " ") },
            { title: "ATTEMPTS", value: (row) => row.attempts.length, align: "right" },
            { title: "LAST", value: lastOf },
            { title: "NEXT", value: (row) => (row.nextAt ? ago(row.nextAt, new Date()) : "-") },
          ],
          "Nothing was sent there yet.",
        ),
      );
    });
  webhooks
    .command("retry <webhook> <message>")
    .description("try a message once more")
    .action(async (id: string, delivery: string, _options, command: Command) => {
      const { api } = await session(process.env);
      tell(
        command,
        await answer(api.POST("/api/webhooks/{id}/deliveries/{delivery}/retry", { params: { path: { id, delivery } } })),
        () => `Trying. How it went: cairn webhooks deliveries ${id}`,
      );
    });
}

const lastOf = ({ attempts }: Delivery): string => {
  const last = attempts.at(-1);
  return last ? `${last.status ?? "no answer"} ${last.detail}` : "-";
};

function inboxText({ items, unread }: Inbox): string {
  if (items.length === 0) return "Nothing you have not read. Everything: cairn inbox --all";
  const lines = items.flatMap((item) => [
    `${item.urgent && !item.readAt ? status("held").replace("held", "urgent") : item.readAt ? dim("read") : "· new"}  ${bold(plain(item.title))}  ${dim(ago(item.at, new Date()))}`,
    `    ${plain(item.body)}`,
    dim(`    ${item.id}  ${item.link}`),
  ]);
  return [...lines, facts([["Unread", unread]]), dim("When you have read it: cairn inbox read --all")].join("\n");
}
