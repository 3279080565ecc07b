// The package as a folder of its own for another machine: what npm would install there, with the addon that was built here.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[/\\]$/, '');

export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program to its end. Nothing of this package's variables reaches it but what is given. */
export const run = (
  [program, ...args]: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> =>
  new Promise((resolve) => {
    const kept = Object.entries(process.env).filter(([name]) => !/^(npm_|IPA_|NODE_|TAP|TSIMP)/i.test(name));
    const options = { cwd, env: { ...Object.fromEntries(kept), ...env }, maxBuffer: 2 ** 26 };
    execFile(program!, args, options, (error, stdout, stderr) => {
      const status = error ? (typeof error.code === 'number' ? error.code : -1) : 0;
      resolve({ status, stdout, stderr: status === -1 ? `${error?.message}\n${stderr}` : stderr });
    });
  });

export interface Target {
  readonly os: 'linux' | 'darwin' | 'win32';
  readonly cpu: 'x64' | 'arm64';
  /** Below prebuilds/, with the file. */
  readonly prebuilt: string;
  /** The addon that was built for it. */
  readonly addon: string;
}

/** A folder with the package installed for `target`; `remove()` it. */
export const installedFor = async ({ os, cpu, prebuilt, addon }: Target) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ipa-machine-')));
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: object };
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module', dependencies }));
  const words = [
    'install',
    '--ignore-scripts',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    `--os=${os}`,
    `--cpu=${cpu}`,
  ];
  const install = await run(['npm', ...words, ...(os === 'linux' ? ['--libc=glibc'] : [])], folder);
  if (install.status !== 0) throw new Error(`npm install: ${install.stderr}`);
  const home = join(folder, 'node_modules', 'node-ip-adapter');
  for (const part of ['package.json', 'dist', 'models'])
    cpSync(join(root, part), join(home, part), { recursive: true });
  mkdirSync(join(home, 'prebuilds', prebuilt, '..'), { recursive: true });
  cpSync(addon, join(home, 'prebuilds', prebuilt));
  cpSync(join(root, 'test', 'machines', 'draw.mjs'), join(folder, 'draw.mjs'));
  return { folder, home, remove: () => rmSync(folder, { recursive: true, force: true }) };
};
