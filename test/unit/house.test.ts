// The rules of our own that no tool knows, read off the sources (docs/architecture.md).
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import en from '../../locales/en.json' with { type: 'json' };
import sv from '../../locales/sv.json' with { type: 'json' };
import { settingNames } from '../../src/config.ts';
import { errorStatus } from '../../src/web/contract.ts';

const root = join(import.meta.dirname, '../..');
const skipped = new Set([
  'node_modules',
  'dist',
  '.git',
  'data',
  '.demo',
  'screenshots',
  'test-results',
  'package-lock.json',
]);
const english: Readonly<Record<string, string>> = en;
const swedish: Readonly<Record<string, string>> = sv;

function filesUnder(folder: string): string[] {
  return readdirSync(join(root, folder)).flatMap((name) => {
    if (skipped.has(name)) return [];
    const path = folder === '' ? name : `${folder}/${name}`;
    return statSync(join(root, path)).isDirectory() ? filesUnder(path) : [path];
  });
}

const everything = filesUnder('').map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
const code = everything.filter(({ path }) => /\.tsx?$/.test(path));
const server = code.filter(({ path }) => path.startsWith('src/'));
const surfaces = code.filter(({ path }) => path.startsWith('extension-ui/src/'));

/** The places outside `allowed` where `pattern` stands in code (comments do not count). */
function placesOf(files: typeof everything, pattern: RegExp, allowed: readonly string[]): string[] {
  return files
    .filter(({ path }) => !allowed.some((start) => path.startsWith(start)))
    .flatMap(({ path, text }) =>
      text
        .split('\n')
        .map((line) => line.replace(/(^|\s)(\/\/|\*|\/\*\*).*$/, ''))
        .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}`] : [])),
    );
}

describe('one place for each thing', () => {
  test.each([
    ['the environment is read in config.ts alone', /process\.env/, ['src/config.ts']],
    [
      'outgoing HTTP has one door',
      /(?<![.\w])fetch\(|from 'undici'|\.request\(/,
      ['src/base/http.ts', 'src/web/server.ts'],
    ],
    ['the machine is asked for the time in one place', /new Date\(\)|Date\.now\(\)/, ['src/base/clock.ts']],
    ['Twilio’s SDK is known to its folder', /from 'twilio|import\('twilio/, ['src/channels/whatsapp/']],
    ['Pipedrive’s SDK is known to its folder', /from 'pipedrive\/|import\('pipedrive\//, ['src/pipedrive/']],
    [
      'nothing is written to the terminal but by the log and the commands',
      /console\.|process\.std(out|err)/,
      ['src/cli.ts', 'src/main.ts', 'src/base/log.ts'],
    ],
  ])('%s', (_, pattern, allowed) => {
    expect(placesOf(server, pattern, allowed)).toEqual([]);
  });

  test.each([
    [
      'Messenger’s JSON',
      /\bmids?\b|\bis_echo\b|\bmessaging_type\b|\bquick_reply\b|\bsender_action\b|\bsubscribed_(apps|fields)\b|'HUMAN_AGENT'|\bwatermark\b|\bappsecret_proof\b|\bsticker_id\b|\bfbtrace_id\b|\berror_subcode\b|\bapp_id\b|\breply_to\b|\bpage_id\b|'hub\.|\.standby\b|\.is_echo\b/,
      'src/channels/messenger/',
    ],
    [
      'Twilio’s forms and JSON',
      /'(MessageSid|SmsStatus|MessageStatus|ProfileName|NumMedia|WaId|ExternalUserId|ContentSid|ErrorCode)'|MediaUrl|\bcallback_url\b|\bnum_media\b|\bnext_page_uri\b/,
      'src/channels/whatsapp/',
    ],
  ])('%s is known to its folder and to nobody else', (_, pattern, folder) => {
    const outside = [...server, ...surfaces].filter(({ path }) => !path.startsWith(folder));

    expect(placesOf(outside, pattern, [])).toEqual([]);
    expect(placesOf(server, pattern, []).length).toBeGreaterThan(10);
    // A provider is taken in by one line of the list, and by nobody past it.
    const takers = outside.filter(({ text }) => new RegExp(`from '.*${folder.replace('src/channels', '')}`).test(text));
    expect(takers.map(({ path }) => path)).toEqual(['src/channels/registry.ts']);
  });

  test('these patterns would find what they forbid', () => {
    const bad = [{ path: 'src/inbox/bad.ts', text: 'const now = Date.now();\nawait fetch(url);\nprocess.env.HOME' }];

    expect(placesOf(bad, /process\.env/, [])).toEqual(['src/inbox/bad.ts:3']);
    expect(placesOf(bad, /(?<![.\w])fetch\(/, [])).toEqual(['src/inbox/bad.ts:2']);
  });
});

test('.env.example names every setting once, and no other', () => {
  const named = [
    ...everything.find(({ path }) => path === '.env.example')!.text.matchAll(/^(?:# )?([A-Z][A-Z0-9_]+)=/gm),
  ];

  expect(named.map(([, name]) => name).sort()).toEqual([...settingNames].sort());
});

describe('words', () => {
  const placeholders = (sentence: string): string[] => (sentence.match(/\{\w+\}/g) ?? []).sort();

  test('both languages have the same sentences with the same gaps', () => {
    expect(Object.keys(swedish)).toEqual(Object.keys(english));
    for (const [key, sentence] of Object.entries(english)) {
      expect(placeholders(swedish[key]!), key).toEqual(placeholders(sentence));
      expect(sentence.trim(), key).not.toBe('');
      expect(swedish[key]!.trim(), key).not.toBe('');
    }
  });

  test('every code of a refusal is public and has a sentence', () => {
    const thrown = server.flatMap(({ text }) =>
      [...text.matchAll(/new UserError\(\s*'(\w+)'/g)].map(([, name]) => name!),
    );

    expect(thrown.length).toBeGreaterThan(20);
    for (const name of new Set([...thrown, ...Object.keys(errorStatus)])) {
      expect(Object.keys(errorStatus), name).toContain(name);
      expect(Object.keys(english)).toContain(`error.${name}`);
    }
  });

  const speaking = [...server, ...surfaces];
  const found = (pattern: RegExp): string[] =>
    speaking.flatMap(({ text }) => [...text.matchAll(pattern)].map(([, key]) => key!));
  /** Keys asked for by name, and the starts of those that are put together at run time. */
  const asked = found(/(?:\bt\(|\btext\([\w.]+,\s*)\s*'([\w.-]+)'/g);
  const built = found(/`([a-z]\w*(?:\.\w+)*\.)\$\{/g);
  const quoted = new Set([...asked, ...found(/['"`]([a-z]\w*(?:\.[\w-]+)+)['"`]/g)]);
  const family = (key: string): string => key.replace(/\.(one|other)$/, '');

  test('no sentence is kept that nobody says', () => {
    const unused = Object.keys(english).filter(
      (key) => !quoted.has(key) && !quoted.has(family(key)) && !built.some((start) => key.startsWith(start)),
    );

    expect(unused).toEqual([]);
  });

  test('no key is asked for that has no sentence', () => {
    expect(asked.length).toBeGreaterThan(100);
    expect(asked.filter((key) => !(key in english) && !(`${key}.other` in english))).toEqual([]);
  });

  test('every reason for a failed message that a provider or the line gives has a sentence and says what to do', () => {
    const given = server
      .filter(({ path }) => path.startsWith('src/channels/') || path.startsWith('src/inbox/'))
      .flatMap(({ path, text }) =>
        /errors\.ts$/.test(path)
          ? [...text.matchAll(/word: '(\w+)'|: '(\w+)',\n/g)].flatMap(([, a, b]) => [a ?? b!])
          : [],
      );
    const words = new Set(given.filter((word) => !['retry', 'refused', 'unknown', 'reconnect', 'stop'].includes(word)));

    for (const word of words) expect(Object.keys(english), word).toContain(`failed.${word}`);
  });
});

describe('what must not be in the repository', () => {
  const own = everything.filter(
    ({ path }) => !/\.(png|woff2|jpg|ico)$/.test(path) && path !== 'test/unit/house.test.ts',
  );

  test.each([
    ['tests that are skipped or singled out', /\b(test|it|describe)(\.\w+)*\.(only|skip|todo|fails)\b/],
    ['paths of a machine', /(?<![\w.])\/(work|root|home\/\w+|Users\/\w+)\/\w/],
    ['hosts of a package registry', /registry\.(npmjs|yarnpkg)|npm(js)?\.pkg\.|artifactory|verdaccio/],
    ['switches that turn the compiler off', /@ts-(ignore|nocheck)|\bas any\b|: any[;,)\]]/],
    ['keys in clear', /-----BEGIN [A-Z ]*PRIVATE KEY/],
  ])('%s', (_, pattern) => {
    expect(own.flatMap(({ path, text }) => (pattern.test(text) ? [path] : []))).toEqual([]);
  });
});

// Types are exported with the function that speaks in them; the contract is for the outside.
test('a value that nobody imports is not exported', () => {
  const entries =
    /^(src\/(main|cli)\.ts|migrations\/|.*\.config\.ts|scripts\/|bench\/|test\/.*\.test\.tsx?|test\/support\/(global-setup|closing-line)\.ts|sandbox\/demo\.ts|src\/web\/contract\.ts)/;
  const imported = new Map<string, Set<string>>();
  const exported: { path: string; name: string }[] = [];
  for (const { path, text } of code) {
    const source = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true);
    const use = (from: string, names: readonly string[]): void => {
      if (!from.startsWith('.')) return;
      const target = join(path, '..', from);
      const known = imported.get(target) ?? new Set<string>();
      for (const name of names) known.add(name);
      imported.set(target, known);
    };
    const visit = (node: ts.Node): void => {
      if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
        const clause = node.importClause;
        const bindings = clause?.namedBindings;
        const names =
          bindings && ts.isNamedImports(bindings)
            ? bindings.elements.map((each) => (each.propertyName ?? each.name).text)
            : bindings
              ? ['*']
              : [];
        use(node.moduleSpecifier.text, clause?.name ? [...names, 'default'] : names);
      }
      if (ts.isExportDeclaration(node) && node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
        use(node.moduleSpecifier.text, ['*']);
      }
      if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
        const [from] = node.arguments;
        if (from && ts.isStringLiteral(from)) use(from.text, ['*']);
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
    if (entries.test(path)) continue;
    for (const statement of source.statements) {
      const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : [];
      if (!modifiers.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) continue;
      if (modifiers.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword)) exported.push({ path, name: 'default' });
      else if (ts.isVariableStatement(statement)) {
        for (const { name } of statement.declarationList.declarations) exported.push({ path, name: name.getText() });
      } else if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) {
        exported.push({ path, name: statement.name!.text });
      }
    }
  }

  const idle = exported.filter(({ path, name }) => {
    const names = imported.get(path);
    return !names?.has('*') && !names?.has(name);
  });

  expect(exported.length).toBeGreaterThan(300);
  expect(idle.map(({ path, name }) => `${path}: ${name}`)).toEqual([]);
});
