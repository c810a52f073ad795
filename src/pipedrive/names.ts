// What the ids in a record stand for: pipelines with their stages, users, organizations. Lists that change rarely are kept a while.
import { z } from 'zod';
import type { PipedriveClient } from './client.ts';

export interface PipelineWithStages {
  readonly id: string;
  readonly name: string;
  readonly stages: readonly { readonly id: string; readonly name: string }[];
}

const keepMs = 5 * 60_000;
interface Kept<T> {
  readonly value: Promise<T>;
  readonly until: number;
}

/** What changes rarely and is read often, for some minutes per company. */
function kept<T>(read: (client: PipedriveClient) => Promise<T>): (client: PipedriveClient) => Promise<T> {
  const caches = new WeakMap<object, Map<string, Kept<T>>>();
  return (client) => {
    const cache = caches.get(client.scope) ?? new Map<string, Kept<T>>();
    caches.set(client.scope, cache);
    const key = client.grant.companyId;
    const now = performance.now();
    const known = cache.get(key);
    if (known && known.until > now) return known.value;
    if (cache.size > 500) cache.clear();
    const value = read(client);
    cache.set(key, { value, until: now + keepMs });
    value.catch(() => cache.delete(key));
    return value;
  };
}

export const listPipelines = kept(async (client): Promise<PipelineWithStages[]> => {
  const pipelines = z
    .object({ data: z.array(z.object({ id: z.number(), name: z.string(), order_nr: z.number().nullish() })).nullish() })
    .parse(
      await client.v2(
        (sdk) => sdk.PipelinesApi,
        (api) => api.getPipelines({ limit: 100 }),
      ),
    ).data;
  const stages = z
    .object({
      data: z
        .array(z.object({ id: z.number(), name: z.string(), pipeline_id: z.number(), order_nr: z.number().nullish() }))
        .nullish(),
    })
    .parse(
      await client.v2(
        (sdk) => sdk.StagesApi,
        (api) => api.getStages({ limit: 500 }),
      ),
    ).data;
  const byOrder = (
    left: { order_nr?: number | null | undefined },
    right: { order_nr?: number | null | undefined },
  ): number => (left.order_nr ?? 0) - (right.order_nr ?? 0);
  return (pipelines ?? []).sort(byOrder).map((pipeline) => ({
    id: String(pipeline.id),
    name: pipeline.name,
    stages: (stages ?? [])
      .filter((stage) => stage.pipeline_id === pipeline.id)
      .sort(byOrder)
      .map((stage) => ({ id: String(stage.id), name: stage.name })),
  }));
});

const listUserNames = kept(async (client): Promise<Map<number, string>> => {
  const answer = await client.v1(
    (sdk) => sdk.UsersApi,
    (api) => api.getUsers(),
  );
  const users = z.object({ data: z.array(z.object({ id: z.number(), name: z.string() })) }).parse(answer).data;
  return new Map(users.map(({ id, name }) => [id, name]));
});

/** Names are an ornament: a missing right to read them must not hinder linking. */
export async function ownerName(client: PipedriveClient, ownerId: number | null | undefined): Promise<string | null> {
  if (!ownerId) return null;
  const names = await listUserNames(client).catch(() => new Map<number, string>());
  return names.get(ownerId) ?? null;
}

export async function organizationName(client: PipedriveClient, id: number | null | undefined): Promise<string | null> {
  if (!id) return null;
  const answer = await client
    .v2(
      (sdk) => sdk.OrganizationsApi,
      (api) => api.getOrganization({ id }),
    )
    .catch(() => undefined);
  return z.object({ data: z.object({ name: z.string() }) }).safeParse(answer).data?.data.name ?? null;
}
