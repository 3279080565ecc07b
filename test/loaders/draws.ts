// Runs the rows of the table: what npm would publish is installed once for all loaders that can share a folder, and each
// must draw the same portrait as every other.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import type { Test } from 'tap';
import { bareTools, type Ended, pack, root, run, strangerEnv } from '../stranger.js';
import { LOADERS, type Loader } from './table.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const NPM = ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];

interface Manifest {
  readonly packageManager?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}
const manifestOf = ({ name }: Loader): Manifest =>
  JSON.parse(readFileSync(join(here, name, 'package.json'), 'utf8')) as Manifest;

/** Packages of the folder that loaders share: their tools, those that install, and the tarball. */
const sharedPackages = (rows: readonly Loader[], tarball: string): Record<string, string> => {
  const wanted = new Map([['node-ip-adapter', `file:${tarball}`]]);
  const add = (name: string, version: string, by: Loader): void => {
    const other = wanted.get(name);
    if (other !== undefined && other !== version)
      throw new Error(`${by.name} wants ${name} ${version}, another loader ${other}: give one an install of its own`);
    wanted.set(name, version);
  };
  for (const row of rows) {
    const { packageManager, dependencies, devDependencies } = manifestOf(row);
    const [manager, version] = packageManager?.split('@') ?? [];
    if (manager && version) add(manager === 'yarn' ? '@yarnpkg/cli-dist' : manager, version, row);
    if (row.install) continue;
    for (const [name, exact] of Object.entries({ ...dependencies, ...devDependencies })) add(name, exact, row);
  }
  return Object.fromEntries(wanted);
};

/** What package managers ask the environment for: Yarn reads no .npmrc, and what runs tests writes no lock file by itself. */
const managersEnv = async (): Promise<NodeJS.ProcessEnv> => {
  const said = async (name: string): Promise<string | undefined> => {
    const { stdout } = await run('npm', ['config', 'get', name], tmpdir(), process.env);
    return /^(null|undefined)?$/.test(stdout.trim()) ? undefined : stdout.trim();
  };
  const [registry, cafile] = [await said('registry'), await said('cafile')];
  return {
    YARN_ENABLE_IMMUTABLE_INSTALLS: 'false',
    NEXT_TELEMETRY_DISABLED: '1',
    ...(registry && { YARN_NPM_REGISTRY_SERVER: registry }),
    ...(cafile && { YARN_HTTPS_CA_FILE_PATH: cafile }),
  };
};

/** Runs the rows of a suite as subtests. */
export const testLoaders = async (test: Test, suite: Loader['suite']): Promise<void> => {
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'ipa-loaders-')));
  test.teardown(() => rmSync(scratch, { recursive: true, force: true }));
  const rows = LOADERS.filter((row) => row.suite === suite);
  const tarball = await pack(scratch);
  const shared = join(scratch, 'shared');
  const programs = (folder: string): string => join(folder, 'node_modules', '.bin');
  const env = { ...strangerEnv([programs(shared), bareTools(scratch)].join(delimiter)), ...(await managersEnv()) };
  const shell = (line: string, folder: string): Promise<Ended> =>
    run('sh', ['-c', line], folder, { ...env, PATH: [programs(folder), env.PATH].join(delimiter) });

  mkdirSync(shared);
  writeFileSync(join(shared, 'package.json'), JSON.stringify({ dependencies: sharedPackages(rows, tarball) }));
  const installed = await run('npm', NPM, shared, env);
  if (installed.status !== 0) throw new Error(`npm install: ${installed.stdout}${installed.stderr}`);

  /** The loader's folder, where a user would have it: installed for itself, or beside those that share. */
  const folderOf = async (test: Test, row: Loader): Promise<string> => {
    const folder = join(row.install ? scratch : shared, row.name);
    cpSync(join(here, row.name), folder, { recursive: true });
    if (!row.install) return folder;
    const manifest = manifestOf(row);
    const dependencies = { ...manifest.dependencies, 'node-ip-adapter': `file:${tarball}` };
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ ...manifest, dependencies }));
    if (row.install.startsWith('yarn')) writeFileSync(join(folder, 'yarn.lock'), ''); // here is the project's top
    const { status, stdout, stderr } = await shell(row.install, folder);
    test.equal(status, 0, `${row.install}: ${stdout}${stderr}`);
    test.notMatch(stdout + stderr, /build scripts?\b/i, 'no package manager asks whether a script may run');
    return folder;
  };

  let first: Buffer | undefined;
  for (const row of rows)
    await test.test(row.name, async (test) => {
      const folder = await folderOf(test, row);
      const picture = join(folder, 'drawn.png');
      for (const line of row.draws) {
        rmSync(picture, { force: true });
        const { status, stdout, stderr } = await shell(line, folder);
        test.equal(status, 0, `${line}: ${stdout}${stderr}`);
        test.ok(existsSync(picture), `${line} draws`);
        const drawn = readFileSync(picture);
        test.match(await sharp(drawn).metadata(), { width: 128, height: 128 });
        const { channels } = await sharp(drawn).stats();
        test.ok(
          channels.every(({ stdev }) => stdev > 10),
          'it is not of one colour',
        );
        first ??= drawn;
        test.ok(drawn.equals(first), `${line} draws what the others draw`);
      }
      for (const line of row.bundles ?? []) {
        rmSync(picture, { force: true });
        const { status, stderr } = await shell(line, folder);
        test.not(status, 0, line);
        test.match(stderr, 'It was bundled: mark node-ip-adapter external', line);
        test.match(stderr, "esbuild: --external:node-ip-adapter; webpack: externals: ['node-ip-adapter']", line);
        test.notOk(existsSync(picture), `${line} draws nothing`);
      }
    });
};

const TESTED = { test: '`npm test`', full: '`npm run test:full`' };

/** The table of docs/loading.md. */
export const tableOfLoaders = (): string =>
  [
    '| loader | what to write | tested by |',
    '|---|---|---|',
    ...LOADERS.map(
      ({ title, write, suite, name }) => `| ${title} | ${write} | ${TESTED[suite]}, \`test/loaders/${name}\` |`,
    ),
  ].join('\n');

/** Folders of loaders that no row names, and rows without a folder. */
export const strayFolders = (): readonly string[] => {
  const folders = readdirSync(here, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const names = new Set(folders.map(({ name }) => name));
  const rows = new Set(LOADERS.map(({ name }) => name));
  return [...names].filter((name) => !rows.has(name)).concat([...rows].filter((name) => !names.has(name)));
};

export const documented = (): string => readFileSync(join(root, 'docs', 'loading.md'), 'utf8');
