// Holds requests that were made against a vendor's own description of its API (OpenAPI 3.0): method, path, parameters, body.
// Stricter than the description in one thing: a name that it does not have is a fault, for a vendor would not look at it.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import Ajv from 'ajv';

/** A request as it left: `target` is the path with its query. */
export interface RecordedRequest {
  readonly method: string;
  readonly target: string;
  readonly contentType: string;
  readonly body: string;
}

type Schema = Readonly<Record<string, unknown>>;

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema?: Schema;
  readonly style?: string;
  readonly explode?: boolean;
}

interface Operation {
  /** Pipedrive's price for it. */
  readonly 'x-token-cost'?: number;
  readonly parameters?: readonly (Parameter | Reference)[];
  readonly requestBody?: Body | Reference;
}

interface Body {
  readonly required?: boolean;
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}

interface Reference {
  readonly $ref: string;
}

interface PathItem {
  readonly servers?: readonly { readonly url: string }[];
  readonly parameters?: readonly (Parameter | Reference)[];
  readonly [method: string]: unknown;
}

/** An OpenAPI 3.0 document as it was parsed, references and all. */
export interface OpenApiDocument {
  readonly servers?: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, PathItem>>;
  readonly components?: object;
}

/**
 * What is wrong with the requests, a sentence each and each once; empty when a vendor would take them all. A request that is in
 * none of the documents is a fault, and so is one that breaks the first document that has it.
 */
export function requestFaults(requests: readonly RecordedRequest[], ...documents: OpenApiDocument[]): string[] {
  const readers = documents.map(readerOf);
  const faults = requests.flatMap((request) => {
    const { pathname } = new URL(request.target, 'http://vendor');
    const name = `${request.method} ${pathname}`;
    for (const reader of readers) {
      const found = reader.find(request.method, pathname);
      if (found) return reader.faults(request, found).map((fault) => `${name}: ${fault}`);
    }
    return [`${name}: no such call`];
  });
  return [...new Set(faults)];
}

/** What Pipedrive's description says that a request costs of the day's tokens; nothing where it does not say. */
export function tokenCost({ method, target }: RecordedRequest, ...documents: OpenApiDocument[]): number | undefined {
  const { pathname } = new URL(target, 'http://vendor');
  const found = documents.map((document) => readerOf(document).find(method, pathname)).find((one) => one !== undefined);
  return found?.operation['x-token-cost'];
}

/** Everything this process sends to `origin` from now on, until the test calls `stop`. */
export function recordRequests(origin: string): { readonly requests: RecordedRequest[]; stop: () => void } {
  const requests: RecordedRequest[] = [];
  const note = (message: unknown): void => {
    const { request } = message as { request: SentRequest };
    if (String(request.origin) !== origin) return;
    requests.push({
      method: request.method,
      target: request.path,
      contentType: headerOf(request.headers, 'content-type'),
      body: typeof request.body === 'string' || Buffer.isBuffer(request.body) ? request.body.toString() : '',
    });
  };
  subscribe('undici:request:create', note);
  return { requests, stop: () => void unsubscribe('undici:request:create', note) };
}

/** What undici says of a request that it is about to send (its diagnostics channel). */
interface SentRequest {
  readonly origin: string | URL;
  readonly method: string;
  readonly path: string;
  readonly headers: readonly string[] | string;
  readonly body: unknown;
}

function headerOf(headers: SentRequest['headers'], wanted: string): string {
  const lines =
    typeof headers === 'string'
      ? headers.split('\r\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)])
      : headers.flatMap((name, index) => (index % 2 === 0 ? [[name, headers[index + 1] ?? '']] : []));
  return lines.find(([name]) => name?.toLowerCase() === wanted)?.[1]?.trim() ?? '';
}

interface Found {
  readonly operation: Operation;
  readonly parameters: readonly Parameter[];
  readonly inPath: Readonly<Record<string, string>>;
}

function readerOf(document: OpenApiDocument) {
  const [lenient, strict] = [true, false].map((coerceTypes) => {
    const ajv = new Ajv({ nullable: true, coerceTypes, unknownFormats: 'ignore', allErrors: true, logger: false });
    return ajv.addSchema({ $id: 'api', components: document.components ?? {} });
  }) as [Ajv.Ajv, Ajv.Ajv];
  const resolve = <T extends object>(value: T | Reference): T =>
    '$ref' in value ? resolve(at(document, value.$ref) as T | Reference) : value;

  /** The places where a value breaks its schema. What forms and addresses have is text, and coerced on the way; JSON is not. */
  const broken = (ajv: Ajv.Ajv, schema: Schema, value: unknown): string[] => {
    const validate = ajv.compile(withAbsoluteReferences(schema) as object);
    if (validate({ value })) return [];
    return (validate.errors ?? []).map(({ dataPath, message }) =>
      `${dataPath.replace(/^\.value\.?/, '')} ${message}`.trim(),
    );
  };
  const check = (schema: Schema, value: unknown, ajv = lenient): string[] => [
    ...broken(ajv, { type: 'object', properties: { value: schema } }, structuredClone(value)),
    ...unknownNames(resolve, schema, value).map((name) => `${name} is no known name`),
  ];

  return {
    find(method: string, pathname: string): Found | undefined {
      const found = Object.entries(document.paths).flatMap(([template, item]): Found[] => {
        const operation = item[method.toLowerCase()] as Operation | undefined;
        const inPath = operation && match(baseOf(document, item) + template, pathname);
        if (!operation || !inPath) return [];
        const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((each) => resolve(each));
        return [{ operation, parameters, inPath }];
      });
      // A path that is named as it is comes before one with a gap that it would fill.
      return found.sort((left, right) => Object.keys(left.inPath).length - Object.keys(right.inPath).length)[0];
    },
    faults(request: RecordedRequest, { operation, parameters, inPath }: Found): string[] {
      const query = new URL(request.target, 'http://vendor').searchParams;
      const ofPlace = (place: string) => parameters.filter((parameter) => parameter.in === place);
      return [
        ...ofPlace('path').flatMap(({ name, schema }) =>
          check(schema ?? {}, inPath[name]).map((fault) => `path ${name} ${fault}`),
        ),
        ...ofPlace('query').flatMap((parameter) => {
          const given = query.getAll(parameter.name);
          if (given.length === 0) return parameter.required ? [`query ${parameter.name} is missing`] : [];
          const value = queryValue(resolve, parameter, given);
          return check(parameter.schema ?? {}, value).map((fault) => `query ${parameter.name} ${fault}`);
        }),
        ...[...new Set(query.keys())]
          .filter((name) => !ofPlace('query').some((parameter) => parameter.name === name))
          .map((name) => `query ${name} is no known name`),
        ...bodyFaults(request, operation.requestBody && resolve(operation.requestBody)),
      ];
    },
  };

  function bodyFaults(request: RecordedRequest, described: Body | undefined): string[] {
    if (request.body === '' && request.contentType === '') return described?.required ? ['body is missing'] : [];
    if (!described?.content) return ['body is not asked for'];
    const type = request.contentType.split(';')[0]!.trim().toLowerCase();
    const schema = described.content[type]?.schema;
    if (!(type in described.content)) return [`body of type ${type} is not taken`];
    if (!schema || type === 'multipart/form-data') return [];
    const value = type.endsWith('json') ? parsed(request.body) : formValue(resolve, schema, request.body);
    if (value === undefined) return ['body is no JSON'];
    return check(schema, value, type.endsWith('json') ? strict : lenient).map((fault) => `body ${fault}`);
  }
}

function at(document: OpenApiDocument, reference: string): unknown {
  const steps = reference.replace(/^#\//, '').split('/');
  return steps.reduce<unknown>(
    (here, step) => (here as Record<string, unknown>)[step.replaceAll('~1', '/').replaceAll('~0', '~')],
    document,
  );
}

function withAbsoluteReferences(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withAbsoluteReferences);
  if (typeof schema !== 'object' || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema)
      // OpenAPI's own words, which a validator of JSON Schema reads otherwise or not at all.
      .filter(([name]) => !['example', 'examples', 'discriminator', 'xml', 'externalDocs'].includes(name))
      .map(([name, value]) => [
        name,
        name === '$ref' && typeof value === 'string' && value.startsWith('#')
          ? `api${value}`
          : withAbsoluteReferences(value),
      ]),
  );
}

/** The part of the path that a description leaves to its server's address, such as `/v1`. */
function baseOf(document: OpenApiDocument, item: PathItem): string {
  const url = (item.servers ?? document.servers)?.[0]?.url ?? '/';
  return new URL(url, 'http://vendor').pathname.replace(/\/$/, '');
}

function match(template: string, pathname: string): Record<string, string> | undefined {
  const names: string[] = [];
  const pattern = template
    .split(/(\{[^}]+\})/)
    .map((part) => {
      if (!part.startsWith('{')) return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      names.push(part.slice(1, -1));
      return '([^/]+?)';
    })
    .join('');
  const values = new RegExp(`^${pattern}$`).exec(pathname);
  return values
    ? Object.fromEntries(names.map((name, index) => [name, decodeURIComponent(values[index + 1]!)]))
    : undefined;
}

type Resolve = <T extends object>(value: T | Reference) => T;

function queryValue(resolve: Resolve, parameter: Parameter, given: readonly string[]): unknown {
  const isList = parameter.schema && resolve<Schema>(parameter.schema).type === 'array';
  if (!isList) return given.length === 1 ? given[0] : given;
  return parameter.explode === false && given.length === 1 ? given[0]!.split(',') : given;
}

function formValue(resolve: Resolve, schema: Schema, body: string): Record<string, unknown> {
  const properties = (resolve<Schema>(schema).properties ?? {}) as Record<string, Schema>;
  const form = new URLSearchParams(body);
  return Object.fromEntries(
    [...new Set(form.keys())].map((name) => {
      const given = form.getAll(name);
      const isList = properties[name] && resolve<Schema>(properties[name]).type === 'array';
      return [name, isList || given.length > 1 ? given : given[0]];
    }),
  );
}

/** Names in a value that no part of its schema speaks of, in a schema that speaks of names and does not leave them open. */
function unknownNames(resolve: Resolve, schema: Schema, value: unknown, place = ''): string[] {
  const parts = partsOf(resolve, schema);
  if (Array.isArray(value)) {
    const items = parts.map((part) => part.items).find((each) => each !== undefined) as Schema | undefined;
    return items ? value.flatMap((each, index) => unknownNames(resolve, items, each, `${place}[${index}]`)) : [];
  }
  if (typeof value !== 'object' || value === null) return [];
  const spoken = parts.filter((part) => part.properties);
  if (spoken.length === 0 || parts.some((part) => part.additionalProperties)) return [];
  return Object.entries(value).flatMap(([name, each]) => {
    const here = place === '' ? name : `${place}.${name}`;
    const known = spoken.map((part) => (part.properties as Record<string, Schema>)[name]).find((one) => one);
    return known ? unknownNames(resolve, known, each, here) : [here];
  });
}

/** A schema and everything it is composed of. */
function partsOf(resolve: Resolve, schema: Schema): Schema[] {
  const whole = resolve<Schema>(schema);
  const inner = ['allOf', 'anyOf', 'oneOf'].flatMap((name) => (whole[name] as Schema[] | undefined) ?? []);
  return [whole, ...inner.flatMap((part) => partsOf(resolve, part))];
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}
