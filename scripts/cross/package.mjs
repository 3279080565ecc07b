// A package of the npm registry that is a tool of ours and no dependency: by version and hash, below build-cross/.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[/\\]$/, '');
export const crossRoot = path.join(root, 'build-cross');

const run = (program, args) => {
  const result = spawnSync(program, args, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${result.error?.message ?? result.stderr}`);
  return result.stdout;
};

/** @typedef {{ file: string, from: string, to: string }} Change of a text that is in the file once */

/** @param {string} folder @param {Change} change */
function change(folder, { file, from, to }) {
  const text = readFileSync(path.join(folder, file), 'utf8');
  if (text.split(from).length !== 2) throw new Error(`${file} is not as it was when it was looked at: no ${from}`);
  writeFileSync(
    path.join(folder, file),
    text.replace(from, () => to),
  );
}

/**
 * The folder of the unpacked package, fetched where it is not there yet.
 * @param {{ name: string, version: string, integrity: string }} wanted integrity: its SHA-512 as npm writes it
 * @param {readonly Change[]} [changes]
 */
export function fetchedPackage({ name, version, integrity }, changes = []) {
  const known = JSON.stringify(changes);
  const kind = changes.length > 0 ? `-${createHash('sha256').update(known).digest('hex').slice(0, 8)}` : '';
  const to = path.join(crossRoot, 'tools', `${name.replace('/', '-').replace('@', '')}-${version}${kind}`);
  if (existsSync(to)) return to;
  const part = `${to}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  process.stderr.write(`fetching ${name} ${version}\n`);
  const npm = process.env.npm_execpath?.endsWith('npm-cli.js')
    ? [process.execPath, process.env.npm_execpath]
    : [process.platform === 'win32' ? 'npm.cmd' : 'npm'];
  const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', part, `${name}@${version}`];
  const file = path.join(
    part,
    run(npm[0], [...npm.slice(1), ...pack])
      .trim()
      .split('\n')
      .at(-1),
  );
  const found = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
  if (found !== integrity) throw new Error(`${name} ${version} has the hash ${found}, expected ${integrity}`);
  run('tar', ['-xzf', file, '-C', part, '--strip-components=1']);
  rmSync(file);
  for (const one of changes) change(part, one);
  renameSync(part, to);
  return to;
}
