// What the screens read of a large inbox, asked of the server as it ships (V1): sections page by page, counts, threads, searches.
import { Client } from 'pg';
import { installFor, type Rep } from '../sandbox/demo/rep.ts';
import { connectNumber, startCompany, type CompanyOptions } from './company.ts';
import { measureExport } from './export.ts';
import { fillInbox, type Filled } from './inbox-fill.ts';

export interface InboxOptions extends CompanyOptions {
  readonly messages: number;
  readonly conversations: number;
}

/** In ms, p95, as the issue of this project demands them. */
const limits = { page: 50, thread: 50, search: 200 } as const;
const longest = 10_000;

/** Prints what each reading took. Answers what was too slow, if anything was. */
export async function measureInbox(options: InboxOptions): Promise<string | undefined> {
  const here = await startCompany(options);
  try {
    const [rep, other] = [await here.rep('Erik Lund', true), await here.rep('Sara Holm', true)];
    // One of four is a colleague's own: what is walked past must cost nothing.
    const channelIds: string[] = [];
    for (const owner of [rep, rep, other, other]) {
      const at = channelIds.length;
      const visibility = at === 3 ? 'private' : 'shared';
      channelIds.push((await connectNumber(here.sandbox, owner, `+4670000000${at}`, visibility)).channelId);
    }
    const filled = await here.restart(async () => {
      const begun = performance.now();
      const inbox = await fillInbox({
        ...options,
        companyId: String(here.company.id),
        channelIds,
        userIds: [String(rep.user.id), String(other.user.id)],
        longest,
      });
      await settle(options.databaseUrl);
      const seconds = Math.round((performance.now() - begun) / 1_000);
      console.log(`${options.messages} messages in ${options.conversations} conversations, filled in ${seconds} s`);
      return inbox;
    });
    const signedIn = await installFor(here.sandbox, rep.user);
    const slow = await readAll(signedIn, filled, options.conversations);
    // The fourth channel is a colleague's own.
    const numbers = Array.from({ length: options.conversations }, (_, at) => at).filter((at) => at % 4 !== 3);
    const expected = numbers.reduce((sum, at) => sum + filled.sizeOf(at), 0);
    slow.push(...(await measureExport(signedIn, here.server(), expected)));
    console.log(`memory      ${here.server().memory()} MB after all of it`);
    return slow.length > 0 ? slow.join('; ') : undefined;
  } finally {
    await here.stop();
  }
}

interface Page {
  readonly data: readonly { readonly id: string }[];
  readonly nextCursor: string | null;
}

async function readAll(rep: Rep, filled: Filled, conversations: number): Promise<string[]> {
  const slow: string[] = [];
  const tell = (what: string, took: readonly number[], limit: number): void => {
    const [p50, p95] = [share(took, 0.5), share(took, 0.95)];
    console.log(`${what.padEnd(40)} p50 ${p50.toFixed(1).padStart(6)} ms   p95 ${p95.toFixed(1).padStart(6)} ms`);
    if (p95 > limit) slow.push(`${what}: ${p95.toFixed(0)} ms`);
  };
  const list = (query: string): Promise<Page> => rep.call<Page>('GET', `/api/conversations?${query}`);
  const repeat = async (rounds: number, work: (round: number) => Promise<unknown>): Promise<number[]> => {
    const took: number[] = [];
    for (let round = 0; round < rounds; round += 1) took.push(await timed(() => work(round)));
    return took;
  };

  const counts = await rep.call<Record<string, { total: number }>>('GET', '/api/conversations/counts');
  tell('counts', await repeat(40, () => rep.call('GET', '/api/conversations/counts')), limits.page);
  for (const section of ['unassigned', 'mine', 'others', 'closed', 'all']) {
    tell(`${section}, first page`, await repeat(40, () => list(`section=${section}`)), limits.page);
    const { took, ids } = await walk((cursor) => list(`section=${section}&limit=100${cursor}`));
    const tenth = Math.max(1, Math.floor(took.length / 10));
    const [first, last] = [share(took.slice(0, tenth), 0.5), share(took.slice(-tenth), 0.5)];
    console.log(
      `${section}, every page of 100`.padEnd(40) +
        ` first tenth ${first.toFixed(1)} ms, last tenth ${last.toFixed(1)} ms; ${took.length} pages, ${ids.size} found`,
    );
    if (last > first * 1.5 + 2)
      slow.push(`${section}: ${last.toFixed(1)} ms at its end, ${first.toFixed(1)} ms at its start`);
    const total = section === 'all' ? undefined : counts[section]!.total;
    if (total !== undefined && total !== ids.size) slow.push(`${section}: ${ids.size} found of ${total} counted`);
  }
  tell('least time left, first page', await repeat(40, () => list('section=all&sort=closing')), limits.page);

  const open = (id: string): Promise<unknown> =>
    Promise.all(
      ['', '/messages?limit=50', '/timeline'].map((part) => rep.call('GET', `/api/conversations/${id}${part}`)),
    );
  const visible = (round: number): string => filled.idOf(((round * 4_001) % (conversations / 4)) * 4);
  tell('opening a thread', await repeat(100, (round) => open(visible(round))), limits.thread);
  tell(`opening one of ${longest} messages`, await repeat(40, () => open(filled.longestId)), limits.thread);

  // From words that stand in every tenth message to words that stand in a handful, whole and in part, and names.
  const ranks = [0, 1, 2, 3, 5, 8, 10, 12, 16, 30, 60, 120, 300, 700, 1_500, 3_000, 6_000, 12_000, 19_000];
  const words = ranks.map((rank) => filled.words[rank]!);
  const searches = [
    ...words,
    ...words.map((word) => word.slice(1, -1)),
    ...words.slice(1).map((word, at) => `${words[at]} ${word}`),
    ...[40, 4_000, 44_444].map((at) => filled.nameOf(at)),
    ...['öberg', 'Åke', 'Zoë Ek', 'é', 'ob', 'h', 'finnsintealls', 'hej finnsintealls'],
  ];
  const took: number[] = [];
  for (const q of searches) {
    const own = await repeat(4, () => list(`q=${encodeURIComponent(q)}`));
    took.push(...own);
    if (process.env.BENCH_WORDS) console.log(`  ${q.padEnd(36)} ${share(own, 0.5).toFixed(1)} ms`);
  }
  tell(`${searches.length} searches, four times each`, took, limits.search);
  return slow;
}

async function walk(page: (cursor: string) => Promise<Page>): Promise<{ took: number[]; ids: Set<string> }> {
  const [took, ids]: [number[], Set<string>] = [[], new Set()];
  let cursor = '';
  for (;;) {
    const start = performance.now();
    const { data, nextCursor } = await page(cursor);
    took.push(performance.now() - start);
    for (const { id } of data) ids.add(id);
    if (nextCursor === null) return { took, ids };
    cursor = `&cursor=${encodeURIComponent(nextCursor)}`;
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function share(took: readonly number[], part: number): number {
  const sorted = [...took].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
}

/** PostgreSQL does this by itself, within minutes; an inbox that has grown for years was never without it. */
async function settle(databaseUrl: string): Promise<void> {
  if (!databaseUrl.startsWith('postgres')) return;
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query('vacuum analyze');
  await client.end();
}
