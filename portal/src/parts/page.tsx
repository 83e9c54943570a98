import { Anchor, Breadcrumbs, Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import type { UseQueryResult } from "@tanstack/react-query";
import { useEffect, useState, type ReactNode } from "react";
import { Link } from "react-router";
import { ProblemNote } from "./problem.tsx";

export function Page(props: {
  title: string;
  path?: { name: string; to: string }[];
  aside?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}) {
  useDocumentTitle(`${props.title} · Cairn`);
  return (
    <Stack gap="lg">
      <div>
        {props.path && props.path.length > 0 && (
          <Breadcrumbs mb={6}>
            {props.path.map(({ name, to }) => (
              <Anchor component={Link} to={to} key={to} size="sm">
                {name}
              </Anchor>
            ))}
          </Breadcrumbs>
        )}
        <Group justify="space-between" align="flex-start" gap="sm">
          <Group gap="sm" align="center">
            <Title order={1} className="anywhere">
              {props.title}
            </Title>
            {props.aside}
          </Group>
          {props.actions && <Group gap="xs">{props.actions}</Group>}
        </Group>
      </div>
      {props.children}
    </Stack>
  );
}

export function Section({ title, actions, children }: { title: string; actions?: ReactNode; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <Group justify="space-between" mb="xs">
        <Title order={2}>{title}</Title>
        {actions}
      </Group>
      {children}
    </section>
  );
}

/** An answer of the API, once it is there; its refusal, where it is refused; quiet bars, where it takes longer than 200 ms. `title` heads the refusal where the answer is the whole page, and `path` leads on from it; `with` are answers that stand high on it: they are waited for too, so that nothing jumps when they come. */
export function Answered<T>(props: {
  query: UseQueryResult<T>;
  title?: string;
  path?: { name: string; to: string }[];
  with?: readonly Pick<UseQueryResult, "isLoading">[];
  children: (data: T) => ReactNode;
}) {
  const { query, title, children } = props;
  const [shown, show] = useState(false);
  const complete = !(props.with ?? []).some(({ isLoading }) => isLoading);
  useEffect(() => {
    if (complete && query.data !== undefined) show(true);
  }, [complete, query.data]);
  if (query.data !== undefined && (complete || shown)) return <>{children(query.data)}</>;
  if (query.error) {
    const note = <ProblemNote error={query.error} retry={() => void query.refetch()} />;
    return title === undefined ? (
      note
    ) : (
      <Page title={title} {...(props.path && { path: props.path })}>
        {note}
      </Page>
    );
  }
  return <Waiting />;
}

export function Waiting() {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 200);
    return () => clearTimeout(timer);
  }, []);
  return (
    <Stack gap="xs" mih={160} aria-busy="true">
      {late && [70, 90, 50].map((width) => <Skeleton key={width} height={18} width={`${width}%`} />)}
    </Stack>
  );
}

/** What stands where there is nothing yet: why, and the first step. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <Stack gap={4} align="flex-start" p="lg" className="empty">
      <Text fw={600}>{title}</Text>
      <Text component="div" c="dimmed">
        {children}
      </Text>
    </Stack>
  );
}
