// The addon looked for and loaded, in a package of its own: what is there is real, and so are the errors.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { FILE_HINTS } from '../../../lib/native/binary/load-error.js';
import { machine } from '../../../lib/native/binary/machine.js';
import { shippedFile } from '../../../lib/native/binary/shipped.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const addon = process.env.IPA_BINARY ?? join(root, 'build-cmake', 'Release', 'node_ip_adapter.node');
const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'ipa-load-')));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

const home = join(scratch, 'node_modules', 'node-ip-adapter');
mkdirSync(home, { recursive: true });
cpSync(join(root, 'dist'), join(home, 'dist'), { recursive: true });
cpSync(join(root, 'package.json'), join(home, 'package.json'));
symlinkSync(join(root, 'node_modules'), join(home, 'node_modules'), 'junction');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

const prebuilds = join(home, 'prebuilds');
const mine = join(prebuilds, shippedFile(machine()));
const built = join(home, 'build-cmake', 'Release', 'node_ip_adapter.node');
const other = join(prebuilds, 'darwin-arm64', 'node-ip-adapter.node');

const put = (path: string, bytes: string | Buffer): void => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
};
const link = (path: string): void => {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(addon, path);
};
const clean = (): void => {
  for (const name of ['prebuilds', 'build-cmake', 'build', 'tsconfig.json'])
    rmSync(join(home, name), { recursive: true, force: true });
};

interface Told {
  readonly path?: string;
  readonly source?: string;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly details: { readonly failure: string; readonly tried: string[]; readonly prebuilds?: string[] };
  /** The same object at the second call. */
  readonly isSame: boolean;
  readonly levels?: readonly string[];
  readonly built?: string;
}

const PROGRAM = `
  const { loadedAddon } = await import('node-ip-adapter-native');
  const once = () => { try { return loadedAddon(); } catch (error) { return error; } };
  const first = once();
  const isSame = first === once();
  const { code, message, hint, details, path, source, addon } = first;
  console.log(JSON.stringify({ code, message, hint, details, path, source, isSame, levels: addon?.levels(), built: addon?.version }));
`.replace('node-ip-adapter-native', new URL(`file://${join(home, 'dist/native/native.js')}`).href);

const strangers = (env: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv => {
  const kept = Object.entries(process.env).filter(([name]) => !/^(npm_|IPA_|NODE_|TAP|LIBC$|PREBUILDS)/i.test(name));
  return { ...Object.fromEntries(kept), ...env };
};

const NOBODY = 65534;
interface Who {
  readonly uid?: number;
}

const load = (env: Readonly<Record<string, string>> = {}, who: Who = {}): Told => {
  const ended = spawnSync(process.execPath, ['--input-type=module', '-e', PROGRAM], {
    encoding: 'utf8',
    env: strangers(env),
    cwd: scratch,
    ...who,
  });
  if (ended.status !== 0) throw new Error(`status ${ended.status}: ${ended.stderr}`);
  return JSON.parse(ended.stdout) as Told;
};

const doctor = (env: Readonly<Record<string, string>> = {}, ...flags: string[]) =>
  spawnSync(process.execPath, [join(home, 'dist/cli/index.js'), 'doctor', ...flags], {
    encoding: 'utf8',
    env: strangers(env),
  });

const told = (
  test: Test,
  row: string,
  message: RegExp,
  env: Readonly<Record<string, string>> = {},
  who: Who = {},
): Told => {
  const error = load(env, who);
  test.equal(error.details?.failure, row, error.message ?? error.path);
  test.match(error.message, message);
  test.ok(error.isSame, 'the second call throws the same error');
  return error;
};

t.beforeEach(clean);

t.test('it loads: the prebuilt file, before it a build, before both the variable', async (test) => {
  link(mine);
  link(other);
  test.match(load(), { path: mine, source: 'prebuilds', isSame: true, levels: /base/ });
  const misleading: Record<string, string>[] = [{ LIBC: 'musl' }, { npm_config_platform: 'darwin' }];
  for (const env of misleading)
    test.match(load(env), { path: mine }, `whatever node-gyp-build makes of ${JSON.stringify(env)}`);
  const { stdout, status, stderr } = doctor();
  test.equal(status, 0, stderr);
  test.ok(stdout.includes(`addon   ${mine}\n        the prebuilt one for this platform and C library\n`), stdout);
  link(built);
  test.match(load(), { path: built, source: 'build' });
  test.match(JSON.parse(doctor({}, '--json').stdout), {
    binary: { path: built, source: 'build', why: /built on this machine/ },
    libc: machine().libc === undefined ? null : new RegExp(`^${machine().libc}`),
    emulated: null,
    problems: [],
    warnings: [],
  });
  test.match(load({ IPA_BINARY: addon }), { path: addon, source: 'IPA_BINARY' });
  test.match(doctor({ IPA_BINARY: addon }).stdout, `addon   ${addon}\n        IPA_BINARY names it\n`);
  copyFileSync(addon, join(scratch, 'mine.node'));
  test.match(
    load({ IPA_BINARY: './mine.node' }),
    { path: join(scratch, 'mine.node') },
    'counted from where one stands',
  );
});

t.test('the addon tells the version that it was built for', async (test) => {
  link(mine);
  test.equal(load().built, version);
});

t.test('a build of node-gyp is found where nothing of ours is', async (test) => {
  const gyp = join(home, 'build', 'Release', 'node_ip_adapter.node');
  link(gyp);
  test.match(load(), { path: gyp, source: 'build' });
});

t.test('nothing is there', async (test) => {
  const none = told(test, 'emptied', /prebuilds\/ is not there/);
  test.match(none, { code: 'BINARY_NOT_FOUND', hint: /npm ci/, details: { tried: [built, /build.Release/, mine] } });
  for (const place of none.details.tried) test.ok(none.message.includes(place.slice(home.length + 1)), place);
  mkdirSync(prebuilds);
  told(test, 'emptied', /prebuilds\/ is empty/);
  writeFileSync(join(home, 'tsconfig.json'), '{}');
  test.match(told(test, 'clone', /this clone is not built/).hint, 'npm run build');
});

t.test('files of other machines alone', async (test) => {
  put(other, 'x');
  const error = told(test, 'pruned', /lost its addon for .*has only darwin-arm64/);
  test.same(error.details.prebuilds, ['darwin-arm64/node-ip-adapter.node']);
  const { status, stdout } = doctor();
  test.equal(status, 1);
  test.match(stdout, `looked at ${built}`);
  test.match(stdout, 'prebuilds/ has darwin-arm64/node-ip-adapter.node');
  test.match(stdout, /^problem: The package has lost its addon/m);
});

t.test('the other libc alone', { skip: process.platform === 'linux' ? false : 'Linux alone' }, async (test) => {
  const [has, lacks] = machine().libc === 'musl' ? ['musl', 'glibc'] : ['glibc', 'musl'];
  link(mine.replace(`.${has}.`, `.${lacks}.`));
  told(test, 'other-libc', new RegExp(`This system has ${has}.*\\(${lacks}\\)`));
  // node-gyp-build is misled to it; loaded it would work or end the process
  told(test, 'wrong-libc', new RegExp(`is for ${lacks}, this system has ${has}`), { LIBC: lacks });
});

t.test('a wrong file under the right name', async (test) => {
  const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n';
  put(mine, pointer);
  const text = told(test, 'not-native', new RegExp(`is ${pointer.length} bytes of text \\(a Git LFS pointer\\)`));
  test.match(text, { code: 'BINARY_INCOMPATIBLE', hint: 'npm ci', message: mine });
  rmSync(mine);
  put(mine, '');
  told(test, 'not-native', /is empty, no native addon/);
  mkdirSync(dirname(built), { recursive: true });
  put(built, '<html>');
  const local = told(test, 'not-native', /HTML page.*; prebuilds\/.* stands behind it/);
  test.equal(local.hint, FILE_HINTS.build);
});

const isElf = process.platform === 'linux' && process.arch === 'x64' && machine().libc === 'glibc';
t.test('damaged and foreign ELF files', { skip: isElf ? false : 'made from an ELF file for x64' }, async (test) => {
  const bytes = readFileSync(addon);
  put(mine, bytes);
  truncateSync(mine, 100_000);
  told(test, 'cut-off', new RegExp(`it has 100000 bytes of ${bytes.length}`));
  const foreign = Buffer.from(bytes);
  foreign.writeUInt16LE(183, 18);
  put(mine, foreign);
  told(test, 'other-machine', /is an ELF file for arm64, this Node is linux-x64/);
  /** The file with a text in it changed for one of the same length. */
  const changed = (from: string, to: string): Buffer => {
    const copy = Buffer.from(bytes);
    const at = copy.indexOf(`${from}\0`);
    test.ok(at > 0, `${from} is in the file`);
    copy.write(to, at, 'latin1');
    return copy;
  };
  const newest = [...new Set(bytes.toString('latin1').match(/(?<=\0)GLIBC_2\.\d\d(?=\0)/g))].sort().at(-1)!;
  put(mine, changed(newest, 'GLIBC_2.99'));
  told(test, 'old-glibc', new RegExp(`needs glibc 2\\.99, this system has ${machine().libcVersion}`));
  put(mine, changed('libm.so.6', 'libq.so.6'));
  told(test, 'no-library', /needs libq\.so\.6, which this system has not/);
});

t.test('the variable names what is no addon', async (test) => {
  link(mine);
  const nowhere = join(scratch, 'nowhere.node');
  test.match(
    told(test, 'named-absent', /^IPA_BINARY names ".*nowhere\.node", where no file/, { IPA_BINARY: nowhere }),
    {
      code: 'BINARY_NOT_FOUND',
      hint: /unset it/,
    },
  );
  told(test, 'named-folder', /^IPA_BINARY names .*which is a folder/, { IPA_BINARY: scratch });
  const text = join(scratch, 'text.node');
  put(text, 'no addon');
  const error = told(test, 'not-native', /^IPA_BINARY names .*, which is 8 bytes of text/, { IPA_BINARY: text });
  test.equal(error.hint, FILE_HINTS.IPA_BINARY);
  if (process.platform !== 'linux') return;
  const ending = join(scratch, 'addon.so');
  copyFileSync(addon, ending);
  told(test, 'named-without-node', /does not end in \.node/, { IPA_BINARY: ending });
});

// root may read all, so that another user tries there
const isWindows = process.platform === 'win32';
t.test('a file that may not be read', { skip: isWindows ? 'its files have no such mode' : false }, async (test) => {
  put(mine, readFileSync(addon));
  chmodSync(mine, 0);
  chmodSync(scratch, 0o755);
  told(test, 'unreadable', /cannot be read \(EACCES\)/, {}, process.getuid?.() === 0 ? { uid: NOBODY } : {});
});

t.test('an addon of another version, of another package, and one that breaks', async (test) => {
  const parts = 'exports.Engine = class {}; exports.Stop = class {}; exports.levels = () => [];';
  const fake = (name: string, text: string): Readonly<Record<string, string>> => {
    put(join(scratch, name), text);
    return { IPA_BINARY: join(scratch, name) };
  };
  const old = fake('old.cjs', `${parts} exports.version = '0.0.9';`);
  told(test, 'other-version', new RegExp(`is of version 0\\.0\\.9, and the package is of version ${version}`), old);
  test.match(load(fake('same.cjs', `${parts} exports.version = '${version}';`)), { source: 'IPA_BINARY' });
  told(test, 'other-addon', /lacks Engine, Stop, levels/, fake('others.cjs', 'exports.encode = () => 1;'));
});
