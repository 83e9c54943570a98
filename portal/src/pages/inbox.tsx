import { answer } from "@cairn/api";
import { Anchor, Button, Group, SegmentedControl, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, useAnswer } from "../api.ts";
import { useAddress } from "../parts/address.ts";
import { Equivalents } from "../parts/equivalents.tsx";
import { plain } from "../parts/names.ts";
import { Answered, Empty, Page } from "../parts/page.tsx";
import { ProblemNote } from "../parts/problem.tsx";
import { Row, Rows } from "../parts/rows.tsx";
import { Status } from "../parts/status.tsx";
import { Time } from "../parts/time.tsx";

/** What must I know? */
export default function InboxPage() {
  const client = useQueryClient();
  const address = useAddress();
  const which = address.oneOf("show", ["unread", "all"]);
  const query = { limit: 100, ...(which === "unread" && { unread: "true" }) };
  const inbox = useAnswer(["inbox", which], () => api.GET("/api/inbox", { params: { query } }), { keep: true });
  const mark = useMutation({
    mutationFn: (ids: string[] | "all") => answer(api.POST("/api/inbox/read", { body: { ids } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ["inbox"] }),
  });
  const unread = inbox.data?.unread ?? 0;
  return (
    <Page
      title="Inbox"
      aside={unread > 0 && <Text c="dimmed">{unread} unread</Text>}
      actions={
        <>
          <Equivalents cli="cairn inbox" api="GET /api/inbox?unread=true" />
          <Button variant="default" size="xs" disabled={unread === 0} loading={mark.isPending} onClick={() => mark.mutate("all")}>
            Mark all as read
          </Button>
        </>
      }
    >
      <Group justify="space-between">
        <SegmentedControl
          size="xs"
          aria-label="Which notices"
          value={which}
          onChange={(value) => address.set({ show: value === "unread" ? null : value })}
          data={[
            { value: "unread", label: "Unread" },
            { value: "all", label: "All" },
          ]}
        />
        <Group gap="md">
          <Anchor component={Link} to="/break-glass" size="sm">
            Break-glasses
          </Anchor>
          <Anchor component={Link} to="/webhooks" size="sm">
            Webhooks
          </Anchor>
        </Group>
      </Group>
      <ProblemNote error={mark.error} />
      <Answered query={inbox}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={which === "unread" ? "Nothing you have not read" : "Nothing yet"}>
              Here stands what you must know: approvals that are wanted of you, releases that were held or rolled back, checks that failed
              on your changes, break-glasses.
            </Empty>
          ) : (
            <Rows label="Notices">
              {items.map(({ id, title, body, link, at, urgent, readAt }) => (
                <Row
                  key={id}
                  sign={
                    <Status
                      of={readAt ? "closed" : urgent ? "warned" : "pending"}
                      label={readAt ? "read" : urgent ? "urgent" : "new"}
                      bare
                    />
                  }
                  title={
                    <Anchor component={Link} to={link} fw={readAt ? 400 : 600} onClick={() => !readAt && mark.mutate([id])}>
                      {plain(title)}
                    </Anchor>
                  }
                  below={<span className="anywhere">{plain(body)}</span>}
                >
                  <Time at={at} />
                  {!readAt && (
                    <Button size="compact-xs" variant="subtle" onClick={() => mark.mutate([id])} aria-label={`Mark as read: ${title}`}>
                      Read
                    </Button>
                  )}
                </Row>
              ))}
            </Rows>
          )
        }
      </Answered>
    </Page>
  );
}
