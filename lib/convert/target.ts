import { randomBytes } from 'node:crypto';
import { lstat, readdir, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { OptionError, OutputError, quoted } from '../errors.js';
import { isFile } from '../files/files.js';
import { outputError, publish, syncFolder } from '../images/output-file.js';

/** Where a model is written, and in which form. */
export interface Target {
  readonly path: string;
  readonly form: 'file' | 'folder';
}

const OTHER_FORMATS = ['.ckpt', '.pt', '.pth', '.bin', '.onnx', '.gguf'];

/** One file where the name ends in .safetensors, else a folder. */
export const targetOf = (given: string): Target => {
  const path = resolve(given);
  const ending = extname(path).toLowerCase();
  if (OTHER_FORMATS.includes(ending)) {
    throw new OptionError(
      'OPTION_RANGE',
      `${quoted(given)} ends in ${ending}; models are written as one .safetensors file or as a diffusers folder`,
      'Give a name that ends in .safetensors, or a folder',
      { details: { option: 'target', found: given } },
    );
  }
  return { path, form: ending === '.safetensors' ? 'file' : 'folder' };
};

const kindAt = async (path: string): Promise<'none' | 'file' | 'folder'> => {
  const facts = await lstat(path).catch(() => undefined);
  return facts === undefined ? 'none' : facts.isDirectory() ? 'folder' : 'file';
};

const taken = (path: string, hint: string): OutputError =>
  new OutputError('OUTPUT_EXISTS', `${quoted(path)} exists`, hint, { details: { path } });

/** Refuses a target that may not be replaced, before any work. */
export const checkTarget = async ({ path, form }: Target, overwrite: boolean): Promise<void> => {
  const there = await kindAt(path);
  if (there === 'none') return;
  if (!overwrite) throw taken(path, 'Give another name, or overwrite: true');
  if (there !== form) throw taken(path, `It is a ${there}, and a ${form} is to be written: give another name`);
  // never a folder of something else: it would be removed with all that is in it
  if (form === 'folder' && (await readdir(path)).length > 0 && !(await isFile(join(path, 'model_index.json'))))
    throw taken(path, 'It holds no model_index.json, so it is not replaced: give another name, or remove it');
};

// Whose unfinished work it is stands in the name: this machine's processes are known to run or not.
const machine =
  hostname()
    .replace(/[^A-Za-z0-9]/g, '')
    .slice(0, 32) || 'host';
const mark = (): string => `${machine}-${process.pid}-${randomBytes(4).toString('hex')}`;

const runs = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
};

/**
 * Removes what processes of this machine that ended early have left of this target; a folder that one of them had just moved
 * aside comes back.
 */
export const sweep = async ({ path }: Target): Promise<void> => {
  const [folder, name] = [dirname(path), basename(path)];
  for (const entry of await readdir(folder).catch(() => [] as string[])) {
    if (!entry.startsWith(`${name}.`)) continue;
    const [, kind, host, pid] = /^\.(part|old)-([A-Za-z0-9]+)-(\d+)-[0-9a-f]{8}$/.exec(entry.slice(name.length)) ?? [];
    if (kind === undefined || host !== machine || runs(Number(pid))) continue;
    const left = join(folder, entry);
    if (kind === 'old' && (await kindAt(path)) === 'none') await rename(left, path).catch(() => undefined);
    else await rm(left, { recursive: true, force: true }).catch(() => undefined);
  }
};

/** A name beside the target for what is not finished. */
export const partOf = ({ path }: Target): string => `${path}.part-${mark()}`;

/** A folder has no link that fails where the name is taken: between both names lies a moment without either. */
const publishFolder = async (part: string, path: string): Promise<void> => {
  if ((await kindAt(path)) === 'none') return rename(part, path);
  const old = `${path}.old-${mark()}`;
  await rename(path, old);
  await rename(part, path).catch(async (error: unknown) => {
    await rename(old, path);
    throw error;
  });
  await rm(old, { recursive: true, force: true });
};

/** Gives the finished work its name, and removes it where that fails. */
export const finish = async (target: Target, part: string, overwrite: boolean): Promise<void> => {
  await checkTarget(target, overwrite); // another process may have been faster
  try {
    if (target.form === 'file') await publish(part, target.path, overwrite);
    else await publishFolder(part, target.path);
  } catch (cause) {
    throw outputError(target.path, cause);
  }
  await syncFolder(dirname(target.path));
};
