// The OpenAPI 3.1 description of the app's own API, made from the contract.
import { z } from 'zod';
import { calls, errorBody, type Call } from './contract.ts';

type Json = Record<string, unknown>;

function schema(shape: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema, ...rest } = z.toJSONSchema(shape, { io, unrepresentable: 'any' }) as Json;
  void $schema;
  return rest;
}

const uploadForm: Json = {
  type: 'object',
  properties: { file: { type: 'string', format: 'binary' } },
  required: ['file'],
};

function contentOf(call: Call, shape: z.ZodType | null): Json {
  const types = call.streams ?? (shape ? ['application/json'] : []);
  if (types.length === 0) return {};
  const content = types.map((type) => [
    type,
    { schema: shape && type === 'application/json' ? schema(shape, 'output') : { type: 'string' } },
  ]);
  return { content: Object.fromEntries(content) as Json };
}

function operation(name: string, call: Call): Json {
  const pathParameters = [...call.path.matchAll(/:(\w+)/g)].map(([, parameter]) => ({
    name: parameter,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const query = call.query
    ? (schema(call.query, 'input') as { properties?: Record<string, Json>; required?: string[] })
    : {};
  const queryParameters = Object.entries(query.properties ?? {}).map(([parameter, shape]) => ({
    name: parameter,
    in: 'query',
    required: query.required?.includes(parameter) ?? false,
    schema: shape,
  }));
  const responses = Object.entries(call.answers).map(([status, shape]) => [
    status,
    { description: status, ...contentOf(call, shape) },
  ]);
  return {
    operationId: name,
    summary: call.does,
    ...(call.right === 'public' ? { security: [] } : {}),
    parameters: [...pathParameters, ...queryParameters],
    ...(call.body
      ? { requestBody: { required: true, content: { 'application/json': { schema: schema(call.body, 'input') } } } }
      : {}),
    ...(call.upload
      ? { requestBody: { required: true, content: { 'multipart/form-data': { schema: uploadForm } } } }
      : {}),
    responses: {
      ...(Object.fromEntries(responses) as Json),
      default: { description: 'error', content: { 'application/json': { schema: schema(errorBody, 'output') } } },
    },
  };
}

function paths(): Json {
  const all: Record<string, Json> = {};
  for (const [name, call] of Object.entries<Call>(calls)) {
    const path = call.path.replace(/:(\w+)/g, '{$1}');
    all[path] = { ...all[path], [call.method.toLowerCase()]: operation(name, call) };
  }
  return all;
}

export const openApi: Json = {
  openapi: '3.1.0',
  info: { title: 'Messaging inbox for Pipedrive', version: '1' },
  components: {
    securitySchemes: {
      session: { type: 'http', scheme: 'bearer', description: 'A session token from POST /api/session' },
      cookie: { type: 'apiKey', in: 'cookie', name: 'session' },
    },
  },
  security: [{ session: [] }, { cookie: [] }],
  paths: paths(),
};
