// The ladder of docs/architecture.md as rules: a folder imports only from rows below it, never sideways or up.
const rows = [
  ['base'],
  ['db', 'config.ts'],
  ['jobs'],
  ['channels', 'pipedrive', 'media'],
  ['companies'],
  ['inbox'],
  ['history', 'bridge', 'notify'],
  ['web'],
  ['app.ts', 'main.ts', 'cli.ts'],
];

const pathOf = (name) => (name.endsWith('.ts') ? `^src/${name.replace('.', '\\.')}$` : `^src/${name}/`);

/** One rule a folder: whatever is on its own row (but itself) or above is out of reach. */
const ladder = rows.flatMap((row, height) =>
  row.map((name) => ({
    name: `ladder-${name}`,
    severity: 'error',
    comment: `src/${name} imports only from the rows below it`,
    from: { path: pathOf(name) },
    to: {
      path: rows
        .slice(height)
        .flat()
        // The files of the top row belong together: main.ts and cli.ts start app.ts.
        .filter((other) => other !== name && !(height === rows.length - 1 && row.includes(other)))
        .map(pathOf),
    },
  })),
);

// One exception, by types only: what a screen reads is a shape of the public API, and inbox/queries.ts makes it. A second
// set of the same types under `inbox` would only drift from the first. Nothing of it is left in the build.
const inboxRule = ladder.find(({ name }) => name === 'ladder-inbox');
const contract = '^src/web/contract\\.ts$';
inboxRule.to.pathNot = contract;

module.exports = {
  forbidden: [
    ...ladder.filter(({ to }) => to.path.length > 0),
    {
      name: 'inbox-takes-types-of-the-contract-only',
      severity: 'error',
      comment: 'the shapes of the public API, without the validator and the table of calls',
      from: { path: '^src/inbox/' },
      to: { path: contract, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'channels-know-only-base',
      severity: 'error',
      comment: 'a provider translates, it does not remember: no database, no clock, no other part',
      from: { path: '^src/channels/' },
      to: { path: '^src/(?!channels/|base/)' },
    },
    {
      name: 'channels-show-two-files',
      severity: 'error',
      comment: 'from outside only the interface and the list of providers are visible',
      from: { path: '^src/(?!channels/)' },
      to: { path: '^src/channels/(?!provider\\.ts$|registry\\.ts$)' },
    },
    {
      name: 'config-is-for-the-top-row',
      severity: 'error',
      comment: 'each part is given what it needs; only the composition root knows all settings',
      from: { path: '^src/', pathNot: '^src/(app|main|cli|config)\\.ts$' },
      to: { path: '^src/config\\.ts$' },
    },
    {
      name: 'migrations-stand-alone',
      severity: 'error',
      comment: 'history must not change when tables.ts does',
      from: { path: '^migrations/' },
      to: { path: '^(src|sandbox|extension-ui|test)/' },
    },
    {
      name: 'surfaces-see-types-of-the-contract',
      severity: 'error',
      comment: 'of the server, the surfaces know the shapes of the public API and nothing else',
      from: { path: '^extension-ui/' },
      to: { path: '^src/', pathNot: '^src/web/contract\\.ts$' },
    },
    {
      name: 'surfaces-take-types-only',
      severity: 'error',
      comment: 'the contract’s values would bring the validator into the browser',
      from: { path: '^extension-ui/' },
      to: { path: '^src/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'parts-only-show',
      severity: 'error',
      comment: 'parts take props and give events; state and calls belong to the store',
      from: { path: '^extension-ui/src/parts/' },
      to: { path: '^extension-ui/src/(surfaces/|store|api|stream|host)' },
    },
    {
      name: 'store-has-no-markup',
      severity: 'error',
      comment: 'state and actions are below what is drawn',
      from: { path: '^extension-ui/src/(store/)?[^/]+\\.ts$' },
      to: { path: '^extension-ui/src/(surfaces|parts)/' },
    },
    {
      name: 'one-importer-of-the-host-sdk',
      severity: 'error',
      comment: 'the page around us is spoken to in host.ts alone',
      from: { path: '^extension-ui/', pathNot: '^extension-ui/src/host\\.ts$' },
      to: { path: '@pipedrive/app-extensions-sdk' },
    },
    {
      name: 'sandbox-stands-alone',
      severity: 'error',
      comment: 'the stand-ins must not share our mistakes',
      from: { path: '^sandbox/' },
      to: { path: '^(src|extension-ui|test|migrations)/' },
    },
    {
      name: 'nobody-knows-the-sandbox',
      severity: 'error',
      comment: 'only base addresses differ between the vendors and their stand-ins',
      from: { path: '^(src|extension-ui|migrations)/' },
      to: { path: '^(sandbox|test|bench|scripts)/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      comment: 'not even by types',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      comment: 'a file that nobody imports is an entry or is dead',
      from: {
        orphan: true,
        pathNot: [
          '^src/(main|cli)\\.ts$',
          '^migrations/',
          '\\.test\\.tsx?$',
          '\\.config\\.ts$',
          '^scripts/',
          '^bench/',
          '^sandbox/console/[a-z-]+\\.js$',
        ],
      },
      to: {},
    },
    {
      name: 'no-unresolved',
      severity: 'error',
      comment: 'an import that leads nowhere',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-development-packages-at-work',
      severity: 'error',
      comment: 'the server runs from the packages in "dependencies"',
      from: { path: '^(src|migrations)/' },
      to: { dependencyTypes: ['npm-dev'], pathNot: ['@types/'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: ['^dist/', '\\.css$', '\\.woff2', 'inter'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
