import { z } from 'zod';
import { OptionError, quoted } from '../errors.js';
import { type CheckedFile, checkHash } from '../files/hash.js';
import { LOAD } from '../options/table/load.js';
import type { ModelFiles, Part } from './model-files.js';

const NAMES = ['unet', 'vae', 'text_encoder', 'text_encoder_2'] as const;

/** SHA-256 of a model's files: of a single file one, of a folder those of its parts that are to be checked. */
export type ModelHashes = string | Readonly<Partial<Record<(typeof NAMES)[number], string>>>;

const { expects } = LOAD.rows.sha256;
const hash = z.string(expects).regex(/^[0-9a-f]{64}$/i, expects);
export const modelHashes = z.union(
  [hash, z.strictObject(Object.fromEntries(NAMES.map((name) => [name, hash.optional()])), expects)],
  expects,
) as z.ZodType<ModelHashes>;

const refused = (message: string, hint: string): OptionError =>
  new OptionError('OPTION_CONFLICT', message, hint, { details: { option: 'sha256' } });

/** The files that are to be checked, by the hash that each must have. `vae`: in place of the model's own. */
const expectedFiles = (files: ModelFiles, vae: Part | undefined, expected: ModelHashes): Map<string, string> => {
  const pathOf = ({ source }: Part): string => ('path' in source ? source.path : '');
  if (typeof expected === 'string') {
    if (files.folder === undefined) return new Map([[pathOf(files.unet), expected]]);
    throw refused(
      `sha256 is one hash, and ${quoted(files.name)} is a folder of several files`,
      `Give an object with those of ${NAMES.join(', ')} that are to be checked`,
    );
  }
  const own = files.folder === undefined ? [] : files.text(true).map(({ part }) => part);
  const parts: Readonly<Record<string, Part | undefined>> = {
    unet: files.folder === undefined ? undefined : files.unet,
    vae: vae ?? (files.folder === undefined ? undefined : files.vae),
    text_encoder: own[0],
    text_encoder_2: own[1],
  };
  const found = new Map<string, string>();
  for (const [name, hash] of Object.entries(expected)) {
    if (hash === undefined) continue;
    const part = parts[name];
    if (!part)
      throw refused(
        `sha256 names ${name}, and ${quoted(files.name)} has no file of its own for it`,
        files.folder === undefined ? 'Give one hash: the model is one file' : 'Leave it out',
      );
    if (pathOf(part).endsWith('.json'))
      throw refused(`sha256 names ${name}, whose weights lie in several shards`, 'Leave it out, or join the shards');
    found.set(pathOf(part), hash);
  }
  return found;
};

/** Holds a model's files to what the caller expects, before a tensor is read. */
export const checkHashes = async (
  files: ModelFiles,
  vae: Part | undefined,
  expected: ModelHashes | undefined,
): Promise<readonly CheckedFile[]> => {
  if (expected === undefined) return [];
  const checked: CheckedFile[] = [];
  for (const [path, hash] of expectedFiles(files, vae, expected)) checked.push(await checkHash(path, hash));
  return checked;
};
