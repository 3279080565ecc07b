// node scripts/check-installed.mjs FOLDER [TARBALL]
// Whether the package works where it is installed: `npm install` of the tarball in the folder, which must then be empty;
// `npx node-ip-adapter doctor`, on the addon of the tarball; a portrait as docs/quickstart.png shows it. On Linux, macOS and
// Windows, with the Node and npm that run it. The folder stays.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { recordTested } from './cross/tested.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const PORTRAIT = { prompt: 'portrait of a woman, smiling, wearing a blue sweater, green background', seed: 2 };
const REFERENCE = ['models', 'sketch', 'references', 'person-3-1.png'];
const MOST = 2; // grey levels: what instruction sets round differently in f32
const TARBALL = 'node-ip-adapter.tgz';

/** What says where a package is, or is of the npm that runs this script, stays away from it. */
const env = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|IPA_|NODE_)/i.test(name))),
  IPA_DEVICE: 'cpu', // a card draws other bytes
};

class Failure extends Error {}

/** @param {string} what @param {import('node:child_process').SpawnSyncReturns<string>} result */
const stdoutOf = (what, { status, error, signal, stdout, stderr }) => {
  if (status === 0) return stdout;
  throw new Failure(`${what}: ${error?.message ?? signal ?? `exit code ${status}`}\n${stdout ?? ''}${stderr ?? ''}`);
};

/**
 * A command as typed: on Windows npm and npx are no programs but scripts of the shell.
 * @param {string} command without anything to quote @param {string} folder
 */
const typed = (command, folder) =>
  stdoutOf(command, spawnSync(command, { cwd: folder, env, encoding: 'utf8', shell: true }));

/** @param {string} folder @param {string} tarball */
function install(folder, tarball) {
  mkdirSync(folder, { recursive: true });
  if (readdirSync(folder).length > 0) throw new Failure(`${folder} is not empty: name a folder of its own`);
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
  copyFileSync(tarball, path.join(folder, TARBALL));
  process.stdout.write(typed(`npm install --no-audit --no-fund ./${TARBALL}`, folder));
}

/** What is wrong by what doctor says. @param {any} report of `doctor --json` @param {string} home the package's folder */
export function complaints(report, home) {
  const prebuilds = path.join(home, 'prebuilds') + path.sep;
  const { path: file } = report.binary;
  const told = [...report.problems];
  if (file !== undefined && !file.startsWith(prebuilds)) told.push(`${file} is the addon, and not one of ${prebuilds}`);
  if (report.node !== process.version) told.push(`doctor ran on Node ${report.node}, this is ${process.version}`);
  return told;
}

/** The largest difference of two pictures' bytes. @param {Uint8Array} drawn @param {Uint8Array} shown */
export function difference(drawn, shown) {
  if (drawn.length !== shown.length)
    throw new Failure(`the portrait has ${drawn.length} bytes, expected ${shown.length}`);
  return drawn.reduce((most, value, i) => Math.max(most, Math.abs(value - shown[i])), 0);
}

/** @param {string} folder @param {string} home */
async function portrait(folder, home) {
  copyFileSync(path.join(root, 'test', 'machines', 'draw.mjs'), path.join(folder, 'draw.mjs'));
  const to = path.join(folder, 'portrait.raw');
  const words = ['draw.mjs', to, path.join(home, ...REFERENCE), JSON.stringify(PORTRAIT)];
  stdoutOf('drawing', spawnSync(process.execPath, words, { cwd: folder, env, encoding: 'utf8' }));
  const sharp = createRequire(path.join(home, 'package.json'))('sharp');
  const shown = await sharp(path.join(root, 'docs', 'quickstart.png'))
    .removeAlpha()
    .raw()
    .toBuffer();
  const most = difference(readFileSync(to), shown);
  if (most > MOST) throw new Failure(`the portrait differs from docs/quickstart.png by ${most} grey levels of ${MOST}`);
  return most;
}

/** @param {string} folder @param {string} [tarball] */
async function checkInstalled(folder, tarball) {
  if (tarball !== undefined) install(folder, tarball);
  const installed = path.join(folder, 'node_modules', 'node-ip-adapter');
  if (!existsSync(installed)) throw new Failure(`${installed} is not there: name a tarball to install, too`);
  const home = realpathSync(installed);
  process.stdout.write(typed('npx --no-install node-ip-adapter doctor', folder));
  const report = JSON.parse(typed('npx --no-install node-ip-adapter doctor --json', folder));
  const wrong = complaints(report, home);
  if (wrong.length > 0) throw new Failure(wrong.join('\n'));
  const most = await portrait(realpathSync(folder), home);
  const machine = `${process.platform}-${process.arch}${report.libc?.startsWith('musl') ? '-musl' : ''}`;
  process.stdout.write(`${machine}, Node ${process.version}: doctor is content, the portrait differs by ${most}\n`);
  if (report.emulated !== null) return; // no word about a machine of that kind
  for (const what of /** @type {const} */ (['doctor', 'portrait']))
    recordTested(machine, { how: 'itself', what, node: process.version });
}

if (process.argv[1] && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) {
  const [folder, tarball, ...more] = process.argv.slice(2);
  try {
    if (folder === undefined || more.length > 0) throw new Failure('usage: check-installed.mjs FOLDER [TARBALL]');
    await checkInstalled(path.resolve(folder), tarball);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
