// Every way to load the package that is tested: one row, one folder of that name with a user's program and the exact
// versions of its tools. The table in docs/loading.md is made of the rows.

export interface Loader {
  /** The folder, and the test's name. */
  readonly name: string;
  /** As people call it, for docs/loading.md. */
  readonly title: string;
  /** What has to be written so that the package loads, for docs/loading.md. */
  readonly write: string;
  /** Lines of the shell in the loader's folder; each draws `drawn.png`. */
  readonly draws: readonly string[];
  /** Lines of the shell that put the package into a bundle by mistake and run that. */
  readonly bundles?: readonly string[];
  /** How the package is installed, where the loader does not share the folder of the others. */
  readonly install?: string;
  /** `test`: in every `npm test`; `full`: in `npm run test:full`, for downloads of more than 100 MB. */
  readonly suite: 'test' | 'full';
}

const NPM = 'npm install --ignore-scripts --prefer-offline --no-audit --no-fund';
const NOTHING = 'nothing';
const EXTERNAL = '--bundle --platform=node --external:node-ip-adapter --log-level=warning';
const BUNDLED = '--bundle --platform=node --log-level=warning';

export const LOADERS: readonly Loader[] = [
  {
    name: 'npm',
    title: 'Node, installed by npm with scripts off',
    write: NOTHING,
    draws: ['node draw.mjs', 'node draw.cjs'],
    suite: 'test',
  },
  { name: 'pnpm', title: 'pnpm 10', write: NOTHING, draws: ['node draw.mjs'], install: 'pnpm install', suite: 'test' },
  {
    name: 'yarn-pnp',
    title: "Yarn 4, Plug'n'Play",
    write: '`yarn node` in place of `node`, as for every package there',
    draws: ['yarn node draw.mjs'],
    install: 'yarn install',
    suite: 'test',
  },
  { name: 'jest', title: 'Jest 30, CommonJS', write: NOTHING, draws: ['jest'], suite: 'test' },
  {
    name: 'jest-modules',
    title: 'Jest 30, ES modules',
    write: "`NODE_OPTIONS=--experimental-vm-modules`, Jest's own condition",
    draws: ['NODE_OPTIONS=--experimental-vm-modules jest'],
    suite: 'test',
  },
  { name: 'vitest', title: 'Vitest 3', write: NOTHING, draws: ['vitest run'], suite: 'test' },
  { name: 'node-test', title: '`node:test`', write: NOTHING, draws: ['node --test draw.test.cjs'], suite: 'test' },
  { name: 'tap', title: 'tap 21', write: NOTHING, draws: ['tap --disable-coverage draw.test.mjs'], suite: 'test' },
  { name: 'mocha', title: 'Mocha 12', write: NOTHING, draws: ['mocha draw.spec.cjs'], suite: 'test' },
  {
    name: 'ts-node',
    title: 'ts-node 10, CommonJS',
    write: '`"module": "nodenext"`, or any module kind that TypeScript reads `exports` for',
    draws: ['ts-node draw.cts'],
    suite: 'test',
  },
  {
    name: 'tsx',
    title: 'tsx 4',
    write: 'one of `import` and `require` in a process: tsx compiles what is required a second time',
    draws: ['tsx draw.mts', 'tsx draw.cts'],
    suite: 'test',
  },
  {
    name: 'nestjs',
    title: 'NestJS 11, compiled to CommonJS',
    write: 'a provider that loads in `onModuleInit` and disposes in `onModuleDestroy`',
    draws: ['tsc && node draw.cjs'],
    suite: 'test',
  },
  {
    name: 'esbuild',
    title: 'esbuild 0.28',
    write: '`--external:node-ip-adapter`',
    draws: [
      `esbuild draw.mjs ${EXTERNAL} --format=esm --outfile=out/out.mjs && node out/out.mjs`,
      `esbuild draw-required.cjs ${EXTERNAL} --format=cjs --outfile=out/out.cjs && node out/out.cjs`,
    ],
    bundles: [
      `esbuild draw.mjs ${BUNDLED} --format=esm --outfile=out/out.mjs && node out/out.mjs`,
      `esbuild draw-required.cjs ${BUNDLED} --format=cjs --outfile=out/out.cjs && node out/out.cjs`,
    ],
    suite: 'test',
  },
  {
    name: 'webpack',
    title: 'webpack 5, `target: "node"`',
    write: '`externals: ["node-ip-adapter"]`',
    draws: [
      'node build.cjs draw.mjs external && node out/out.mjs',
      'node build.cjs draw-required.cjs external && node out/out.cjs',
    ],
    bundles: [
      'node build.cjs draw.mjs bundled && node out/out.mjs',
      'node build.cjs draw-required.cjs bundled && node out/out.cjs',
    ],
    suite: 'test',
  },
  {
    name: 'next',
    title: 'Next.js 16, a route handler',
    write: '`serverExternalPackages: ["node-ip-adapter"]` in its configuration',
    draws: ['next build && node request.mjs'],
    install: NPM,
    suite: 'full',
  },
  {
    name: 'bun',
    title: 'Bun 1.4',
    write: NOTHING,
    draws: [`node_modules/@oven/bun-${process.platform}-${process.arch}/bin/bun draw.mjs`],
    install: NPM,
    suite: 'full',
  },
  {
    name: 'deno',
    title: 'Deno 2.9, packages in node_modules',
    write: '`deno run -A`: an addon needs every permission',
    draws: [`node_modules/@deno/${process.platform}-${process.arch}-glibc/deno run -A draw.mjs`],
    install: NPM,
    suite: 'full',
  },
];
