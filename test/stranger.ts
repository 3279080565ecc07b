// A stranger's machine: the tarball that npm would publish, and an environment in which nothing of this clone is in reach.
import { execFile } from 'node:child_process';
import { mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from '../lib/hub/lock.js';

const MAX_BUFFER = 2 ** 26; // bytes of a program's output
const LOCK = join(tmpdir(), 'ipa-pack.lock');
export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[/\\]$/, '');

export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

// trap: by NODE_OPTIONS tap gets modules of its own into every process that a test starts, and those that they start
export const ALONE = ['-c', 'unset NODE_OPTIONS; exec "$0" "$@"'];

export const run = (program: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<Ended> =>
  new Promise((resolve) => {
    execFile('sh', [...ALONE, program, ...args], { cwd, env, maxBuffer: MAX_BUFFER }, (error, stdout, stderr) => {
      const status = error ? (typeof error.code === 'number' ? error.code : -1) : 0;
      resolve({ status, stdout, stderr: status === -1 ? `${error?.message}\n${stderr}` : stderr });
    });
  });

/** A stranger's environment: no variable of npm or of this package, and on PATH only what is named. */
export const strangerEnv = (path: string): NodeJS.ProcessEnv => {
  const kept = Object.entries(process.env).filter(([name]) => !/^(npm_|IPA_|NODE_|TAP|TSIMP)/i.test(name));
  return { ...Object.fromEntries(kept), PATH: path };
};

/** A folder in `scratch` with node, npm, npx and the shell that npm starts programs with; nothing else. */
export const bareTools = (scratch: string): string => {
  const folder = join(scratch, 'bin');
  mkdirSync(folder);
  const found = (name: string): string => {
    const places = [dirname(process.execPath), ...(process.env.PATH ?? '').split(delimiter)];
    for (const place of places) {
      try {
        return realpathSync(join(place, name));
      } catch {
        // not there
      }
    }
    throw new Error(`${name} is not on PATH`);
  };
  symlinkSync(process.execPath, join(folder, 'node'));
  for (const name of ['npm', 'npx', 'sh']) symlinkSync(found(name), join(folder, name));
  return folder;
};

/**
 * The part of prepack that makes the tarball, in `scratch`: the tests have built the library, and the last step only looks
 * at it. The prebuilt files are made in the clone, so tests that run at the same time wait for each other.
 */
export const pack = (scratch: string): Promise<string> =>
  withLock(LOCK, undefined, async () => {
    const made = await run('npm', ['run', 'make-prebuilds'], root, process.env);
    if (made.status !== 0) throw new Error(`npm run make-prebuilds: ${made.stdout}${made.stderr}`);
    const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', scratch];
    const packed = await run('npm', args, root, process.env);
    if (packed.status !== 0) throw new Error(`npm pack: ${packed.stderr}`);
    return join(scratch, (JSON.parse(packed.stdout) as [{ filename: string }])[0].filename);
  });
