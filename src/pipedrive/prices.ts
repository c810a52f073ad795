// What each of our calls costs of the company's tokens of the day (`x-token-cost` in Pipedrive's description of its API; held
// against it by test/shared/pipedrive-requests.test.ts). The Channels API has no price.

const prices: readonly (readonly [call: RegExp, tokens: number])[] = [
  [/^GET \/api\/v2\/(persons|deals|leads)\/search$/, 20],
  [/^GET \/api\/v2\/(persons|deals|organizations)\/\d+$/, 1],
  [/^GET \/api\/v2\/(persons|deals)$/, 10],
  [/^POST \/api\/v2\/(persons|deals)$/, 5],
  [/^GET \/api\/v2\/(pipelines|stages)$/, 5],
  [/^GET \/api\/v1\/(leads|notes|users)$/, 20],
  [/^GET \/api\/v1\/(leads|notes|users)\/[\w-]+$/, 2],
  [/^POST \/api\/v1\/(leads|notes)$/, 10],
  [/^PUT \/api\/v1\/notes\/\d+$/, 10],
  [/^(GET|POST) \/api\/v1\/webhooks$/, 10],
];

/** Tokens of one call, by its method and the path of its address; 0 for what has no price. */
export function priceOf(method: string, path: string): number {
  const call = `${method} ${path}`;
  return prices.find(([pattern]) => pattern.test(call))?.[1] ?? 0;
}
