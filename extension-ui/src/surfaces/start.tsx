// Begins a surface: language, session, host, store; and what stands there when it cannot begin.
import { render, type ComponentChildren } from 'preact';
import type { Me } from '../../../src/web/contract.ts';
import { ApiError, createApi, type Api } from '../api.ts';
import { connectHost, readFrameQuery, type FrameQuery, type Host } from '../host.ts';
import { Empty } from '../parts/empty.tsx';
import { loadTexts, t, type LanguageCode } from '../texts.ts';
import '../theme.css';
import '../screens.css';

export interface Started {
  readonly api: Api;
  readonly me: Me;
  readonly host: Host | null;
  readonly query: FrameQuery | null;
}

const root = document.querySelector<HTMLElement>('#root')!;

export function show(content: ComponentChildren): void {
  render(content, root);
}

/** Inside Pipedrive: the signed token of the address opens the session, the host renews it. */
export async function startInFrame(
  draw: (started: Started) => void | Promise<void>,
  size?: { height?: number; width?: number },
): Promise<void> {
  await loadTexts(pageLanguage());
  const query = readFrameQuery();
  if (!query) return show(<Empty icon="plug" title={t('frame.outside.title')} body={t('frame.outside.body')} />);
  // Opened by its address alone there is no page around it to wait for.
  const hosting = window.parent === window ? null : connectHost(query, size);
  let firstToken: string | undefined = query.token;
  const api = createApi({
    signedToken: async () => {
      const token = firstToken ?? (await (await hosting)?.signedToken());
      firstToken = undefined;
      if (token === undefined) throw new ApiError(401, { code: 'unauthenticated', message: t('frame.outside.body') });
      return token;
    },
    onSignedOut: () => undefined,
  });
  void hosting
    ?.then((host) => host.onTheme((theme) => (document.documentElement.dataset.theme = theme)))
    .catch(() => undefined);
  try {
    const me = await api.me();
    await loadTexts(me.user.language);
    // The inbox is drawn all the same when the page around it does not answer.
    const host = await Promise.race([hosting, new Promise<null>((resolve) => setTimeout(() => resolve(null), 3_000))]);
    await draw({ api, me, host, query });
  } catch (error) {
    explainStart(error, () => void startInFrame(draw, size));
  }
}

/** In a tab of its own: the cookie is the session; without one the user signs in through Pipedrive. */
export async function startInTab(draw: (started: Started) => void): Promise<void> {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const follow = (): void => void (document.documentElement.dataset.theme = dark.matches ? 'dark' : 'light');
  follow();
  dark.addEventListener('change', follow);
  await loadTexts(pageLanguage());
  const signIn = (): void => void (location.href = `/install?next=${encodeURIComponent(location.pathname)}`);
  const api = createApi({ onSignedOut: signIn });
  try {
    const me = await api.me();
    await loadTexts(me.user.language);
    draw({ api, me, host: null, query: null });
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) explainStart(error, () => void startInTab(draw));
  }
}

function pageLanguage(): LanguageCode {
  return document.documentElement.lang === 'sv' ? 'sv' : 'en';
}

function explainStart(error: unknown, again: () => void): void {
  if (error instanceof ApiError && error.code === 'app_not_installed') {
    return show(
      <div class="surface centered">
        <Empty icon="plug" title={t('install.title')} body={t('install.needed')}>
          <a class="button primary" href="/install" target="_blank" rel="noopener">
            {t('install.action')}
          </a>
          <button type="button" class="button" onClick={again}>
            {t('install.done')}
          </button>
        </Empty>
      </div>,
    );
  }
  show(
    <div class="surface centered">
      <Empty
        icon="wifi-off"
        title={t('empty.failed.title')}
        body={error instanceof ApiError && error.message ? error.message : t('empty.failed')}
      >
        <button type="button" class="button" onClick={again}>
          {t('tryAgain')}
        </button>
      </Empty>
    </div>,
  );
}
