import { copyFile, link, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { isFile } from '../files/files.js';
import { weightsIn } from '../files/weights.js';

// The layout is that of Python's tools, which read and write the same folder:
//   models--owner--name/blobs/<etag>               the bytes, once
//                      /refs/main                  a commit
//                      /snapshots/<commit>/<path>  a link into blobs

const given = (name: string): string | undefined => process.env[name] || undefined; // an empty one counts as absent

/** The cache's folder, as Python's tools find it. */
export const cacheFolder = (): string =>
  given('HF_HUB_CACHE') ??
  given('HUGGINGFACE_HUB_CACHE') ??
  join(given('HF_HOME') ?? join(given('XDG_CACHE_HOME') ?? join(homedir(), '.cache'), 'huggingface'), 'hub');

export const repositoryFolder = (repository: string): string =>
  join(cacheFolder(), `models--${repository.replace('/', '--')}`);

/** Repositories of models in the cache, `owner/name`. */
export const cachedRepositories = async (): Promise<string[]> => {
  const names = await readdir(cacheFolder()).catch(() => []);
  return names
    .filter((name) => name.startsWith('models--'))
    .map((name) => name.slice('models--'.length).replace('--', '/'))
    .sort();
};

/** Snapshots of a repository: the one that `refs/main` names, then the others, newest first. */
export const snapshotsOf = async (repository: string): Promise<string[]> => {
  const folder = repositoryFolder(repository);
  const main = (await readFile(join(folder, 'refs', 'main'), 'utf8').catch(() => '')).trim();
  const names = await readdir(join(folder, 'snapshots')).catch(() => []);
  const aged = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, 'snapshots', name);
      const facts = await stat(path).catch(() => undefined);
      return { path, rank: name === main ? Number.POSITIVE_INFINITY : (facts?.mtimeMs ?? 0) };
    }),
  );
  return aged.sort((a, b) => b.rank - a.rank).map(({ path }) => path);
};

const BASES: Readonly<Record<string, readonly string[]>> = {
  diffusion_pytorch_model: ['diffusion_pytorch_model'],
  model: ['model', 'pytorch_model'],
};

/** Where a snapshot has a file. Weights count in another precision or format too: what is there is not fetched again. */
export const fileIn = async (snapshot: string, path: string): Promise<string | undefined> => {
  const exact = join(snapshot, path);
  if (await isFile(exact)) return exact;
  const found = /^(.*?)(?:\.fp16)?\.(safetensors|bin)$/.exec(exact);
  if (!found) return undefined;
  const [, stem, ending] = found as unknown as [string, string, string];
  const bases = BASES[stem.slice(dirname(stem).length + 1)];
  if (bases) return weightsIn(dirname(exact), bases);
  const other = `${stem}.${ending === 'bin' ? 'safetensors' : 'bin'}`;
  return (await isFile(other)) ? other : undefined;
};

/** The snapshot that has all these files, and where each is. */
export const snapshotWith = async (
  repository: string,
  paths: readonly string[],
): Promise<{ readonly folder: string; readonly files: readonly string[] } | undefined> => {
  for (const folder of await snapshotsOf(repository)) {
    const files = await Promise.all(paths.map((path) => fileIn(folder, path)));
    if (files.every((file) => file !== undefined)) return { folder, files };
  }
  return undefined;
};

/** Puts `text` at `path` in one step: nobody sees half of it. */
const replaceFile = async (path: string, text: string): Promise<void> => {
  await mkdir(dirname(path), { recursive: true });
  const part = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  await writeFile(part, text);
  await rename(part, path);
};

/** Names a fetched blob in a snapshot. Where links are not allowed (Windows without the right) it is a second name, or a copy. */
export const pointAt = async (blob: string, path: string): Promise<void> => {
  if (await isFile(path)) return;
  await mkdir(dirname(path), { recursive: true });
  const part = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  try {
    await symlink(relative(dirname(path), blob), part);
  } catch {
    await link(blob, part).catch(() => copyFile(blob, part));
  }
  await rename(part, path).catch(async (error: unknown) => {
    await rm(part, { force: true });
    throw error;
  });
};

/** Says which commit `main` is. */
export const pointMain = (repository: string, commit: string): Promise<void> =>
  replaceFile(join(repositoryFolder(repository), 'refs', 'main'), commit);
