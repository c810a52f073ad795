// The messaging manifest as Developer Hub takes it (v202101), and the calls of its addresses with the app's Basic credentials.
import type { Call } from '../listen.ts';

interface EndpointRule {
  method: 'GET' | 'POST' | 'DELETE';
  variables: readonly string[];
  required: boolean;
}

const rules = {
  getConversations: { method: 'GET', variables: ['providerChannelId'], required: true },
  getConversationById: { method: 'GET', variables: ['providerChannelId', 'sourceConversationId'], required: true },
  postMessage: { method: 'POST', variables: ['providerChannelId'], required: true },
  getSenderById: { method: 'GET', variables: ['providerChannelId', 'senderId'], required: false },
  deleteChannelById: { method: 'DELETE', variables: ['providerChannelId'], required: false },
  getTemplates: { method: 'GET', variables: ['providerChannelId'], required: false },
  getMessageById: {
    method: 'GET',
    variables: ['providerChannelId', 'sourceConversationId', 'sourceMessageId'],
    required: false,
  },
} as const satisfies Readonly<Record<string, EndpointRule>>;

export type ManifestEndpoint = keyof typeof rules;

export interface Manifest {
  version: 'v202101';
  endpoints: Partial<Record<ManifestEndpoint, string>>;
}

/** Checks it as the upload does; throws with every fault. */
export function readManifest(value: unknown): Manifest {
  const { version, endpoints, ...more } = (value ?? {}) as Record<string, unknown>;
  const given = (typeof endpoints === 'object' && endpoints !== null ? endpoints : {}) as Record<string, unknown>;
  const faults = [
    ...(version === 'v202101' ? [] : ['version must be v202101']),
    ...Object.keys(more).map((name) => `${name} is not known`),
    ...Object.keys(given)
      .filter((name) => !(name in rules))
      .map((name) => `endpoints.${name} is not known`),
    ...Object.entries<EndpointRule>(rules).flatMap(([name, rule]) => faultsOf(name, rule, given[name])),
  ];
  if (faults.length > 0) throw new Error(`The manifest is not right: ${faults.join('; ')}`);
  return value as Manifest;
}

function faultsOf(name: string, rule: EndpointRule, address: unknown): string[] {
  if (address === undefined) return rule.required ? [`endpoints.${name} is required`] : [];
  if (typeof address !== 'string' || !/^https?:\/\//.test(address)) return [`endpoints.${name} must be an address`];
  const found = [...address.matchAll(/:([A-Za-z]+)/g)].map(([, word]) => word!);
  return rule.variables.filter((word) => !found.includes(word)).map((word) => `endpoints.${name} must have :${word}`);
}

export interface AppAnswer {
  status: number;
  body: unknown;
}

export interface AppCaller {
  /** Undefined when the manifest has no such endpoint. */
  call(
    endpoint: ManifestEndpoint,
    variables: Record<string, string>,
    more?: { query?: Record<string, string>; form?: FormData },
  ): Promise<AppAnswer | undefined>;
  readonly calls: (Call & { endpoint: ManifestEndpoint })[];
}

export function createAppCaller(options: {
  manifest: () => Manifest | undefined;
  clientId: string;
  clientSecret: string;
  now: () => number;
}): AppCaller {
  const authorization = `Basic ${Buffer.from(`${options.clientId}:${options.clientSecret}`).toString('base64')}`;
  const calls: AppCaller['calls'] = [];
  return {
    calls,
    call: async (endpoint, variables, { query = {}, form } = {}) => {
      const address = options.manifest()?.endpoints[endpoint];
      if (!address) return undefined;
      // The port of an address looks like a variable's start, but begins with a digit.
      const url = new URL(
        address.replace(/:([A-Za-z]+)(?=\/|$)/g, (_, name: string) => encodeURIComponent(variables[name] ?? '')),
      );
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
      const { method } = rules[endpoint];
      const noted = { endpoint, at: new Date(options.now()).toISOString(), method, path: url.pathname, query };
      const answer = await fetch(url, { method, headers: { authorization }, ...(form ? { body: form } : {}) }).catch(
        () => undefined,
      );
      const text = (await answer?.text()) ?? '';
      const body = parse(text);
      calls.push({ ...noted, body, status: answer?.status ?? 0 });
      return { status: answer?.status ?? 0, body };
    },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
