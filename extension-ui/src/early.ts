// What the first screen of the floating window is made of is asked for while its script is still on its way: on a slow line that
// is half a second. Stands in the page itself (vite.config.ts); `api.ts` takes the answers, and asks by itself for what is missing.

export interface Early {
  /** The signed token that the session was asked for with. */
  readonly token: string;
  readonly session: Promise<Response>;
  /** By path; each is good once. */
  readonly answers: Map<string, Promise<Response>>;
}

declare global {
  interface Window {
    early?: Early;
  }
}

/** What changes after the session was opened is told by the stream. */
const paths = [
  '/api/users',
  '/api/channels',
  '/api/conversations/counts',
  '/api/conversations?section=unassigned&sort=newest&limit=50',
];

const token = new URLSearchParams(location.search).get('token');
if (token) {
  const session = fetch('/api/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token }),
  });
  const ask = async (path: string): Promise<Response> => {
    const answer = await session;
    if (!answer.ok) throw new Error('no session');
    const opened = (await answer.clone().json()) as { token: string };
    return fetch(path, { headers: { authorization: `Bearer ${opened.token}` } });
  };
  const answers = new Map(paths.map((path) => [path, ask(path)]));
  // Whoever takes one hears what became of it.
  for (const answer of [session, ...answers.values()]) answer.catch(() => undefined);
  window.early = { token, session, answers };
}
