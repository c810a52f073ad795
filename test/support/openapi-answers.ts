// Holds what the app answers and streams against the description that outsiders rely on. Every call that a test makes through a
// user of its world goes through here, so that no answer leaves its shape unnoticed.
import Ajv, { type ValidateFunction } from 'ajv';
import { z } from 'zod';
import { events } from '../../src/web/contract.ts';
import { openApi } from '../../src/web/openapi.ts';

interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly responses: Responses }>>>>;
}
type Responses = Readonly<Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>>;

const ajv = new Ajv({ unknownFormats: 'ignore', allErrors: true, logger: false });
const compiled = new Map<object, ValidateFunction>();

/** What is wrong with the answer, or nothing; a path that is not described is not looked at. */
export function answerFault(method: string, path: string, status: number, body: unknown): string | undefined {
  const { pathname } = new URL(path, 'http://app');
  const responses = responsesOf(method, pathname);
  if (!responses) return undefined;
  const content = (responses[status] ?? (status >= 400 ? responses.default : undefined))?.content;
  const where = `${method} ${pathname} answered ${status}`;
  if (!(status in responses) && status < 400) return `${where}, which is not described`;
  if (!content) return body === undefined ? undefined : `${where} with a body, and none is described`;
  const schema = content['application/json']?.schema;
  // Another type than JSON is a text to us.
  if (!schema || (typeof body === 'string' && Object.keys(content).length > 1)) return undefined;
  return faultOf(where, schema, body);
}

/** What is wrong with an event of the stream, or nothing. */
export function eventFault(name: string, data: unknown): string | undefined {
  const shape = (events as Readonly<Record<string, z.ZodType>>)[name];
  return shape ? faultOf(`event ${name}`, schemaOf(shape), data) : `event ${name} is not described`;
}

function responsesOf(method: string, pathname: string): Responses | undefined {
  const { paths } = openApi as unknown as Described;
  const parts = pathname.split('/');
  const candidates = Object.entries(paths).filter(([path, operations]) => {
    const wanted = path.split('/');
    const isThis =
      wanted.length === parts.length && wanted.every((part, at) => part.startsWith('{') || part === parts[at]);
    return isThis && method.toLowerCase() in operations;
  });
  // A name that is written out goes before one that stands for any.
  const [found] = candidates.sort(([left], [right]) => left.split('{').length - right.split('{').length);
  return found?.[1][method.toLowerCase()]!.responses;
}

const schemas = new Map<z.ZodType, object>();

function schemaOf(shape: z.ZodType): object {
  const known = schemas.get(shape);
  if (known) return known;
  const { $schema, ...schema } = z.toJSONSchema(shape, { io: 'output', unrepresentable: 'any' });
  void $schema;
  schemas.set(shape, schema);
  return schema;
}

function faultOf(where: string, schema: object, value: unknown): string | undefined {
  let validate = compiled.get(schema);
  if (!validate) {
    validate = ajv.compile(schema);
    compiled.set(schema, validate);
  }
  if (validate(value)) return undefined;
  const faults = validate.errors!.slice(0, 3).map(({ dataPath, message, params }) => {
    return `${dataPath || 'the whole'} ${message} ${JSON.stringify(params)}`;
  });
  return `${where}, not as described: ${faults.join('; ')}`;
}
