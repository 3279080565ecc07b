import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ModelFileError, quoted } from '../errors.js';
import { isFile, kindAt } from '../files/files.js';
import { cacheFolder, fileIn, snapshotsOf, snapshotWith } from './cache.js';
import { type CatalogRow, catalogName, catalogRow, type ModelName, nearestName } from './catalog.js';

/** What a text that is no path on this machine can mean. */
export type Named =
  | { readonly name: ModelName; readonly row: CatalogRow }
  | { readonly repository: string; readonly file?: string };

const REPOSITORY = /^([\w-][\w.-]*\/[\w-][\w.-]*)(?:\/(.+))?$/;
const WEIGHTS = /\.(?:safetensors|bin|ckpt|pt|pth|onnx)$/i;

/** A short name, `owner/name` or `owner/name/file`; undefined for what can only be a path. */
export const named = (text: string): Named | undefined => {
  const name = catalogName(text);
  if (name !== undefined) return { name, row: catalogRow(name) };
  const [, repository, file] = REPOSITORY.exec(text) ?? [];
  if (repository === undefined || (file === undefined && WEIGHTS.test(repository))) return undefined;
  if (file === undefined) return { repository };
  const parts = file.split('/');
  return WEIGHTS.test(file) && !parts.includes('..') && !parts.includes('') ? { repository, file } : undefined;
};

/** A repository of one weight file is that file; one with model_index.json is a folder. */
const wholeRepository = async (repository: string): Promise<string | undefined> => {
  for (const snapshot of await snapshotsOf(repository)) {
    if (await isFile(join(snapshot, 'model_index.json'))) return snapshot;
    const weights = (await readdir(snapshot)).filter((name) => WEIGHTS.test(name));
    if (weights.length === 1) return join(snapshot, weights[0]!);
  }
  return undefined;
};

/** Where the cache has what a name means: a folder or a file; undefined when it lacks any part. */
export const cached = async (it: Named): Promise<string | undefined> => {
  if ('row' in it) {
    const { repository, files, folder } = it.row;
    const paths = files.map(({ path }) => path);
    const found = await snapshotWith(repository, paths);
    return found && (folder === undefined ? found.files[0] : join(found.folder, folder));
  }
  const { repository, file } = it;
  if (file === undefined) return wholeRepository(repository);
  for (const snapshot of await snapshotsOf(repository)) {
    const found = await fileIn(snapshot, file);
    if (found) return found;
  }
  return undefined;
};

/** The command that fetches what a text names. */
export const pullCommand = (text: string): string => `npx node-ip-adapter pull ${text}`;

const missing = (text: string, it: Named): ModelFileError =>
  new ModelFileError(
    'MODEL_NOT_FOUND',
    `${quoted(text)} is ${'row' in it ? it.row.title : 'no path on this machine'}${'row' in it ? ', which' : ', and'} is not in the cache ${quoted(cacheFolder())}`,
    `Fetch it once: ${pullCommand('row' in it ? it.name : text)}`,
    { details: { path: text, cache: cacheFolder() } },
  );

/**
 * The path that a user means: a file or folder as it is, else what a name means in the cache. Nothing is ever fetched: what
 * is not there is an error whose hint is the command. A text that can only be a path comes back as it is.
 */
export const located = async (text: string): Promise<string> => {
  if ((await kindAt(text)) !== undefined) return text;
  const it = named(text);
  if (it === undefined) {
    const near = /^[\w-]+$/.test(text) ? nearestName(text) : undefined;
    if (near === undefined) return text;
    throw new ModelFileError(
      'MODEL_NOT_FOUND',
      `There is nothing at ${quoted(text)}, and no model has that name`,
      `Check the path, or give ${near}`,
      { details: { path: text, nearest: near } },
    );
  }
  const found = await cached(it);
  if (found === undefined) throw missing(text, it);
  return found;
};
