import { answer } from "@cairn/api";
import { Button, Code, Container, Paper, Stack, Text, TextInput, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { api, queries } from "../api.ts";
import { Brand } from "../parts/brand.tsx";
import { ProblemNote } from "../parts/problem.tsx";

/** Signs in by a one-time link. The secret stands behind the #, which no server and no log ever sees; using it takes a click, so that a preview of the link spends nothing. */
export default function Login() {
  useDocumentTitle("Sign in · Cairn");
  const [search] = useSearchParams();
  const navigate = useNavigate();
  const [linked] = useState(() => new URLSearchParams(window.location.hash.slice(1)).get("token") ?? "");
  const [token, setToken] = useState(linked);
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const signIn = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await answer(api.POST("/api/auth/redeem", { body: { token: token.trim(), as: "session" } }));
      queries.clear();
      const then = search.get("then") ?? "/";
      void navigate(then.startsWith("/") && !then.startsWith("//") ? then : "/", { replace: true });
    } catch (thrown) {
      setError(thrown);
      setBusy(false);
    }
  };
  return (
    <>
      <Brand />
      <Container size={440} py={80} component="main">
        <Paper withBorder p="xl">
          <form
            onSubmit={(event) => {
              event.preventDefault();
              void signIn();
            }}
          >
            <Stack>
              <Title order={1}>Sign in to Cairn</Title>
              {linked && !error ? (
                <Text>This link signs this browser in, once.</Text>
              ) : (
                <>
                  <Text>
                    Open a one-time link. On the platform's machine <Code>cairn login --link</Code> makes one; it works once, for 15
                    minutes.
                  </Text>
                  <TextInput
                    label="Code of the link"
                    value={token}
                    onChange={(event) => setToken(event.currentTarget.value)}
                    autoComplete="off"
                    spellCheck={false}
                    required
                  />
                </>
              )}
              <ProblemNote error={error} />
              <Button type="submit" loading={busy} disabled={token.trim() === ""}>
                Sign in
              </Button>
            </Stack>
          </form>
        </Paper>
      </Container>
    </>
  );
}
