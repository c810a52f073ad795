// A rep of the demo: installs the app as a browser does, then works through the app's own API.
import type { User } from '../pipedrive/state.ts';
import type { Sandbox } from '../sandbox.ts';

export interface Rep {
  readonly user: User;
  call<T = unknown>(method: string, path: string, body?: unknown): Promise<T>;
  /** The answer as it comes, for what is too long to be held. */
  read(path: string): Promise<Response>;
}

/** Installs the app for this user, cookies and redirects included, and opens a session with the extension's token. */
export async function installFor(sandbox: Sandbox, user: User): Promise<Rep> {
  const url = sandbox.appUrl();
  const begun = await fetch(`${url}/install`, { redirect: 'manual' });
  const cookies = begun.headers.getSetCookie().map((cookie) => cookie.split(';')[0]);
  const back = sandbox.pipedrive.authorize(user, begun.headers.get('location') ?? '');
  const done = await fetch(back, { redirect: 'manual', headers: { cookie: cookies.join('; ') } });
  if (done.status >= 400) throw new Error(`Installing for ${user.name} answered ${done.status}`);
  const answer = await fetch(`${url}/api/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token: sandbox.pipedrive.signedToken(user) }),
  });
  const { token } = (await answer.json()) as { token?: string };
  if (!token) throw new Error(`No session for ${user.name}: ${answer.status}`);
  return {
    user,
    call: (method, path, body) => call(url, token, method, path, body),
    read: (path) => ask(url, token, 'GET', path, undefined),
  };
}

async function call<T>(url: string, token: string, method: string, path: string, body: unknown): Promise<T> {
  const text = await (await ask(url, token, method, path, body)).text();
  return (text === '' ? undefined : JSON.parse(text)) as T;
}

async function ask(url: string, token: string, method: string, path: string, body: unknown): Promise<Response> {
  const answer = await fetch(url + path, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (answer.ok) return answer;
  throw new Error(`${method} ${path} answered ${answer.status}: ${(await answer.text()).slice(0, 300)}`);
}
