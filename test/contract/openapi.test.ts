// The description of the API that outsiders rely on is the one the app serves, made from the contract.
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { calls, type Call } from '../../src/web/contract.ts';
import { openApi } from '../../src/web/openapi.ts';
import { world } from '../support/world.ts';

interface Description {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, { operationId: string; responses: Record<string, unknown> }>>;
}

test('openapi.json is what the contract says and what the app serves', async () => {
  const here = await world();

  const served: unknown = await (await fetch(`${here.url}/api/openapi.json`)).json();
  const file: unknown = JSON.parse(await readFile(new URL('../../openapi.json', import.meta.url), 'utf8'));

  expect(file).toEqual(JSON.parse(JSON.stringify(openApi)));
  expect(served).toEqual(file);
});

test('every call is described, with its answers and its errors, and nothing else is', () => {
  const { openapi, paths } = openApi as unknown as Description;
  const described = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { operationId }]) => `${operationId} ${method} ${path}`),
  );
  const expected = Object.entries<Call>(calls).map(
    ([name, call]) => `${name} ${call.method.toLowerCase()} ${call.path.replace(/:(\w+)/g, '{$1}')}`,
  );

  expect(openapi).toBe('3.1.0');
  expect(described.sort()).toEqual(expected.sort());
  for (const operations of Object.values(paths)) {
    for (const { responses } of Object.values(operations)) expect(responses).toHaveProperty('default');
  }
});

test('a path that is described answers, one that is not does not', async () => {
  const here = await world();
  const { paths } = openApi as unknown as Description;

  for (const [path, operations] of Object.entries(paths)) {
    for (const method of Object.keys(operations)) {
      const url = `${here.url}${path.replace(/\{\w+\}/g, '00000000-0000-7000-8000-000000000000')}`;
      const { status } = await fetch(url, { method: method.toUpperCase(), redirect: 'manual' });
      // Without a session: known, and refused for that alone.
      expect([401, 200, 422], `${method} ${path}`).toContain(status);
    }
  }
  expect((await fetch(`${here.url}/api/nothing-of-the-sort`)).status).toBe(404);
});
