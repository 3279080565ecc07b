// Makes a fresh clone ready: packages, addon, TypeScript; native tests when asked. Does only what is out of date, says
// what it does on stderr, and shows a tool's output only when that tool fails. Node's own modules only: it runs first.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { canCross } from './cross/compiler.mjs';
import { runnerOf } from './cross/run-on.mjs';

export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[/\\]$/, '');
const at = (...parts) => path.join(root, ...parts);

const RELEASE = at('build-cmake', 'Release');
const program = (name) => path.join(RELEASE, process.platform === 'win32' ? `${name}.exe` : name);
export const products = {
  addon: path.join(RELEASE, 'node_ip_adapter.node'),
  /** The addon with two levels more: stand-ins for units that this CPU may lack. For tests. */
  standIns: path.join(RELEASE, 'ipa_stand_ins.node'),
  /** A stand-in for a card, for tests of the library. */
  emulated: path.join(RELEASE, process.platform === 'win32' ? 'ipa_emulated.dll' : 'ipa_emulated.so'),
  nativeTests: program('ipa_test'),
  nativeGolden: program('ipa_golden'),
  library: at('dist', 'index.js'),
};

/** What the tests of other machines (test/machines) run, where those programs run on this one. */
const OTHER_MACHINES = {
  'linux-arm64': ['node_ip_adapter', 'ipa_test', 'ipa_golden'],
  'linux-x64-musl': ['ipa_test', 'ipa_golden'],
};

/** Newest modification time, in ms, of the files with these extensions under these paths; 0 when there are none. */
function newest(paths, extensions) {
  let time = 0;
  for (const start of paths.filter((file) => existsSync(file))) {
    const info = statSync(start);
    if (!info.isDirectory()) {
      time = Math.max(time, info.mtimeMs);
      continue;
    }
    for (const entry of readdirSync(start, { recursive: true })) {
      if (extensions.includes(path.extname(entry))) time = Math.max(time, statSync(path.join(start, entry)).mtimeMs);
    }
  }
  return time;
}

/** True when node_modules lacks a package of the lock file or has another version of it. */
function packagesAreStale() {
  const installed = at('node_modules', '.package-lock.json');
  if (!existsSync(installed)) return true;
  const read = (file) => JSON.parse(readFileSync(file, 'utf8')).packages;
  const have = read(installed);
  return Object.entries(read(at('package-lock.json'))).some(([where, wanted]) => {
    if (where === '') return false;
    const found = have[where];
    if (!found) return !wanted.optional && !wanted.devOptional && !wanted.peer; // other platforms' binaries stay away
    return found.version !== wanted.version;
  });
}

/** Runs a program with its output kept back. Throws with that output when it fails. */
function runQuietly(what, program, args) {
  process.stderr.write(`${what} ...`);
  const started = Date.now();
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk) => {
      output += chunk;
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => keep(`${error.message}\n`));
    child.on('close', (status, signal) => {
      const seconds = ((Date.now() - started) / 1000).toFixed(0);
      process.stderr.write(status === 0 ? ` ${seconds} s\n` : ` failed after ${seconds} s\n`);
      if (status === 0) resolve();
      else reject(new StepError(`${output}\n${what}: ${signal ? `ended by ${signal}` : `exit code ${status}`}`));
    });
  });
}

class StepError extends Error {}

/** The npm that runs this script, else the one on the path. */
function npm(...args) {
  const script = process.env.npm_execpath;
  if (script?.endsWith('npm-cli.js')) return [process.execPath, [script, ...args]];
  return [process.platform === 'win32' ? 'npm.cmd' : 'npm', args];
}

/**
 * Runs a build step when its product is missing or older than its sources. CMake leaves a product alone when an edit
 * did not concern it, so the moment of the last good build counts as well; it is kept in a stamp beside the build.
 */
async function step({ what, product, stampName = path.basename(product), sources, extensions, command }) {
  const stamp = at('build-cmake', `${stampName}.stamp`);
  const built = Math.max(newest([product], []), newest([stamp], []));
  if (existsSync(product) && built >= newest(sources, extensions)) return;
  const started = new Date();
  await runQuietly(existsSync(product) ? what : `${what} (takes a while the first time)`, ...command);
  if (!existsSync(product)) throw new StepError(`${what}: no ${path.relative(root, product)} came out of it`);
  if (newest(sources, extensions) > started.getTime()) return; // edited meanwhile: build again next time
  mkdirSync(path.dirname(stamp), { recursive: true });
  writeFileSync(stamp, `${started.toISOString()}\n`);
}

/**
 * @param {{ nativeTests?: boolean, golden?: boolean, machines?: boolean }} [options] nativeTests: build the native test
 *   program too; golden: the native half of the golden runner; machines: both for other machines.
 */
export async function ensureBuilt({ nativeTests = false, golden = false, machines = false } = {}) {
  try {
    if (packagesAreStale()) {
      const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
      await runQuietly('installing packages', ...npm(...args));
    }
    const nativeBuild = (...args) => [process.execPath, [at('scripts', 'build-native.cjs'), ...args]];
    const native = [at('native'), at('CMakeLists.txt'), at('scripts', 'build-native.cjs')];
    await step({
      what: 'compiling the native core',
      product: products.addon,
      sources: native,
      extensions: ['.cpp', '.h'],
      command: nativeBuild(),
    });
    await step({
      what: 'compiling the TypeScript library',
      product: products.library,
      sources: [at('lib'), at('tsconfig.json')],
      extensions: ['.ts'],
      command: [process.execPath, [at('node_modules', 'typescript', 'bin', 'tsc'), '-p', at('tsconfig.json')]],
    });
    const both = nativeTests || golden;
    const programs = [
      { wanted: both, what: 'compiling the stand-ins', product: products.standIns, target: 'ipa_stand_ins' },
      { wanted: both, what: 'compiling the emulated device', product: products.emulated, target: 'ipa_emulated' },
      { wanted: nativeTests, what: 'compiling the native tests', product: products.nativeTests, target: 'ipa_test' },
      { wanted: golden, what: 'compiling the golden runner', product: products.nativeGolden, target: 'ipa_golden' },
    ];
    for (const { wanted, what, product, target } of programs) {
      if (!wanted) continue;
      await step({
        what,
        product,
        sources: [...native, at('test', 'native'), at('tools')],
        extensions: ['.cpp', '.h'],
        command: nativeBuild('--target', target),
      });
    }
    for (const [name, targets] of machines && canCross ? Object.entries(OTHER_MACHINES) : []) {
      if (typeof runnerOf(name) === 'string') continue; // the test says why
      await step({
        what: `compiling for ${name}`,
        product: at('build-cross', name, 'Release', targets.at(-1)),
        stampName: name,
        sources: [...native, at('test', 'native'), at('tools'), at('scripts', 'cross')],
        extensions: ['.cpp', '.h', '.mjs'],
        command: [process.execPath, [at('scripts', 'cross', 'cli.mjs'), name, ...targets]],
      });
    }
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  }
}
