// The package as a folder of its own for another machine: what npm would install there, with the addon that was built here.
import { spawn } from 'node:child_process';
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ALONE, type Ended, strangerEnv } from '../stranger.js';

export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[/\\]$/, '');

/**
 * A program to its end, its output through files: a Windows program under wine cannot write to Node's pipes. Nothing of
 * this package's variables reaches it but what is given.
 */
export const run = async (
  [program, ...args]: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> => {
  const folder = mkdtempSync(join(tmpdir(), 'ipa-output-'));
  const files = ['stdout', 'stderr'].map((name) => join(folder, name));
  const descriptors = files.map((file) => openSync(file, 'w'));
  try {
    const status = await new Promise<number>((resolve) => {
      const child = spawn('sh', [...ALONE, program!, ...args], {
        cwd,
        env: { ...strangerEnv(process.env.PATH ?? ''), ...env },
        stdio: ['ignore', ...descriptors],
      });
      child.on('error', () => resolve(-1));
      child.on('close', (code) => resolve(code ?? -1));
    });
    const [stdout = '', stderr = ''] = files.map((file) => readFileSync(file, 'utf8'));
    return { status, stdout, stderr };
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor);
    rmSync(folder, { recursive: true, force: true });
  }
};

export interface Target {
  readonly os: 'linux' | 'darwin' | 'win32';
  readonly cpu: 'x64' | 'arm64';
  /** Below prebuilds/, with the file. */
  readonly prebuilt: string;
  /** The addon that was built for it. */
  readonly addon: string;
}

export interface App {
  readonly folder: string;
  /** The package's folder in it. */
  readonly home: string;
  readonly remove: () => void;
}

/** A folder with the package installed for `target`; `remove()` it. */
export const installedFor = async ({ os, cpu, prebuilt, addon }: Target): Promise<App> => {
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
